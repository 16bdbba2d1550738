"""Quotes and signatures by the structure of HTML, as clients write it."""

import pytest

from services.ingest.html_text import text_from
from services.ingest.reply_text import Split, split

NEW = "<p>It flickers.</p><p>Please come.</p>"
SAID = "It flickers.\n\nPlease come."
OLD = "<div>Your lamp left our house.</div><div>Goodbye</div>"


def of_html(html: str, subject: str = "Re: Lamp") -> Split:
    """What is made of a mail that has no text of its own."""
    return split(text_from(html), html, subject)


QUOTES = {
    "gmail": f'<div class="gmail_quote"><div class="gmail_attr">Quoth the House:<br></div>'
    f'<blockquote class="gmail_quote" style="margin:0">{OLD}</blockquote></div>',
    "gmail without a blockquote": f'<div class="gmail_quote">{OLD}</div>',
    "apple": f"<div><br><blockquote type='cite'><div>Quoth the House</div>{OLD}</blockquote></div>",
    "thunderbird": '<div class="moz-cite-prefix">Quoth the House:</div>'
    f'<blockquote type="cite">{OLD}</blockquote>',
    "outlook on the web": '<div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Quoth:</b> House</div>'
    f"<div>{OLD}</div>",
    "outlook border": '<div style="border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm">'
    f"<p><b>Quoth:</b> House</p></div>{OLD}",
    "outlook for mac": f'<span id="OLK_SRC_BODY_SECTION">{OLD}</span>',
    "outlook for phones": f'<div id="mail-editor-reference-message-container">{OLD}</div>',
    "yahoo": f'<div id="yahoo_quoted_1" class="yahoo_quoted"><div>Quoth the House</div>{OLD}</div>',
    "proton": f'<div class="protonmail_quote">Quoth the House<br><blockquote class="protonmail_quote">{OLD}'
    "</blockquote></div>",
    "zimbra": f'<hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__">Quoth</div>{OLD}',
    "zoho": f'<div class="zmail_extra"><div>Quoth the House</div>{OLD}</div>',
    "gmx": f'<div name="quote" style="margin:0">{OLD}</div>',
    "spark": f'<div name="messageReplySection">Quoth the House<br>{OLD}</div>',
    "windows mail": '<div style="padding-top: 5px; border-top-color: rgb(229, 229, 229);'
    f' border-top-width: 1px; border-top-style: solid;"><b>Quoth:</b> House</div>{OLD}',
    "a line beside it": f'<blockquote style="border-left:1px solid #0857A6;margin:10px">{OLD}</blockquote>',
    "a bare blockquote": f"<blockquote>{OLD}<blockquote>And before that: welcome.</blockquote></blockquote>",
}


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
def test_what_a_client_wraps_as_quoted_is_cut(quote: str) -> None:
    found = of_html(f"<html><body>{NEW}{quote}</body></html>")
    assert found.reply_text == SAID
    assert "Your lamp left our house." in found.quoted_text


@pytest.mark.parametrize("quote", QUOTES.values(), ids=QUOTES)
def test_the_quote_is_found_in_a_text_of_its_own_too(quote: str) -> None:
    text = f"It flickers. Please come.\n\n{text_from(quote)}\n"
    found = split(text, f"{NEW}{quote}", "Re: Lamp")
    assert found.reply_text == "It flickers. Please come."


def test_answers_between_the_quotes_of_a_client_are_kept() -> None:
    html = (
        '<div class="gmail_quote"><div class="gmail_attr">House wrote:</div>'
        "<blockquote class='gmail_quote'>Which room?</blockquote><div>The kitchen.</div>"
        "<blockquote class='gmail_quote'>Since when?</blockquote><div>Monday.</div></div>"
    )
    found = of_html(html)
    assert "The kitchen." in found.reply_text
    assert "Which room?" in found.reply_text
    assert "Monday." in found.reply_text


def test_a_blockquote_that_the_writer_leads_up_to_is_the_writers_own() -> None:
    html = "<p>The label says:</p><blockquote>40 watts</blockquote>"
    assert of_html(html).reply_text == "The label says:\n\n40 watts"


INDENTED = {
    "by the element of quotes": '<blockquote class="gmail_quote" style="margin:0 0 0 40px;border:none">',
    "by an element of its own": '<blockquote style="margin: 0 0 0 40px; border: none; padding: 0px;">',
    "without a margin": '<blockquote style="margin-top:0;margin-bottom:0">',
    "without anything": "<blockquote>",
}


@pytest.mark.parametrize("element", INDENTED.values(), ids=INDENTED)
def test_words_that_the_writer_indented_last_are_the_writers_own(element: str) -> None:
    html = f"{NEW}<div>My new address</div>{element}<div>5 Lamp Road, Oslo</div></blockquote>"
    assert of_html(html).reply_text.endswith("5 Lamp Road, Oslo")
    assert of_html(html + QUOTES["gmail"]).reply_text.endswith("5 Lamp Road, Oslo")


def test_a_blockquote_that_begins_with_an_attribution_is_quoted() -> None:
    said = "<div>On 4 March 2025 at 09:15, Lamp House wrote:</div>"
    assert of_html(f"{NEW}<blockquote>{said}{OLD}</blockquote>").reply_text == SAID


def test_an_attribution_is_one_although_the_lines_of_its_source_are_wrapped() -> None:
    html = f"{NEW}<p>On\n4 March 2025 at\n09:15, Lamp House\nwrote:</p><blockquote>{OLD}</blockquote>"
    assert of_html(html).reply_text == SAID


def test_a_blockquote_below_an_attribution_is_quoted_although_a_colon_leads_up_to_it() -> None:
    html = f"{NEW}<p>On 4 March 2025 at 09:15, Lamp House wrote:</p><blockquote>{OLD}</blockquote>"
    assert of_html(html).reply_text == SAID


@pytest.mark.parametrize(
    "signature",
    [
        '<div class="gmail_signature">Ann Example, of the lamps</div>',
        '<pre class="moz-signature">-- \nAnn Example, of the lamps</pre>',
        '<div id="ms-outlook-mobile-signature">Ann Example, of the lamps</div>',
        '<div id="Signature">Ann Example, of the lamps</div>',
        '<div name="messageSignatureSection">Ann Example, of the lamps</div>',
        '<div data-signatureblock="true">Ann Example, of the lamps</div>',
    ],
)
def test_what_a_client_wraps_as_signature_is_one(signature: str) -> None:
    found = of_html(f"{NEW}{signature}{QUOTES['gmail']}")
    assert found.reply_text == SAID
    assert "Ann Example, of the lamps" in found.signature
    assert "Your lamp left our house." in found.quoted_text


def test_a_forward_of_gmail_gives_the_inner_mail() -> None:
    html = (
        f'{NEW}<div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>'
        "From: <b>Bob</b> &lt;bob@mail.example&gt;<br>Date: Tue, 4 Mar 2025<br>Subject: Dark<br>"
        "To: Ann &lt;ann@mail.example&gt;<br></div><div>No light at all.</div>"
        '<div class="gmail_quote"><blockquote>earlier</blockquote></div><p>Bob</p></div>'
    )
    found = of_html(html, subject="Fwd: Dark")
    assert found.is_forward
    assert found.reply_text == SAID
    assert found.forwarded is not None
    assert found.forwarded.subject == "Dark"
    assert found.forwarded.author is not None
    assert (found.forwarded.author.name, found.forwarded.author.address) == ("Bob", "bob@mail.example")
    assert found.forwarded.text.startswith("No light at all.")
    assert found.forwarded.text.endswith("Bob")


def test_html_that_says_nothing_of_quotes_changes_nothing() -> None:
    html = f"<div>{NEW}</div><div class='quotation-of-prices'>5 lamps</div>"
    assert of_html(html).quoted_text == ""
