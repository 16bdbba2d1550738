"""A mail's bytes to its parts, found when they are asked for. Pure.

The standard library reads the heads under `compat32` (`policy.default` is six times slower and quadratic in
address headers, cpython#136063) and undoes transfer encodings; the boundaries are found here, in the raw
bytes: the library goes through a mail line by line, which takes 10 s for 50 MB. Nothing is copied before the
content of a part is asked for.

Mended is what senders break: heads (mime_heads.py), what describes a part (mime_fields.py), a boundary that
is not the one announced, or that stands behind the last line's text, base64 of several pieces, a mail within
the mail that is encoded (RFC 2046 §5.2.1 forbids it).

Raises what the library raises on hostile bytes; `parse` is the place that translates it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import Compat32
from typing import TYPE_CHECKING

from services.ingest.mime_fields import parameter, plain_encoding, plain_parameters, plain_type
from services.ingest.mime_heads import head_of, mended
from shared.domain.transfer import decoded

if TYPE_CHECKING:
    from email.message import Message

LONGEST_PART_HEAD = 64 * 1024
"""Bytes that are read of the head of a part; that of the mail itself has its own limit."""

_LONGEST_PARAMETERS = 8192
_PIECE = re.compile(rb"[^=]+={0,2}")
_BASE64_AND_SPACE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r\n"
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*(?:\r?\n|\r?\Z)")
_ANY_BOUNDARY = re.compile(
    rb"^--([^\s-][^\r\n]{0,68}?)[ \t]*\r?\n(?=content-[\w-]{4,30}:)", re.IGNORECASE | re.MULTILINE
)


_MENDED: Mapping[str, Callable[[str], str]] = {
    "type": lambda value: plain_parameters(plain_type(value)),
    "disposition": plain_parameters,
    "transfer-encoding": plain_encoding,
}
"""How what describes a part is written as the library takes it, by what follows `Content-`."""


class _Guarded(Compat32):
    """As `compat32`, with two differences.

    What describes a part is cut: the library reads parameters in quadratic time. And bytes that no charset
    was declared for stay in fields as surrogates, for us to decode.
    """

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        if name[:8].lower() == "content-":
            value = value[:_LONGEST_PARAMETERS]
            mend = _MENDED.get(name[8:].lower())
            value = mend(value) if mend is not None else value
        return name, value

    def header_fetch_parse(self, name: str, value: str) -> str:  # noqa: ARG002 (the library's signature)
        return value


_PARSER = BytesParser(policy=_Guarded())


@dataclass(frozen=True, slots=True)
class Part:
    """A head, and the stretch of `raw` that is its body."""

    head: "Message[str, str]"
    raw: bytes
    begin: int
    end: int


def whole(raw: bytes) -> Part:
    """The mail as one part, which may hold others."""
    return _part(raw, 0, len(raw), len(raw))


def parts_in(part: Part) -> Iterator[Part]:
    """The parts of a multipart, by the boundary announced, else by what looks like one; maybe none."""
    boundary = _announced(part)
    if not boundary or part.raw.find(boundary, part.begin, part.end) < 0:
        found = _ANY_BOUNDARY.search(part.raw, part.begin, part.end)
        if found is None:
            return
        boundary = b"--" + found[1]
    default = "message/rfc822" if part.head.get_content_type() == "multipart/digest" else "text/plain"
    begin = -1
    for start, after, last in _delimiters(part, boundary):
        if begin >= 0:
            yield _part(part.raw, begin, _before_line_end(part.raw, begin, start), LONGEST_PART_HEAD, default)
        begin = after
        if last:
            return
    if begin >= 0:
        yield _part(part.raw, begin, _unclosed_end(part, begin, boundary), LONGEST_PART_HEAD, default)


def inner_mail(part: Part) -> Part:
    """The mail that a message/rfc822 part holds."""
    return whole(mended(bytes_of(part)))


def bytes_of(part: Part) -> bytes:
    """The part's content, its transfer encoding undone."""
    body = part.raw[part.begin : part.end]
    encoding = part.head.get("content-transfer-encoding")
    if not encoding:
        return body
    if encoding.lower() == "base64" and (pieces := _pieces(body)):
        return b"".join(decoded(piece, "base64") for piece in pieces)
    part.head.set_payload(body.decode("ascii", "surrogateescape"))
    data = part.head.get_payload(decode=True)
    part.head.set_payload("")
    return data if isinstance(data, bytes) else b""


def _pieces(body: bytes) -> list[bytes]:
    """The pieces that some programs encode one by one, of which the library reads the first; empty when it is
    all one, or when something else stands there as well."""
    if b"=" not in body.rstrip(b"= \t\r\n") or body.translate(None, _BASE64_AND_SPACE):
        return []
    pieces = _PIECE.findall(body.translate(None, b" \t\r\n"))
    return pieces if all(len(piece) % 4 == 0 for piece in pieces[:-1]) else []


def _part(raw: bytes, begin: int, end: int, longest_head: int, default: str = "text/plain") -> Part:
    head, body = head_of(raw, begin, end, longest_head)
    message = _PARSER.parsebytes(head, headersonly=True)
    message.set_payload("")
    message.set_default_type(default)
    return Part(message, raw, body, end)


def _announced(part: Part) -> bytes:
    boundary = parameter(part.head, "content-type", "boundary").rstrip()
    return b"--" + boundary.encode("utf-8", "surrogateescape") if boundary else b""


def _delimiters(part: Part, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """Where each line that is a boundary begins and ends, and whether it is the closing one."""
    raw, at = part.raw, part.raw.find(boundary, part.begin, part.end)
    while at >= 0:
        after = _AFTER_BOUNDARY.match(raw, at + len(boundary), part.end)
        if after is not None and (at == part.begin or raw[at - 1 : at] == b"\n"):
            yield at, after.end(), after[1] is not None
        at = raw.find(boundary, at + len(boundary), part.end)


def _unclosed_end(part: Part, begin: int, boundary: bytes) -> int:
    """Where the last part ends that no boundary closes: some programs write no line end before it."""
    last = part.raw[max(begin, part.end - len(boundary) - 10) : part.end].rstrip()
    return part.raw.rindex(boundary, begin, part.end) if last.endswith(boundary + b"--") else part.end


def _before_line_end(raw: bytes, begin: int, at: int) -> int:
    """The line end before a boundary belongs to the boundary (RFC 2046 §5.1.1)."""
    if raw[at - 2 : at] == b"\r\n":
        return max(begin, at - 2)
    return max(begin, at - 1)
