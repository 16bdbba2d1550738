"""A mail's HTML to HTML that may be shown: it runs nothing, loads nothing by itself, and sends nothing. Pure.

An allow-list of tags, attributes, addresses and styles: what is not on it is left out, its text mostly stays.
The tree is built and written by html5ever (nh3), as browsers build it, so that nothing becomes markup only
when it is read again. Names and ids are left out: they could stand for things of the page.

Time and memory have no good bound: some markup takes html5ever quadratic time (`<div>` within `<div>`, 250 KB
of them: 40 s), so it is called in processes that may be killed (showing_worker.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import nh3

from services.api.html_styles import PROPERTIES, Pictures, harmless

TAGS = frozenset(
    """a abbr address b bdi bdo big blockquote br caption center cite code col colgroup dd del details dfn
    div dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q rp rt ruby
    s samp small span strike strong sub summary sup table tbody td tfoot th thead time tr tt u ul var
    wbr""".split()
)
WITH_CONTENT = frozenset(
    """applet audio canvas embed frame frameset head iframe map math noembed noframes noscript object option
    script select style svg template textarea title video""".split()
)
"""Left out with all that stands in them."""

_BOX = frozenset("width height bgcolor background".split())
_ATTRIBUTES: dict[str, frozenset[str]] = {
    "*": frozenset("style align valign dir lang title".split()),
    "a": frozenset({"href"}),
    "img": frozenset("src srcset alt width height border hspace vspace".split()),
    "table": _BOX | frozenset("border cellpadding cellspacing".split()),
    "tr": _BOX,
    "td": _BOX | frozenset("colspan rowspan nowrap".split()),
    "th": _BOX | frozenset("colspan rowspan nowrap".split()),
    "col": frozenset("span width".split()),
    "colgroup": frozenset("span width".split()),
    "font": frozenset("color face size".split()),
    "ol": frozenset("start type".split()),
    "ul": frozenset({"type"}),
    "li": frozenset("value type".split()),
    "hr": frozenset("width size color".split()),
    "br": frozenset({"clear"}),
    "div": frozenset({"background"}),  # that was the mail's body
}
_WORD = re.compile(r"[\w-]{0,20}")
_COLOUR = re.compile(r"#?\w{1,30}")
_LENGTH = re.compile(r"\s*\d{1,5}(?:\.\d{0,9})?(?:%|px)?\s*")
_FEW = re.compile(r"\d{1,2}")  # thousands of cells in one hold a browser up
_FACE = re.compile(r"[\w\s,.'\"-]{1,300}")
_FORMS = {
    **dict.fromkeys("align valign dir type clear nowrap".split(), _WORD),
    **dict.fromkeys("bgcolor color".split(), _COLOUR),
    **dict.fromkeys("width height border hspace vspace cellpadding cellspacing start value".split(), _LENGTH),
    **dict.fromkeys("colspan rowspan span".split(), _FEW),
    "face": _FACE,
    "size": re.compile(r"[+-]?\d{1,3}"),
}
_AS_IT_IS = frozenset("alt title lang target rel".split())

_BLANK = re.compile(r"[\t\n\r]")
_EDGES = "".join(map(chr, range(0x21)))
"""Browsers leave these out at both ends of an address (WHATWG URL §4.1)."""
_LINK = re.compile(r"(?:https?://|mailto:|tel:)", re.IGNORECASE)
_RASTER = re.compile(r"data:image/(?:png|jpeg|jpg|gif|webp|bmp);base64,[A-Za-z0-9+/]*={0,2}", re.IGNORECASE)
_BODY = re.compile(r"<body(?=[\s>/])([^>]{0,4000})>", re.IGNORECASE)
_BODY_COLOUR = re.compile(r"\s(bgcolor|text)\s*=\s*[\"']?(#?\w{1,30})", re.IGNORECASE)
_COLOUR_OF = {"bgcolor": "background-color", "text": "color"}


@dataclass(frozen=True, slots=True)
class Asked:
    """`pictures`: for the Content-IDs of the mail's own pictures, where each is to be had.

    `longest_data`: characters of a picture that stands in the HTML itself; a longer one is left out.
    `longest`: bytes of what is made of it; nothing is when it has more.
    """

    html: str
    pictures: Mapping[str, str]
    remote_images: bool
    longest_data: int
    longest: int


@dataclass(frozen=True, slots=True)
class Safe:
    """`remote`: how many pictures it has elsewhere, each address counted once; shown or not."""

    html: str
    remote: int


def made_safe(asked: Asked) -> Safe | None:
    """See the module. None when it has more than `longest` bytes: some markup grows with its square."""
    pictures = Pictures(asked.remote_images)

    def kept(_: str, name: str, value: str) -> str | None:
        return _attribute(asked, pictures, name, value)

    cleaner = nh3.Cleaner(
        tags=TAGS,
        clean_content_tags=WITH_CONTENT,
        attributes=_ATTRIBUTES,
        attribute_filter=kept,
        strip_comments=True,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto", "tel", "cid", "data"},
        url_relative="pass_through",  # //host/ is one: what is to be made of addresses is said in _attribute
        filter_style_properties=PROPERTIES,
    )
    html = cleaner.clean(_with_body(asked.html))
    if len(html.encode()) > asked.longest:
        return None
    return Safe(html, len(pictures.met))


def _with_body(html: str) -> str:
    """Its body as a block, for light text is often meant for the dark ground of the body."""

    def block(found: re.Match[str]) -> str:
        colours = [(name.lower(), colour) for name, colour in _BODY_COLOUR.findall(found[1])]
        style = ";".join(f"{_COLOUR_OF[name]}:{colour}" for name, colour in colours)
        return f'<div style="{style}"><div{found[1]}>'

    return _BODY.sub(block, html, count=1)


def _attribute(asked: Asked, pictures: Pictures, name: str, value: str) -> str | None:
    """What is shown of an attribute; None: nothing."""
    if name in _AS_IT_IS:
        return value
    if form := _FORMS.get(name):
        return value if form.fullmatch(value) else None
    if name == "style":
        return harmless(value, pictures)
    return _address(asked, pictures, name, _BLANK.sub("", value).strip(_EDGES))


def _address(asked: Asked, pictures: Pictures, name: str, address: str) -> str | None:
    if name == "href":
        return _link(address)
    if name == "src":
        return _picture(asked, pictures, address)
    if name == "background":
        return pictures.url(address)
    for candidate in address.split(","):  # srcset: src has the same picture, and is easier to trust
        pictures.url(candidate.strip().partition(" ")[0])
    return None


def _link(address: str) -> str | None:
    if address.startswith("//"):
        address = f"https:{address}"
    return address if _LINK.match(address) else None


def _picture(asked: Asked, pictures: Pictures, address: str) -> str | None:
    scheme, _, rest = address.partition(":")
    if scheme.lower() == "cid":
        return asked.pictures.get(rest) or asked.pictures.get(unquote(rest))
    if scheme.lower() == "data":
        small = len(address) <= asked.longest_data
        return address if small and _RASTER.fullmatch(address) else None
    return pictures.url(address)
