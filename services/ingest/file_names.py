"""The name that a part gives its file (RFC 2183 §2.3), however a program writes it. Pure."""

import re
from email.message import Message

from services.ingest.headers import text_of
from services.ingest.mime_fields import parameter

LONGEST_NAME = 255

_PATH = re.compile(r"[\\/]")
_HALF_WORD = re.compile(r"\s*\?[\w.:-]{2,40}\?[bq]\?[^?]*\?=", re.IGNORECASE)
_FIELDS = (("content-disposition", "filename"), ("content-type", "name"))


def file_name(head: Message) -> str:
    """The name alone, without any path; empty when it has none."""
    return _PATH.split(text_of(written_name(head)))[-1][-LONGEST_NAME:]


def written_name(head: Message) -> str:
    """As it stands there, that of the Content-Disposition first."""
    return next((_mended(name) for field, key in _FIELDS if (name := parameter(head, field, key))), "")


def _mended(value: str) -> str:
    """An encoded word whose first sign was taken for the one before a value."""
    return f"={value.strip()}" if _HALF_WORD.match(value) else value
