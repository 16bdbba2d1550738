"""What may stand in HTML that is shown, looked for by another parser than the one that made it."""

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from services.api.html_safe import TAGS, Asked, Safe, made_safe
from services.api.html_styles import PROPERTIES

PICTURES = {"logo@example.org": "/v1/tickets/tkt_1/messages/msg_1/attachments/1"}

_VOID = frozenset("br col hr img wbr".split())
_ATTRIBUTES = frozenset(
    """align alt background bgcolor border cellpadding cellspacing clear color colspan dir face height href
    hspace lang nowrap rel rowspan size span src start style target title type valign value vspace
    width""".split()
)
_HREF = re.compile(r"(?i)(https?://|mailto:|tel:)")
_OWN_SRC = re.compile(r"(?i)(/v1/tickets/tkt_1/|data:image/(png|jpe?g|gif|webp|bmp);base64,[a-z0-9+/=]*\Z)")
_REMOTE = re.compile(r"(?i)https?://")
_STYLE_NO = re.compile(r"(?i)\\|expression|javascript|vbscript|@|/\*|behaviou?r|-moz-binding|<|position\s*:")


class Faults(HTMLParser):
    """What should not be there, in words."""

    def __init__(self, remote: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.remote = remote
        self.found: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in TAGS:
            self.found.append(f"<{tag}>")
        if tag not in _VOID:
            self._open.append(tag)
        for name, value in attrs:
            self._look_at(name, value or "")

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open.pop() != tag:
            self.found.append(f"</{tag}> closes nothing")

    def handle_comment(self, data: str) -> None:
        self.found.append(f"comment {data}")

    def handle_decl(self, decl: str) -> None:
        self.found.append(f"declaration {decl}")

    def handle_pi(self, data: str) -> None:
        self.found.append(f"instruction {data}")

    def unknown_decl(self, data: str) -> None:
        self.found.append(f"declaration {data}")

    def _look_at(self, name: str, value: str) -> None:
        if name not in _ATTRIBUTES:
            self.found.append(f"attribute {name}")
        if name == "href" and not _HREF.match(value):
            self.found.append(f"link {value}")
        if name == "rel" and value != "noopener noreferrer nofollow":
            self.found.append(f"rel {value}")
        if name in ("src", "background") and not self._may_load(value):
            self.found.append(f"picture {value}")
        if name == "style":
            self._look_at_style(value)

    def _may_load(self, address: str) -> bool:
        return bool(_OWN_SRC.match(address) or (self.remote and _REMOTE.match(address)))

    def _look_at_style(self, style: str) -> None:
        if _STYLE_NO.search(style) or ("url(" in style.lower() and not self.remote):
            self.found.append(f"style {style}")
        for declaration in style.split(";"):
            name = declaration.partition(":")[0].strip()
            if name and name not in PROPERTIES:
                self.found.append(f"property {name}")


class Events(HTMLParser):
    """What is read, one after another; attributes have no order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[object] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, frozenset(attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


def events(html: str) -> list[object]:
    """What a browser is told by the HTML."""
    parser = Events()
    parser.feed(html)
    parser.close()
    return parser.seen


def faults(html: str, *, remote: bool = False) -> list[str]:
    """What should not be there; nothing when all is well."""
    parser = Faults(remote)
    parser.feed(html)
    parser.close()
    return parser.found + [f"<{tag}> stays open" for tag in parser._open]


def made(html: str, *, remote: bool = False, pictures: Mapping[str, str] | None = None) -> Safe:
    """What is made of it, within limits that matter to no test of it."""
    safe = made_safe(Asked(html, pictures or {}, remote, longest_data=1000, longest=100_000_000))
    assert safe is not None
    return safe


def shown(html: str, *, remote: bool = False) -> Safe:
    """The HTML as a mail's would be shown, and looked at."""
    safe = made(html, remote=remote, pictures=PICTURES)
    assert faults(safe.html, remote=remote) == [], safe.html
    return safe
