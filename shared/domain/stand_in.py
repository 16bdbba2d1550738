"""What stands for a mail that is too large to be read, or that a person lets through unread: its own headers,
and a notice in place of its body. Pure; nothing is raised, whatever the bytes.

So it goes the way of every mail, and opens or joins a ticket as its headers say. What stands for a mail
follows from it and the notice alone: however often it is made, it is the same bytes.
"""

import re

LONGEST_HEAD = 128 * 1024
"""Bytes of headers that are read at most; further limits may allow less."""

LONGEST_FIELD = 4096
"""Bytes kept of a field of a head that cannot be read."""

_ESSENTIAL = frozenset(
    b"from sender reply-to to cc subject date message-id in-reply-to references return-path "
    b"auto-submitted precedence list-id x-loop".split()
)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"\r?\n(?![ \t])")
_OF_THE_BODY = (b"content-", b"mime-version:")
_NEW_BODY = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"


def head_of(begins: bytes) -> bytes:
    """The header block of a mail that begins so; one that is cut short goes up to a whole line."""
    end = _HEAD_END.search(begins)
    if end is not None:
        return begins[: end.start()]
    return begins[: begins.rfind(b"\n") + 1].rstrip(b"\r\n")


def stand_in(head: bytes, notice: str) -> bytes:
    """The mail to read in place of one with this head."""
    fields = [field for field in _FIELD.split(head) if not field.lower().startswith(_OF_THE_BODY)]
    return b"\r\n".join([*fields, _NEW_BODY]) + f"[{notice}]\r\n".encode("utf-8", "replace")


def essentials(head: bytes) -> bytes:
    """Of a head that cannot be read, the fields that say who wrote what to whom, once each and cut."""
    found: dict[bytes, bytes] = {}
    for field in _FIELD.split(head):
        name, colon, value = field.partition(b":")
        if colon and name.strip().lower() in _ESSENTIAL:
            found.setdefault(name.strip().lower(), name.strip() + b":" + value[:LONGEST_FIELD])
    return b"\r\n".join(found.values())


def unreadable(reason: str) -> str:
    """The notice for a mail that a person let through although it cannot be read."""
    return (
        f"This mail could not be read: {reason}. Only its most important headers are shown.\r\n"
        "The whole mail is kept: download the raw mail of this message."
    )
