"""How instants and strings are written, so that SQLite's JSON functions see all of them.

SQLite's JSON functions cut a string at the character NUL. So a NUL is stored as U+FFFE twice, and U+FFFE
itself as U+FFFE U+FFFF: noncharacters, which stand in no text that means something, and between words.
"""

import re
from datetime import UTC, datetime

from shared.domain.errors import Invalid

_MARK = "\ufffe"
_NUL, _ITSELF = _MARK + _MARK, _MARK + "\uffff"
_JSON_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def instant(at: datetime) -> str:
    """UTC, cut to milliseconds, always of one width: `2026-01-31T12:00:00.000Z`. Raises `Invalid`."""
    if at.tzinfo is None:
        raise Invalid("an instant needs its timezone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def escaped(text: str) -> str:
    """A string as it stands in a computed column."""
    return text.replace(_MARK, _ITSELF).replace("\0", _NUL)


def escape_json(body: str) -> str:
    """A JSON text, as orjson writes it, in the form that is stored."""
    if _MARK in body:
        body = body.replace(_MARK, _ITSELF)
    if "\\u0000" in body:
        body = _JSON_NUL.sub(rf"\g<1>{_NUL}", body)
    return body


def unescape_json(body: str) -> str:
    """The JSON text that `escape_json` was given."""
    if _MARK not in body:
        return body
    return body.replace(_NUL, "\\u0000").replace(_ITSELF, _MARK)
