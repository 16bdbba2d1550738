"""Which lines of a mail's text are quoted or signature, by the structure of its HTML. Pure, never raises.

Mail clients wrap what they quote in elements that say so; in HTML there is no `>` to tell it by. The markup
is cut into stretches at those elements, each stretch is walked to text, and the lines of the mail's text are
matched to them. Where the mail has a plain text of its own that differs from the HTML, the place where the
first quote begins is looked for in it; when it is not found, nothing is known.

Time is linear in the markup.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape

from services.ingest.html_text import MOST_CHARS, pieces, text_from
from services.ingest.quotes import is_marked, openings, unmarked


class Role(StrEnum):
    """What an element is, or a stretch of text."""

    OWN = "own"
    QUOTE = "quote"
    SIGNATURE = "signature"
    CONTAINER = "container"
    """Attribution and quote together; answers stand in it after the quotes."""
    TO_END = "to end"
    """From here on everything is quoted."""


_NAMES = {
    Role.QUOTE: (
        "moz-cite-prefix",
        "gmail_attr",
        "protonmail_quote_header",
        "yahoo_quoted_header",
        'id="reply-intro"',
    ),
    Role.CONTAINER: (
        "gmail_quote",
        "yahoo_quoted",
        "protonmail_quote",
        "tutanota_quote",
        "zmail_extra",
        "moz-forward-container",
        "front-blockquote",
        "freshdesk_quote",
        "mailbird_quote",
        "hs_reply",
        'name="quote"',
        "quoted-mail",
        "messagereplysection",
    ),
    Role.TO_END: (
        "olk_src_body_section",
        "outlookmessageheader",
        "divrplyfwdmsg",
        "appendonsend",
        "stopspelling",
        "mail-editor-reference-message-container",
        "ms-outlook-mobile-reference-message",
        "zwchr",
        "isforwardcontent",
        "isreplycontent",
        "__divider__",
    ),
    Role.SIGNATURE: (
        "gmail_signature",
        "moz-signature",
        "protonmail_signature",
        "ms-outlook-mobile-signature",
        "zmail_signature",
        "applemailsignature",
        'id="signature"',
        "data-signature-widget",
        "tutanota_signature",
        "messagesignaturesection",
        "data-signatureblock",
        'id="_rc_sig"',
    ),
}
_ROLES = {name: role for role, names in _NAMES.items() for name in names}
_NAMED = re.compile("|".join(re.escape(name) for name in sorted(_ROLES, key=len, reverse=True)))
_CITE = re.compile(r"type\s*=\s*[\"']?cite|class\s*=\s*[\"'][^\"']{0,80}(?:gmail_quote|protonmail_quote)")
_BORDER_ABOVE = re.compile(
    r"border-top:\s?solid\s?#?\w{3,10}\s?1\.0pt;\s?padding:\s?3\.0pt"
    r"|border-top-color:\s?rgb\(229, 229, 229\);\s?border-top-width:\s?1px;\s?border-top-style:\s?solid"
)
"""The line that Outlook and Windows Mail draw above what they quote."""
_INDENT = re.compile(r"margin:\s?0(?:px)? 0(?:px)? 0(?:px)? \d{2}px;\s?border:\s?(?:medium )?none")
"""How writers indent their own words: one client uses the element of its quotes for it."""
_SAYS_QUOTE = re.compile(
    r"border-(?:left|inline-start)[\w-]{0,6}:\s?(?!none|medium none|0)"
    r"|(?:class|id)\s*=\s*[\"']?[^\"'>]{0,80}(?:quot|cite|repl)"
)
"""A line drawn beside it, or a name."""
_SPACES = re.compile(r"[ \t\r\f\xa0]+")
_HINTS = (*_ROLES, "blockquote", "border-top")

_LONGEST_ATTRIBUTES = 1000
_ELEMENTS = frozenset("div blockquote section article table td pre span hr".split())
_BREAKS = _ELEMENTS - {"span"} | frozenset("br p li tr ul ol".split())
_VOID = frozenset({"hr"})
_AHEAD = 60
_MOST_LOOKS = 200
_LAST_WORDS = 300
_NEEDLE = 80
_SHORTEST_NEEDLE = 12


def roles(lines: Sequence[str], html: str) -> list[Role] | None:
    """The role of each line of the mail's text: own, quote or signature. None when the HTML does not tell."""
    markup = html.lower()
    if not any(hint in markup for hint in _HINTS):
        return None
    stretches = [(role, "".join(text_from(part).split())) for role, part in _stretches(html)]
    stretches = [(role, text) for role, text in stretches if text]
    if all(role is Role.OWN for role, _ in stretches):
        return None
    if "".join(text for _, text in stretches) == "".join("".join(line.split()) for line in lines):
        return _matched(lines, stretches)
    return _found(lines, stretches)


def _matched(lines: Sequence[str], stretches: Sequence[tuple[Role, str]]) -> list[Role]:
    """The roles where the text is that of the stretches; a line with anything of its own is own."""
    found: list[Role] = []
    current, left = 0, len(stretches[0][1])
    for line in lines:
        size = sum(map(len, line.split()))
        seen: Role | None = None
        while size > 0:
            if left == 0:
                current += 1
                left = len(stretches[current][1])
            role = stretches[current][0]
            seen = role if seen in (None, role) else Role.OWN
            taken = min(size, left)
            size, left = size - taken, left - taken
        found.append(seen or Role.OWN)
    return found


def _found(lines: Sequence[str], stretches: Sequence[tuple[Role, str]]) -> list[Role] | None:
    """The roles in another text of the same mail, if all that comes after the first quote is quoted."""
    first = next((at for at, (role, _) in enumerate(stretches) if role is Role.QUOTE), len(stretches))
    rest = stretches[first:]
    if not rest or any(role is Role.OWN for role, _ in rest):
        return None
    needle = "".join(text for _, text in rest)[:_NEEDLE]
    if len(needle) < _SHORTEST_NEEDLE:
        return None
    bare = ["".join((unmarked(line) if is_marked(line) else line).split()) for line in lines]
    place = "".join(bare).find(needle)
    offset = 0
    for at, text in enumerate(bare):
        if offset == place and text:
            return [Role.OWN] * at + [Role.QUOTE] * (len(lines) - at)
        offset += len(text)
    return None


_Piece = tuple[str | None, str]


@dataclass(slots=True)
class _Open:
    tag: str
    role: Role | None
    quoted_within: bool = False


@dataclass(slots=True)
class _Reader:
    """Goes through the markup, and cuts it where the role changes."""

    stretches: list[tuple[Role, list[str]]] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)
    counts: "Counter[str]" = field(default_factory=Counter)
    marked: "Counter[Role]" = field(default_factory=Counter)
    container: _Open | None = None
    to_end: bool = False
    last_words: str = ""
    looks: int = 0

    def start(self, tag: str, written: str, ahead: Sequence[_Piece]) -> None:
        """An element begins; `ahead`: some of what comes next, for those that may quote."""
        role = self._role_of(tag, written[:_LONGEST_ATTRIBUTES].lower(), ahead)
        if role is Role.TO_END:
            self.to_end = True
        if tag in _VOID:
            return
        if role is Role.CONTAINER and (self.container is not None or self.marked[Role.QUOTE]):
            role = Role.QUOTE  # that of a mail which is quoted itself
        opened = _Open(tag, role)
        if role is Role.CONTAINER:
            self.container = opened
        if role is not None:
            self.marked[role] += 1
        self.open.append(opened)
        self.counts[tag] += 1

    def end(self, tag: str) -> None:
        if not self.counts[tag]:
            return
        while True:
            closed = self.open.pop()
            self.counts[closed.tag] -= 1
            self._leave(closed)
            if closed.tag == tag:
                return

    def add(self, markup: str) -> None:
        role = self._now()
        if not self.stretches or self.stretches[-1][0] is not role:
            self.stretches.append((role, []))
        self.stretches[-1][1].append(markup)

    def said(self, words: str) -> None:
        """Words, or the end of a line, as far as they may lead up to a quote."""
        self.last_words = (self.last_words + _SPACES.sub(" ", words))[-_LAST_WORDS:]

    def _leave(self, closed: _Open) -> None:
        if closed.role is not None:
            self.marked[closed.role] -= 1
        if closed is self.container:
            self.container = None
        elif self.container is not None and closed.role is Role.QUOTE and closed.tag == "blockquote":
            self.container.quoted_within = not self.marked[Role.QUOTE]

    def _now(self) -> Role:
        if self.to_end or self.marked[Role.QUOTE]:
            return Role.QUOTE
        if self.container is not None and not self.container.quoted_within:
            return Role.QUOTE
        return Role.SIGNATURE if self.marked[Role.SIGNATURE] else Role.OWN

    def _role_of(self, tag: str, attributes: str, ahead: Sequence[_Piece]) -> Role | None:
        if tag == "blockquote":
            return Role.QUOTE if self._is_quote(attributes, ahead) else None
        if not attributes:
            return None
        named = _NAMED.search(attributes)
        if named is not None:
            return _ROLES[named[0]]
        return Role.TO_END if tag == "div" and _BORDER_ABOVE.search(attributes) else None

    def _is_quote(self, attributes: str, ahead: Sequence[_Piece]) -> bool:
        """Whether a blockquote quotes a mail: writers use the element too, to indent their own words.

        It does if it says so, has another in it, or an attribution above or at its beginning.
        """
        if _INDENT.search(attributes):
            return False
        self.looks += 1
        if _CITE.search(attributes) or _SAYS_QUOTE.search(attributes) or self.marked[Role.QUOTE]:
            return True
        if self.container is not None:
            return True
        return self.looks <= _MOST_LOOKS and (_is_opened(self.last_words) or _begins_quote(ahead))


def _is_opened(words: str) -> bool:
    """Whether the last of these lines open a quote."""
    lines = words.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    found = openings(lines, [False] * len(lines))
    return bool(found) and found[-1].end == len(lines)


def _begins_quote(ahead: Sequence[_Piece]) -> bool:
    """Whether what stands in the element begins like a quoted mail, or quotes again."""
    words = ""
    for tag, written in ahead:
        if tag is None:
            words += written[:_LAST_WORDS].replace("\n", " ")
        elif tag == "/blockquote":
            break
        elif tag == "blockquote":
            return True
        elif tag.removeprefix("/") in _BREAKS:
            words += "\n"
    lines = [
        " ".join(line.split()) for line in unescape(words[: 2 * _LAST_WORDS]).split("\n") if line.strip()
    ]
    found = openings(lines, [False] * len(lines))
    return bool(found) and found[0].start == 0


def _stretches(html: str) -> list[tuple[Role, str]]:
    reader = _Reader()
    read = list(pieces(html[:MOST_CHARS]))
    for at, (tag, written) in enumerate(read):
        if tag is None:
            reader.add(written)
            reader.said(unescape(written[-_LAST_WORDS:].replace("\n", " ")))
            continue
        if tag.removeprefix("/") in _BREAKS:
            reader.said("\n")
        if tag.startswith("/"):
            reader.add(f"<{tag}>")
            if tag[1:] in _ELEMENTS:
                reader.end(tag[1:])
        else:
            if tag in _ELEMENTS:
                reader.start(tag, written, read[at + 1 : at + 1 + _AHEAD] if tag == "blockquote" else ())
            reader.add(f"<{tag}{written}>")
    return [(role, "".join(parts)) for role, parts in reader.stretches]
