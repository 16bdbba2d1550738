"""Undoing the transfer encoding of a part of a mail (RFC 2045 §6), piece by piece in bounded memory. Pure.

Never raises: what is broken is decoded as far as it goes. The result does not depend on how the bytes were
cut into pieces, so what intake weighs as a whole is what a download streams.
"""

import binascii
import re
from abc import ABC, abstractmethod
from typing import Literal, Protocol

Encoding = Literal["", "base64", "quoted-printable", "uuencode"]
"""Empty: the bytes stand as they are (7bit, 8bit, binary, and whatever nobody knows)."""

LONGEST_LINE = 512 * 1024
"""Bytes; a longer line is decoded as several, so that none has to be held whole."""

_STEP = 256 * 1024
_NOT_BASE64 = bytes(
    set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")
)
_WHOLE_PADDING = b"=="
_UU_BEGIN = re.compile(rb"^begin [0-7]{1,6} ", re.MULTILINE)
_UU_NAMES = frozenset({"x-uuencode", "uuencode", "uue", "x-uue"})


class Decoder(Protocol):
    """Undoes one encoding, once, from its beginning to its end."""

    def feed(self, data: bytes) -> bytes:
        """What the next bytes stand for, as far as that is known by now."""
        ...

    def finish(self) -> bytes:
        """What was still held back; after the last `feed`."""
        ...


def encoding_of(named: str, body: bytes) -> Encoding:
    """The encoding that a Content-Transfer-Encoding names for this body."""
    name = named.strip().lower()
    if name == "base64":
        return "base64"
    if name == "quoted-printable":
        return "quoted-printable"
    return "uuencode" if name in _UU_NAMES and _UU_BEGIN.search(body) else ""


def decoder(encoding: Encoding) -> Decoder:
    """A new one."""
    if encoding == "base64":
        return _Base64()
    if encoding == "quoted-printable":
        return _QuotedPrintable()
    return _Uuencode() if encoding == "uuencode" else _Identity()


def decoded(data: bytes, encoding: Encoding) -> bytes:
    """All of it at once."""
    if not encoding:
        return data
    undoing = decoder(encoding)
    return undoing.feed(data) + undoing.finish()


class _Identity:
    def feed(self, data: bytes) -> bytes:
        return data

    def finish(self) -> bytes:
        return b""


class _Base64:
    """What is not of the alphabet is left out, and what follows the padding is, as mail programs do."""

    def __init__(self) -> None:
        self._waiting = b""
        self._ended = False

    def feed(self, data: bytes) -> bytes:
        if self._ended:
            return b""
        text = self._waiting + data.translate(None, _NOT_BASE64)
        digits, padding = _up_to_padding(text) if b"=" in text else (text, b"")
        if padding == _WHOLE_PADDING:
            self._ended = True
            return _of_digits(digits)
        whole = len(digits) - len(digits) % 4
        self._waiting = digits[whole:] + padding
        return binascii.a2b_base64(digits[:whole])

    def finish(self) -> bytes:
        return b"" if self._ended else _of_digits(self._waiting.rstrip(b"="))


def _up_to_padding(text: bytes) -> tuple[bytes, bytes]:
    """The digits before the padding; then `_WHOLE_PADDING`, or a `=` that may be half of it, or nothing."""
    runs = text.split(b"=")
    digits = bytearray(runs[0])
    for number, run in enumerate(runs[1:], start=1):
        filled, last = len(digits) % 4, number == len(runs) - 1
        if filled == 2 and not run and last:
            return bytes(digits), b"="
        if filled == 3 or (filled == 2 and not run):
            return bytes(digits), _WHOLE_PADDING
        digits += run  # a `=` in any other place means nothing
    return bytes(digits), b""


def _of_digits(digits: bytes) -> bytes:
    """A single digit at the end stands for nothing whole."""
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


class _Lines(ABC):
    """Hands on whole lines; one that is longer than `LONGEST_LINE` in pieces of that length."""

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> bytes:
        return b"".join(self._fed(data[start : start + _STEP]) for start in range(0, len(data), _STEP))

    def finish(self) -> bytes:
        return self.undone(self._waiting)

    @abstractmethod
    def undone(self, lines: bytes) -> bytes:
        """These lines, decoded."""

    def _fed(self, data: bytes) -> bytes:
        text = self._waiting + data
        long = b""
        while len(text) >= LONGEST_LINE and text.find(b"\n", 0, LONGEST_LINE) < 0:
            long += self.undone(text[:LONGEST_LINE])
            text = text[LONGEST_LINE:]
        cut = text.rfind(b"\n") + 1
        self._waiting = text[cut:]
        return long + self.undone(text[:cut])


class _QuotedPrintable(_Lines):
    """Nothing in it reaches over a line end (RFC 2045 §6.7)."""

    def undone(self, lines: bytes) -> bytes:
        return binascii.a2b_qp(lines)


class _Uuencode(_Lines):
    """The lines between `begin` and `end`; a line that makes no sense is left out."""

    def __init__(self) -> None:
        super().__init__()
        self._state: Literal["before", "within", "after"] = "before"

    def undone(self, lines: bytes) -> bytes:
        return b"".join(self._line(line) for line in lines.split(b"\n") if line)

    def _line(self, line: bytes) -> bytes:
        if self._state == "before":
            if _UU_BEGIN.match(line):
                self._state = "within"
            return b""
        if self._state == "within" and line.strip() == b"end":
            self._state = "after"
        return _of_uu(line) if self._state == "within" else b""


def _of_uu(line: bytes) -> bytes:
    """Some encoders write more characters than the line's length asks for."""
    line = line.rstrip(b"\r")
    try:
        return binascii.a2b_uu(line)
    except binascii.Error:
        needed = (((line[0] - 32) & 63) * 4 + 5) // 3 if line else 0
        try:
            return binascii.a2b_uu(line[: needed + 1])
        except binascii.Error:
            return b""
