"""What describes a part of a mail, written as the standard library takes it (RFC 2045 §5 and §6).

Pure, linear; never raises: what cannot be mended stays as it is.
"""

import re
from email.message import Message
from typing import cast

from services.ingest.headers import text_of, without_comments
from services.ingest.text import clean, decode

_Extended = tuple[str | None, str | None, str]
"""Charset, language and text, whose characters are bytes."""

_USUAL_TYPE = re.compile(r"[ \t]*[\w.+-]+/[\w.+-]+[ \t]*(?:;|$)", re.ASCII)
_ANY_TYPE = re.compile(r"\s*([\w!#$&^.+-]{1,100})\s*/\s*([\w!#$&^.+-]{0,100})[^;\s]{0,100}\s*;?", re.ASCII)
_SUBTYPES = {"text": "plain", "multipart": "mixed", "application": "octet-stream"}
_MEANT = {"plain/text": "text/plain", "html/text": "text/html", "text/text": "text/plain"}
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*("|\\?$)', re.DOTALL)
_NEXT = re.compile(r"[ \t\r\n]+(?=[\w*-]{1,60}[ \t]{0,9}=)")
_OPEN = re.compile(r'=[ \t]{0,9}"([^";]*)(?=;|$)')
_NUMBERED = re.compile(r"(?<=;)\s*[^\s;=*\"]{1,60}\*[0-9]+\*?[ \t]{0,9}(?==)")
_ENCODING = re.compile(r"[\s\"';]*([\w-]{1,40})[\s\"';]*", re.ASCII)


def plain_type(raw: str) -> str:
    """A Content-Type: type and subtype without spaces or comments around them, a semicolon after them."""
    if _USUAL_TYPE.match(raw):
        return raw
    if raw.lstrip().startswith("=?"):
        raw = text_of(raw)
    written = without_comments(raw)[0].replace("\0", " ")
    found = _ANY_TYPE.match(written)
    if found is None:
        return raw
    kind = f"{found[1]}/{found[2] or _SUBTYPES.get(found[1].lower(), 'x-unknown')}"
    return f"{_MEANT.get(kind.lower(), kind)}; {written[found.end() :].lstrip()}"


def plain_parameters(raw: str) -> str:
    """A Content-Type or Content-Disposition: with a semicolon after each parameter that is quoted, and with
    the quote that one is not ended by. The library raises when one is given both whole and in pieces."""
    raw = raw.replace("\0", "")
    if '"' in raw:
        raw = _with_quotes(raw)
    if "*" in raw and not _is_taken(raw):
        raw = _NUMBERED.sub(" x", raw)
        return raw if _is_taken(raw) else raw.replace("*", "_")
    return raw


def _is_taken(raw: str) -> bool:
    """Whether the library makes out the parameters."""
    head = Message()
    head["Content-Type"] = raw
    try:
        head.get_params()
    except (TypeError, ValueError):
        return False
    return True


def _with_quotes(raw: str) -> str:
    kept: list[str] = []
    end = 0
    for found in _QUOTED.finditer(raw):
        if not found[1]:
            break
        kept += [raw[end : found.start()], found[0]]
        end = found.end()
        if _NEXT.match(raw, end):
            kept.append(";")
    rest = raw[end:]
    return "".join([*kept, _OPEN.sub(r'="\1"', rest) if rest.count('"') == 1 else rest])


def parameter(head: Message, field: str, name: str) -> str:
    """What a parameter of a field says, its charset undone (RFC 2231), empty when it is not there; of two the
    one that names its charset (as in RFC 6266 §4.3)."""
    told = cast("list[tuple[str, str | _Extended]]", head.get_params([], field))
    values = [value for key, value in told if key.lower() == name]
    extended = [_extended(value) for value in values if isinstance(value, tuple)]
    plain = [value for value in values if not isinstance(value, tuple)]
    return next(filter(None, [*extended, *plain]), "")


def _extended(value: _Extended) -> str:
    charset, _language, text = value
    try:
        return clean(decode(text.encode("latin-1", "surrogateescape"), charset))
    except UnicodeError:
        return text


def plain_encoding(raw: str) -> str:
    """A Content-Transfer-Encoding: the one word alone, without quotes, comments and semicolons."""
    found = _ENCODING.fullmatch(without_comments(raw)[0].replace("\0", " "))
    return found[1] if found is not None else raw
