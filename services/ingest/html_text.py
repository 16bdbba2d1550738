"""HTML to text, block by block, for mails that have no text of their own. Never raises.

The walk keeps line ends where a reader sees them, list marks, and the words of links; it leaves out scripts,
styles and what is hidden. It is for reading and classifying; showing the mail is another matter.

Time is linear in the markup, whatever it is: the standard library's parser looks for the end of every tag
that has none through the whole rest of the mail (a quarter megabyte of `<a ` keeps it for minutes).
"""

import re
from collections.abc import Iterator
from html import unescape

MOST_CHARS = 1024 * 1024
"""Beyond it the markup is cut off."""

_BLOCKS = frozenset(
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer"
    " form h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section summary table tbody tfoot thead"
    " tr ul".split()
)
_APART = frozenset("p h1 h2 h3 h4 h5 h6 ul ol table blockquote pre".split())
_UNSEEN = frozenset("head noscript object select svg template".split())
_ENDS_OF_RAW = {
    name: re.compile(f"</{name}", re.IGNORECASE) for name in ("script", "style", "textarea", "title")
}
_NAMED = re.compile(r"(/?)([A-Za-z][A-Za-z0-9:-]*)")
_HIDDEN = re.compile(
    r"\shidden(?![\w-])|display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all"
    r"|max-height\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])",
    re.IGNORECASE,
)
_HIDEABLE = _BLOCKS | {"span", "font"}
_SPACES = re.compile(r"[ \t\r\n\f\xa0]{2,}|[\t\r\n\f\xa0]")  # one space stays: most are
_EDGES = re.compile(r"\v[ \v]*")
_LINES = re.compile(r"\v?\n[ \v]*")
_GAPS = re.compile(r"\n{3,}")

_EDGE = "\v"
"""The edge of a block: one line end, however many blocks end there."""


def text_from(html: str) -> str:
    """What a reader would see."""
    walk = _Walk()
    for tag, written in pieces(html[:MOST_CHARS]):
        if tag is None:
            walk.text(unescape(written))
        elif tag.startswith("/"):
            walk.end(tag[1:])
        else:
            walk.start(tag, written)
    return walk.result()


def pieces(html: str) -> Iterator[tuple[str | None, str]]:
    """Tags (`name` or `/name`, with what stands in them) and, under None, the text between them, in order."""
    position = 0
    while (opened := html.find("<", position)) >= 0:
        if opened > position:
            yield None, html[position:opened]
        named = _NAMED.match(html, opened + 1)
        if named is None and html[opened + 1 : opened + 2] not in ("!", "?"):
            yield None, "<"
            position = opened + 1
            continue
        end = html.find("-->" if html.startswith("<!--", opened) else ">", opened)
        if end < 0:
            position = opened
            break
        position = html.index(">", end) + 1
        if named is not None:
            name = named[2].lower()
            yield named[1] + name, html[named.end() : end]
            if not named[1] and name in _ENDS_OF_RAW:
                closed = _ENDS_OF_RAW[name].search(html, position)
                position = closed.start() if closed is not None else len(html)
    yield None, html[position:]


class _Walk:
    def __init__(self) -> None:
        self._out: list[str] = []
        self._unseen = ""
        self._depth = 0
        self._pre = 0

    def start(self, tag: str, written: str) -> None:
        if self._unseen:
            self._depth += tag == self._unseen
        elif tag in ("br", "hr"):
            self._out.append("\n")
        elif tag in _UNSEEN or (tag in _HIDEABLE and _is_hidden(tag, written)):
            self._unseen, self._depth = tag, 1
        else:
            self._pre += tag == "pre"
            self._edge(tag)
            if tag == "li":
                self._out.append("- ")
            elif tag in ("td", "th"):
                self._out.append(" ")

    def end(self, tag: str) -> None:
        if self._unseen:
            self._depth -= tag == self._unseen
            if self._depth == 0:
                self._unseen = ""
            return
        if tag == "pre":
            self._pre = max(0, self._pre - 1)
        self._edge(tag)

    def text(self, text: str) -> None:
        if not self._unseen:
            self._out.append(text if self._pre else _SPACES.sub(" ", text))

    def result(self) -> str:
        text = _LINES.sub("\n", _EDGES.sub(_EDGE, "".join(self._out))).replace(_EDGE, "\n")
        return _GAPS.sub("\n\n", "\n".join(line.strip() for line in text.split("\n"))).strip()

    def _edge(self, tag: str) -> None:
        if tag in _BLOCKS:
            self._out.append("\n\n" if tag in _APART else _EDGE)


def _is_hidden(tag: str, written: str) -> bool:
    """The end tags of `p` and `li` may be missing, so these hide nothing: better too much text than none."""
    return tag not in ("p", "li", "body", "html") and _HIDDEN.search(written) is not None
