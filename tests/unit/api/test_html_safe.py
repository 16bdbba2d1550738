"""HTML made harmless: nothing of these attacks is left, and mails still look like mails."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conformance.cases import corpora, mail_cases
from tests.unit.api.markup import events, faults, made, shown

RUN = "alert(1)"
TAB, NEWLINE = "\t", "\n"

SCRIPTS = [
    f"<script>{RUN}</script>",
    f"<SCRIPT SRC=https://evil.example/x.js></SCRIPT>{RUN}",
    f"<scr<script>ipt>{RUN}</scr</script>ipt>",
    f"<<script>{RUN};//<</script>",
    f"<script/src=data:,{RUN}></script>",
    f"<img src=x onerror={RUN}>",
    f"<img/src=`x`/onerror={RUN}>",
    f'<img """><script>{RUN}</script>">',
    f"<img src=x:{RUN} onerror=eval(src)>",
    f"<div onmouseover='{RUN}' onclick={RUN}>x</div>",
    f"<p/onpointerover={RUN} style=color:red>x",
    f"<body onload={RUN}><details open ontoggle={RUN}>x",
    f"<video><source onerror={RUN}></video><audio src=x onerror={RUN}></audio>",
    f"<marquee onstart={RUN}>x</marquee>",
    f"<input autofocus onfocus={RUN}><select onfocus={RUN} autofocus></select>",
    f"<isindex type=image src=1 onerror={RUN}>",
    f"<x contenteditable onbeforeinput={RUN}>x</x>",
    f"<a href=x onclick={RUN} autofocus tabindex=1 accesskey=x>x</a>",
    f"\ufeff<scr\0ipt>{RUN}</scr\0ipt>",
]
ADDRESSES = [
    f"javascript:{RUN}",
    f"JaVaScRiPt:{RUN}",
    f" \x01\x1f javascript:{RUN}",
    f"java{TAB}script:{RUN}",
    f"java{NEWLINE}script:{RUN}",
    f"java&Tab;script&colon;{RUN}",
    f"&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;&#58;{RUN}",
    f"&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A{RUN}",
    f"javascript://%0a{RUN}",
    f"vbscript:{RUN}",
    f"livescript:{RUN}",
    f"data:text/html,<script>{RUN}</script>",
    f"data:text/html;base64,{base64.b64encode(b'<script>x</script>').decode()}",
    "data:image/svg+xml;base64,PHN2Zz48L3N2Zz4=",
    "data:image/png;base64,AAAA%22onerror=x",
    "blob:https://evil.example/x",
    "file:///etc/passwd",
    "\\\\evil.example\\x",
    "view-source:javascript:x",
    "feed:javascript:x",
    "jar:https://evil.example/x!/y",
    "ms-word:ofe|u|https://evil.example/x",
]
TAGS_THAT_TAKE = [
    "<a href='{}'>x</a>",
    "<img src='{}'>",
    "<table background='{}'><tr><td background='{}'>x</table>",
    "<iframe src='{}'></iframe>",
    "<embed src='{}'><object data='{}'></object>",
    "<form action='{}'><button formaction='{}'>x</button><input type=image src='{}' formaction='{}'></form>",
    "<area href='{}'><map name=m><area href='{}'></map>",
    "<base href='{}'><link rel=stylesheet href='{}'>",
    "<meta http-equiv=refresh content='0;url={}'>",
    "<svg><a xlink:href='{}'><text>x</text></a><use href='{}'/></svg>",
    "<math href='{}'><maction actiontype=statusline xlink:href='{}'>x</maction></math>",
    "<blockquote cite='{}'>x</blockquote><q cite='{}'>x</q><del cite='{}'>x</del>",
    "<img dynsrc='{}' lowsrc='{}' longdesc='{}' usemap='{}'>",
    "<video poster='{}'></video><bgsound src='{}'><frameset><frame src='{}'></frameset>",
    "<a ping='{}' href=https://example.org>x</a>",
]
BECOMING_MARKUP = [
    # What is text in one namespace or mode, and markup when it is read again in another.
    f"<svg><style><img src=x onerror={RUN}></style></svg>",
    f"<svg></p><style><a id='</style><img src=1 onerror={RUN}>'>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={RUN}&gt;'>",
    f"<math><mtext><mglyph><style><math href=javascript:x></style></mglyph><img src=x onerror={RUN}>",
    f"<svg><desc><noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript></desc></svg>",
    f"<noscript><p title='</noscript><img src=x onerror={RUN}>'></noscript>",
    f"<template><p title='</template><img src=x onerror={RUN}>'></template>",
    f"<template shadowrootmode=open><script>{RUN}</script></template>",
    f"<textarea><p title='</textarea><img src=x onerror={RUN}>'></textarea>",
    f"<title><p title='</title><img src=x onerror={RUN}>'></title>",
    f"<xmp><p title='</xmp><img src=x onerror={RUN}>'></xmp>",
    f"<noembed><p title='</noembed><img src=x onerror={RUN}>'></noembed>",
    f"<noframes><p title='</noframes><img src=x onerror={RUN}>'></noframes>",
    f"<iframe srcdoc='&lt;script&gt;{RUN}&lt;/script&gt;'><p title='</iframe><img src=x onerror={RUN}>'>",
    f"<plaintext><img src=x onerror={RUN}>",
    f"<select><style></select><img src=x onerror={RUN}></style></select>",
    f"<form><math><mtext></form><form><mglyph><style></math><img src=x onerror={RUN}>",
    f"<table><td><svg><foreignObject><table><td><script>{RUN}</script></td></table></foreignObject></svg>",
    f"<!--><img src=x onerror={RUN}>-->",
    f"<!-- --!><img src=x onerror={RUN}> -->",
    f"<![CDATA[<img src=x onerror={RUN}>]]>",
    f"<svg><![CDATA[><img src=x onerror={RUN}>]]></svg>",
    f"<?xml version='1.0'?><img src=x onerror={RUN}><?php x ?>",
    f"<p title='&lt;/p&gt;&lt;img src=x onerror={RUN}&gt;'>x</p>",
    f"&lt;script&gt;{RUN}&lt;/script&gt;",
    f"<img alt='`><img src=x onerror={RUN}>'>",
    f"<p lang='\"><script>{RUN}</script>'>x",
]
STYLES = [
    "background:url(javascript:alert(1))",
    "background-image:url('https://evil.example/x')",
    'background:URL( "//evil.example/x" )',
    "background:\\75 rl(https://evil.example/x)",
    "background:u\\rl(https://evil.example/x)",
    "background:u/**/rl(https://evil.example/x)",
    "background:url(https://evil.example/x",
    "background-image:image-set('https://evil.example/x' 1x)",
    "background-image:-webkit-image-set(url(https://evil.example/x) 1x)",
    "background-image:cross-fade(url(https://evil.example/x), red)",
    "background:var(--x, url(https://evil.example/x))",
    "list-style:url(https://evil.example/x)",
    "list-style-image:url(https://evil.example/x)",
    "cursor:url(https://evil.example/x)",
    "content:url(https://evil.example/x)",
    "font-family:x;src:url(https://evil.example/x)",
    "width:expression(alert(1))",
    "width:e/**/xpression(alert(1))",
    "behavior:url(#default#time2)",
    "-moz-binding:url(https://evil.example/x.xml#x)",
    "@import 'https://evil.example/x'",
    "color:red;} @import 'https://evil.example/x'; {",
    "color:red}</style><script>alert(1)</script>",
    "position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999",
    "p\\6fsition:fixed",
    "transform:scale(100);animation:x 1s;filter:url(#x);mask:url(#x);clip-path:url(#x)",
    "--x:url(https://evil.example/x)",
    "all:unset",
    "color:attr(title);width:calc(100% - env(x))",
    "font:12px 'a\\';background:url(https://evil.example/x)'",
    "x" * 5000 + ":red",
]


@pytest.mark.parametrize("attack", SCRIPTS + BECOMING_MARKUP[:-4])
def test_what_is_looked_for_is_there_before(attack: str) -> None:
    """The tests below would find it, were it left."""
    assert faults(attack) != []


@pytest.mark.parametrize("attack", SCRIPTS + BECOMING_MARKUP)
def test_nothing_of_it_runs(attack: str) -> None:
    for around in ("{}", "<div>{}</div>", "<table><tr><td>{}", "<p><b>{}</p>", "<svg>{}</svg>", "<math>{}"):
        shown(around.format(attack))
        shown(around.format(attack), remote=True)


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("taking", TAGS_THAT_TAKE)
def test_no_address_that_runs_or_reads_something_is_kept(taking: str, address: str) -> None:
    safe = shown(taking.replace("{}", address))

    assert "evil.example" not in safe.html
    assert "script" not in safe.html.lower()


@pytest.mark.parametrize("style", STYLES)
def test_no_style_loads_moves_or_runs_anything(style: str) -> None:
    safe = shown(f'<p style="{style.replace(chr(34), "&quot;")}">words</p>')

    assert "words" in safe.html
    assert "evil.example" not in safe.html


def test_a_block_of_styles_is_left_out_with_its_words() -> None:
    assert shown("<style>p{background:url(//evil.example)}</style><p>x</p>").html == "<p>x</p>"


def test_names_and_ids_are_left_out_so_that_nothing_of_the_page_is_taken_for_theirs() -> None:
    safe = shown("<img name=cookie id=getElementById alt=x><a id=body name=documentElement class=c>y</a>")

    assert safe.html == '<img alt="x"><a target="_blank" rel="noopener noreferrer nofollow">y</a>'


@pytest.mark.parametrize(
    "address",
    ["https://example.org/a?b=c&amp;d=e#f", "http://example.org", "mailto:a@example.org", "tel:+49"],
)
def test_a_link_is_kept_and_opens_apart_without_telling_whence(address: str) -> None:
    assert shown(f"<a href='{address}'>x</a>").html == (
        f'<a href="{address}" target="_blank" rel="noopener noreferrer nofollow">x</a>'
    )


REMOTE = (
    "<img src='https://a.example/1.png'><img src='//a.example/2.png'><img src=HTTP://a.example/3>"
    "<img srcset='https://a.example/4 1x, https://a.example/5 2x'><img src='https://a.example/1.png'>"
    "<table background='https://a.example/6'><tr><td style='background:#123 url(https://a.example/7)'>x</table>"
)


def test_pictures_from_elsewhere_are_left_out_and_counted_once_each() -> None:
    safe = shown(REMOTE)

    assert safe.remote == 7
    assert "a.example" not in safe.html
    assert 'style="background:#123"' in safe.html


def test_pictures_from_elsewhere_are_there_when_they_are_asked_for() -> None:
    safe = shown(REMOTE, remote=True)

    assert safe.remote == 7
    for part in (
        'src="https://a.example/1.png"',
        'src="https://a.example/2.png"',
        "a.example/6",
        "a.example/7",
    ):
        assert part in safe.html


@pytest.mark.parametrize(
    "written", ["cid:logo@example.org", "CID:logo%40example.org", " cid:logo@example.org "]
)
def test_the_mails_own_pictures_are_found_by_their_content_id(written: str) -> None:
    safe = shown(f"<img src='{written}' alt=Logo><img src='cid:unknown' alt=None>")

    assert (
        safe.html == '<img src="/v1/tickets/tkt_1/messages/msg_1/attachments/1" alt="Logo"><img alt="None">'
    )
    assert safe.remote == 0


def test_a_picture_within_the_html_is_shown_when_it_is_none_that_runs_and_not_too_long() -> None:
    small, large = "data:image/png;base64," + "A" * 100, "data:image/png;base64," + "A" * 1000

    safe = shown(f"<img src='{small}'><img src='{large}'><img src='data:image/svg+xml,<svg/>'>")

    assert safe.html == f'<img src="{small}"><img><img>'


def test_the_bodys_colours_stay_for_its_text_is_meant_for_them() -> None:
    safe = shown(
        "<html><head><title>Title</title></head><body bgcolor='#000000' text=white style='margin:0' onload=x>"
        "<p>light on dark</p></body></html>"
    )

    assert safe.html == (
        '<div style="background-color:#000000;color:white"><div style="margin:0">'
        "<p>light on dark</p></div></div>"
    )


def test_what_mails_are_laid_out_with_stays() -> None:
    mail = (
        '<table width="600" cellpadding="0" align="center" bgcolor="#eeeeee"><tbody><tr>'
        '<td colspan="2" valign="top" style="padding:10px;font-family:Arial;color:#333">'
        '<h1>Hi</h1><font color="red" size="2">x</font><ul><li>one</li></ul></td></tr></tbody></table>'
    )

    assert shown(mail).html == mail


def test_cells_that_would_span_thousands_are_single_ones() -> None:
    assert "span" not in shown("<table><tr><td colspan=1000 rowspan=65534>x</table>").html


PIECES = st.sampled_from(
    [
        *"<>\"'=/&; -!",
        *SCRIPTS,
        *BECOMING_MARKUP,
        *(taking.replace("{}", address) for taking in TAGS_THAT_TAKE for address in ADDRESSES[:6]),
        *(f"<p style='{style}'>" for style in STYLES[:20]),
        *"<table> <td> <p> <b> </b> </p> <svg> </svg> <math> <mtext> <style> </style> <!-- --> <a>".split(),
        *"]]> <body> <title> </title> <noscript> <template> </template> <select> <img src= cid: &lt;".split(),
        REMOTE,
    ]
)


@settings(deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=25).map("".join), st.booleans())
def test_whatever_is_put_together_is_harmless_and_stays_as_it_is(html: str, remote: bool) -> None:
    """What was made once is made again of itself: a browser reads what was written."""
    once = made(html, remote=remote).html

    assert faults(once, remote=remote) == []
    assert events(made(once, remote=remote).html) == events(once)


def test_every_html_mail_of_the_corpora_is_made_harmless() -> None:
    from services.ingest.parsing import parse
    from shared.domain.errors import Unreadable

    folder = corpora()
    if folder is None:
        pytest.skip("no corpora on this machine")
    seen = 0
    for case in mail_cases(folder):
        try:
            html = parse(case.mail.read_bytes()).html
        except Unreadable:
            continue
        if html:
            seen += 1
            assert faults(made(html).html) == []
    assert seen > 100
