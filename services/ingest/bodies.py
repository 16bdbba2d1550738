"""A mail's MIME parts to its text, its HTML and its attachments.

Of alternatives the plain text is taken, else the HTML is walked to text. Whatever is neither is an
attachment, listed with the size and the SHA-256 of its decoded bytes; the bytes themselves stay in the raw
mail. A mail within the mail is an attachment; its text is read when the mail around it has none.

Raises `Unreadable` past the limits on parts and depth, and what the standard library raises: `parse` is the
place that translates it.
"""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import unquote

from services.ingest.file_names import file_name, written_name
from services.ingest.flowed import unflowed
from services.ingest.headers import text_of
from services.ingest.html_text import text_from
from services.ingest.mime import Part, bytes_of, inner_mail, parts_in
from services.ingest.settings import Limits
from services.ingest.text import clean, decode
from services.ingest.tnef import files_in
from shared.domain.errors import Unreadable
from shared.domain.messages import Attachment, Place
from shared.domain.transfer import decoded, encoding_of

LONGEST_REPORT = 64 * 1024
"""Bytes kept of a part that tells what became of another mail; what matters of it stands at its beginning."""

LONGEST_ATTACHED = 16 * 1024
"""Bytes kept of a text file."""

MOST_ATTACHED = 20
"""Text files of which the beginning is kept."""

_META_CHARSET = re.compile(
    rb"<meta[^>]{0,200}charset\s{0,3}=\s{0,3}(?:[\"']|&quot;)?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE
)
_META_WINDOW = 2048
_REFERRED = re.compile(r"\bcid:([^\s\"'<>)]{1,500})", re.IGNORECASE)
_MOST_TOLD = 20
"""Names that a decision tells."""


_REPORTS = (
    "message/rfc822",
    "message/global",
    "message/partial",
    "text/rfc822-headers",
    "text/rfc822-header",
    "text/rfc822",
    "message/feedback-report",
    "text/calendar",
)
_STATUS = ("delivery-status", "disposition-notification")
_TEXTS = ("text/plain", "text/html")
_OTHER_TEXTS = {
    "text/markdown": False,
    "text/x-markdown": False,
    "text/enriched": True,
    "text/richtext": True,
}
"""Texts that are read when there is none of the usual ones, and whether they have tags."""
_INNER = ("message/rfc822", "message/global")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


@dataclass(frozen=True, slots=True)
class Report:
    """A part that tells of another mail: what became of it, or that mail itself or its headers, as text."""

    content_type: str
    text: str


@dataclass(slots=True)
class _Section:
    """A stretch of the mail that is read; both when it is there in either form."""

    plain: str = ""
    html: str = ""

    def text(self) -> str:
        return self.plain if self.plain.strip() else text_from(self.html)


class Bodies:
    """What walking one mail finds.

    `cut_off` bytes of the mail as it is kept stand before what is walked; None: it is not that mail's bytes.
    """

    def __init__(self, limits: Limits, cut_off: int | None = None) -> None:
        self._limits = limits
        self._cut_off = cut_off
        self._sections: list[_Section] = []
        self._parts = 0
        self._inner: list[tuple[Part, int]] = []
        self._others: list[tuple[Part, str]] = []
        self.attachments: list[Attachment] = []
        self.reports: list[Report] = []
        self.attached: list[str] = []
        self.decisions: list[str] = []

    def walk(self, mail: Part) -> None:
        """Read the mail's parts; once."""
        sections = self._read(mail, depth=1)
        if (self._others or self._inner) and not any(section.text().strip() for section in sections):
            sections = self._of_others() or self._of_inner()
        self._sections = sections
        self._tell_inline()

    def _tell_inline(self) -> None:
        """A file without an id is shown by nothing: whatever its disposition says, it is to be offered."""
        if not self.attachments:
            return
        referred = {unquote(one) for section in self._sections for one in _REFERRED.findall(section.html)}
        for one in self.attachments:
            one.inline = bool(one.content_id) and (one.inline or one.content_id in referred)

    def _of_others(self) -> list[_Section]:
        """What the first text of an unusual type says; it stays listed as a file."""
        for part, kind in self._others[:1]:
            self.decisions.append(f"it has no text of a usual type: this is its {kind}")
            text = decode(bytes_of(part), part.head.get_content_charset())
            return [_Section(plain=text_from(text) if _OTHER_TEXTS[kind] else text)]
        return []

    def _of_inner(self) -> list[_Section]:
        """What the first mail within the mail says; its files are that mail's, which is listed itself."""
        known = (self.attachments, self.reports)
        sections: list[_Section] = []
        for part, depth in self._inner:  # which grows while these are read
            self.attachments, self.reports = [], []
            sections = self._read(inner_mail(part), depth + 1)
            if any(section.text().strip() for section in sections):
                self.decisions.append("it has no text of its own: this is the text of the mail within it")
                break
        self.attachments, self.reports = known
        return sections

    def text_and_html(self) -> tuple[str, str]:
        """Both clean and within their limit; either may be empty."""
        text = "\n\n".join(text for section in self._sections if (text := section.text().strip()))
        html = "\n".join(section.html for section in self._sections if section.html)
        return self._cut("text", clean(text)), self._cut("HTML", clean(html))

    def _read(self, part: Part, depth: int) -> list[_Section]:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise Unreadable(f"it has more parts than the limit parts={self._limits.parts}")
        if depth > self._limits.depth:
            raise Unreadable(f"its parts are nested deeper than the limit depth={self._limits.depth}")
        kind = part.head.get_content_type()
        if kind.startswith("multipart/"):
            return self._read_multipart(part, kind, depth)
        if kind in _TEXTS and not _is_file(part):
            return [self._section(part, kind)]
        if kind in _OTHER_TEXTS and not _is_file(part):
            self._others.append((part, kind))
        data = self._attach(part, kind)
        if kind in _REPORTS or kind.endswith(_STATUS):
            self.reports.append(Report(kind, clean(decode(data[:LONGEST_REPORT], None))))
        if kind in _TEXTS and len(self.attached) < MOST_ATTACHED:
            text = decode(data[:LONGEST_ATTACHED], part.head.get_content_charset())
            self.attached.append(clean(text if kind == "text/plain" else text_from(text)))
        if kind in _INNER:
            self._inner.append((part, depth))
        elif kind in _TNEF:
            self._tell_tnef(data)
        return []

    def _attach(self, part: Part, kind: str) -> bytes:
        """List the part as a file, and give its bytes; by the decoder that its download goes through, too."""
        body = part.raw[part.begin : part.end]
        encoding = encoding_of(str(part.head.get("content-transfer-encoding", "")), body)
        data = decoded(body, encoding)
        place = None
        if self._cut_off is not None:
            place = Place(begin=self._cut_off + part.begin, end=self._cut_off + part.end, encoding=encoding)
        self.attachments.append(_attachment(part, kind, data, place))
        return data

    def _tell_tnef(self, data: bytes) -> None:
        """Outlook's own container is not opened for anybody; what it holds is told."""
        held = ", ".join(f"{text_of(name)} ({size} bytes)" for name, size in files_in(data)[:_MOST_TOLD])
        if held:
            self.decisions.append(f"a file in Outlook's own format (TNEF) holds: {held}")

    def _read_multipart(self, part: Part, kind: str, depth: int) -> list[_Section]:
        found: list[_Section] = []
        before = self._parts
        for child in parts_in(part):
            found += self._read(child, depth + 1)
        if self._parts == before:  # a boundary that never comes: what stands there is still read
            return [self._section(part, "text/plain")]
        if kind == "multipart/alternative" and len(found) > 1:
            plain = "\n\n".join(section.plain for section in found if section.plain)
            return [_Section(plain, "\n".join(section.html for section in found if section.html))]
        return found

    def _section(self, part: Part, kind: str) -> _Section:
        data = bytes_of(part)
        charset = part.head.get_content_charset()
        if kind == "text/plain":
            return _Section(plain=_flowing(part, decode(data, charset)))
        if charset is None and (named := _META_CHARSET.search(data[:_META_WINDOW])):
            charset = named[1].decode("ascii")
        return _Section(html=decode(data, charset))

    def _cut(self, name: str, text: str) -> str:
        if len(text) <= self._limits.text_chars:
            return text
        self.decisions.append(
            f"the {name} was cut at {self._limits.text_chars} of {len(text)} characters (text_chars)"
        )
        return text[: self._limits.text_chars]


def _is_file(part: Part) -> bool:
    if "content-disposition" not in part.head and "name" not in part.head.get("content-type", ""):
        return False  # most parts: told without reading any parameters
    return part.head.get_content_disposition() == "attachment" or bool(written_name(part.head))


def _flowing(part: Part, text: str) -> str:
    """The text, its lines put together again when the part says that they were broken (RFC 3676)."""
    if "flowed" not in str(part.head.get("content-type", "")).lower():
        return text
    if str(part.head.get_param("format", "")).strip().lower() != "flowed":
        return text
    return unflowed(clean(text), str(part.head.get_param("delsp", "")).strip().lower() == "yes")


def _attachment(part: Part, kind: str, data: bytes, place: Place | None) -> Attachment:
    content_id = text_of(str(part.head.get("content-id", ""))).strip("<> ")
    return Attachment(
        filename=file_name(part.head),
        content_type=clean(kind),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content_id=content_id,
        inline=part.head.get_content_disposition() == "inline" or (bool(content_id) and not _is_file(part)),
        place=place,
    )
