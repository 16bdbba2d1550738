"""A mail's MIME parts to its text, its HTML and its attachments.

Of alternatives the plain text is taken, else the HTML is walked to text. Whatever is neither is an
attachment, listed with the size and the SHA-256 of its decoded bytes; the bytes themselves stay in the raw
mail.

Raises `Unreadable` past the limits on parts and depth, and what the standard library raises: `parse` is the
place that translates it.
"""

import hashlib
import re
from dataclasses import dataclass
from email.message import Message

from services.ingest.headers import text_of
from services.ingest.html_text import text_from
from services.ingest.settings import Limits
from services.ingest.text import clean, decode
from shared.domain.errors import Unreadable
from shared.domain.messages import Attachment

LONGEST_NAME = 255
LONGEST_REPORT = 64 * 1024
"""Bytes kept of a part that tells what became of another mail; what matters of it stands at its beginning."""

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset=[\"']?([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_META_WINDOW = 2048
_PATH = re.compile(r"[\\/]")


_REPORTS = ("message/rfc822", "message/global", "text/rfc822-headers", "message/feedback-report")
_STATUS = ("delivery-status", "disposition-notification")


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
    """What walking one mail finds."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._sections: list[_Section] = []
        self._parts = 0
        self.attachments: list[Attachment] = []
        self.reports: list[Report] = []
        self.decisions: list[str] = []

    def walk(self, message: "Message[str, str]") -> None:
        """Read the mail's parts; once."""
        self._sections = self._read(message, depth=1)

    def text_and_html(self) -> tuple[str, str]:
        """Both clean and within their limit; either may be empty."""
        text = "\n\n".join(text for section in self._sections if (text := section.text().strip()))
        html = "\n".join(section.html for section in self._sections if section.html)
        return self._cut("text", clean(text)), self._cut("HTML", clean(html))

    def _read(self, part: "Message[str, str]", depth: int) -> list[_Section]:
        self._parts += 1
        if self._parts > self._limits.parts:
            raise Unreadable(f"it has more parts than the limit parts={self._limits.parts}")
        if depth > self._limits.depth:
            raise Unreadable(f"its parts are nested deeper than the limit depth={self._limits.depth}")
        kind = part.get_content_type()
        if kind.startswith("multipart/"):
            return self._read_multipart(part, kind, depth)
        if kind in ("text/plain", "text/html") and not _is_file(part):
            return [self._section(part, kind)]
        data = _bytes_of(part)
        self.attachments.append(_attachment(part, kind, data))
        if kind in _REPORTS or kind.endswith(_STATUS):
            self.reports.append(Report(kind, clean(decode(data[:LONGEST_REPORT], None))))
        return []

    def _read_multipart(self, part: "Message[str, str]", kind: str, depth: int) -> list[_Section]:
        if not part.is_multipart():  # a boundary that never comes: what stands there is still read
            return [self._section(part, "text/plain")]
        found: list[_Section] = []
        for child in part.get_payload():
            if isinstance(child, Message):
                found += self._read(child, depth + 1)
        if kind == "multipart/alternative" and len(found) > 1:
            plain = "\n\n".join(section.plain for section in found if section.plain)
            return [_Section(plain, "\n".join(section.html for section in found if section.html))]
        return found

    def _section(self, part: "Message[str, str]", kind: str) -> _Section:
        data = _bytes_of(part)
        charset = part.get_content_charset()
        if kind == "text/plain":
            return _Section(plain=decode(data, charset))
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


def _is_file(part: "Message[str, str]") -> bool:
    if "content-disposition" not in part and "name" not in part.get("content-type", ""):
        return False  # most parts: told without reading any parameters
    return part.get_content_disposition() == "attachment" or bool(part.get_filename())


def _bytes_of(part: "Message[str, str]") -> bytes:
    """The part's content, its transfer encoding undone; of a mail within the mail, that mail."""
    # Not a look at the payload first: without `decode` the library trusts whatever the charset says.
    if part.is_multipart():
        return b"".join(child.as_bytes() for child in part.get_payload() if isinstance(child, Message))
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _attachment(part: "Message[str, str]", kind: str, data: bytes) -> Attachment:
    content_id = text_of(str(part.get("content-id", ""))).strip("<> ")
    return Attachment(
        filename=_file_name(part),
        content_type=clean(kind),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        content_id=content_id,
        inline=part.get_content_disposition() == "inline" or (bool(content_id) and not _is_file(part)),
    )


def _file_name(part: "Message[str, str]") -> str:
    """The name alone, without any path; empty when it has none (RFC 2183 §2.3, RFC 2231)."""
    return _PATH.split(text_of(str(part.get_filename() or "")))[-1][-LONGEST_NAME:]
