"""A letter as the bytes that go to the relay: RFC 5322, MIME, CRLF, seven bits. Pure.

The header block is parsed again by the standard library before anything is sent, and must hold the names we
wrote, in their order and no others: a letter that fails it is not sent. The same letter always gives the same
bytes, so a second try is the same mail.

Raises `Invalid` for a letter that cannot be written: an impossible address, a header that would not hold.
"""

import base64
import binascii
import re
from email.errors import MultipartInvariantViolationDefect
from email.parser import BytesHeaderParser
from email.utils import format_datetime

from services.notify import headers
from services.notify.ports import Mail
from shared.domain import loop_mark
from shared.domain.errors import Invalid
from shared.domain.letters import Letter

LONGEST_SUBJECT = 200
LONGEST_NAME = 100

_PARSER = BytesHeaderParser()
_BODY_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LINE_END = re.compile("\r\n|\r|\n")


def built(letter: Letter, secret: bytes) -> Mail:
    """The mail of a letter; `secret` signs the loop mark."""
    sender = headers.checked_address(letter.sender.address)
    recipient = headers.checked_address(letter.to.address)
    lines = _header_lines(letter, sender, recipient, secret)
    block = "".join(lines).encode()
    _check(block, [line.partition(":")[0] for line in lines])
    utf8 = not (sender.isascii() and recipient.isascii())
    return Mail(sender, recipient, block + b"\r\n" + _body(letter), utf8)


def _header_lines(letter: Letter, sender: str, recipient: str, secret: bytes) -> list[str]:
    lines = [
        headers.address_header("From", headers.clean(letter.sender.name, LONGEST_NAME), sender),
        headers.address_header("To", headers.clean(letter.to.name, LONGEST_NAME), recipient),
        headers.text_header("Subject", headers.clean(letter.subject, LONGEST_SUBJECT)),
        f"Date: {format_datetime(letter.created_at)}\r\n",
        _own_id(letter.message_id),
    ]
    parent = headers.usable_ids([letter.in_reply_to])
    if parent:
        lines.append(headers.ids_header("In-Reply-To", parent))
    chain = headers.usable_ids([*letter.references, letter.in_reply_to])
    if chain:
        lines.append(headers.ids_header("References", chain))
    if letter.reply_to:
        lines.append(headers.address_header("Reply-To", "", headers.checked_address(letter.reply_to)))
    if letter.automatic:
        # RFC 3834 §5: a response to one mail is auto-replied, what began by itself auto-generated.
        lines.append(f"Auto-Submitted: {'auto-replied' if letter.in_reply_to else 'auto-generated'}\r\n")
        lines.append("X-Auto-Response-Suppress: All\r\n")
    lines.append(headers.folded(loop_mark.HEADER, [loop_mark.loop_mark(secret, letter.ticket_id)]))
    lines.append("MIME-Version: 1.0\r\n")
    lines.append(f'Content-Type: multipart/alternative; boundary="{_boundary(letter)}"\r\n')
    return lines


def _own_id(message_id: str) -> str:
    usable = headers.usable_ids([message_id])
    if not usable:
        raise Invalid("the letter has no usable Message-ID")
    return headers.ids_header("Message-ID", usable)


def _check(block: bytes, names: list[str]) -> None:
    """Refuse a header block that others would read otherwise than we meant it."""
    parsed = _PARSER.parsebytes(block + b"\r\n")
    # Python 3.11.2, which is in Debian 12, misses the parts here, although it reads the headers alone.
    defects = [one for one in parsed.defects if not isinstance(one, MultipartInvariantViolationDefect)]
    if parsed.keys() != names or defects or b"\0" in block or block.count(b"\n") != block.count(b"\r\n"):
        raise Invalid("the headers would be read otherwise than they were written")


def _boundary(letter: Letter) -> str:
    # In quoted-printable "=" stands before hex digits or a line end alone, and base64 has no "_":
    # no body can hold this.
    return f"=_{letter.id}"


def _body(letter: Letter) -> bytes:
    boundary = _boundary(letter).encode()
    parts = [_part(b"plain", letter.text), _part(b"html", letter.html)]
    framed = b"".join(b"--" + boundary + b"\r\n" + part for part in parts)
    return framed + b"--" + boundary + b"--\r\n"


def _part(subtype: bytes, text: str) -> bytes:
    visible = _BODY_UNSEEN.sub("", text)
    lines = _LINE_END.sub("\r\n", visible).rstrip("\r\n") + "\r\n"
    data = lines.encode("utf-8", "replace")
    if len(data) < len(lines) * 1.2:  # mostly ASCII: stays readable as it is
        encoding, encoded = b"quoted-printable", binascii.b2a_qp(data, istext=True)
    else:
        encoding, encoded = b"base64", base64.encodebytes(data).replace(b"\n", b"\r\n")
    head = b"Content-Type: text/" + subtype + b"; charset=utf-8\r\nContent-Transfer-Encoding: " + encoding
    return head + b"\r\n\r\n" + encoded + b"\r\n"
