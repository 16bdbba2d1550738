"""What stands in a mail's headers: decoded words, addresses, ids, dates.

Every function takes the raw field body as the parser gives it (folded, 8-bit bytes as surrogates) and never
raises: what cannot be read is left out or kept as it stands. All take time linear in their input; the
standard library's parser of addresses does not (cpython#136063).
"""

import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.quoprimime import header_decode
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from services.ingest.text import decode, one_line

_FOLD = re.compile(r"\r?\n(?=[ \t])")
_BREAK = re.compile(r"[\r\n]+")
_WORD = re.compile(r"=\?([^?\s*]{1,60})(?:\*[^?\s]{0,30})?\?([bBqQ])\?([^?]{0,20000})\?=")
_ID = re.compile(r"<([^<>\s]{1,998})>")
_BARE_ID = re.compile(r"(?<![^<>\s,;\"()@])[^<>\s,;\"()@]{1,500}@[^<>\s,;\"()@]{1,497}")
_LONE_WORD = re.compile(r"^\s*(?=[^\s\d]{0,200}\d)([^\s<>,;]{4,500})\s*$")
_TOKEN = re.compile(
    r"""(?P<quoted>"(?:[^"\\]|\\.)*")|<(?P<angle>[^<>]*)>|(?P<comment>\0)|(?P<end>[,;])
    |(?P<text>(?:[^"<>,;\\\0]|\\.)+)|.""",
    re.VERBOSE | re.DOTALL,
)
_GROUP = re.compile(r"^[^@:\[]*:")
_COMMENT_MARK = re.compile(r"\\.|[()\"]", re.DOTALL)
_USUAL_TYPE = re.compile(r"[ \t]*[\w.+-]+/[\w.+-]+[ \t]*(?:;|$)", re.ASCII)
_ANY_TYPE = re.compile(r"\s*([^\s;/]+)\s*/\s*([^\s;]+)\s*;?")
_LONGEST_DATE = 1000
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_ADDRESS = re.compile(r"(?<![^\s@<>,;\"])[^\s@<>,;\"]+@[^\s@<>,;\"]+")
# Each pattern above begins where its run begins (the look-behinds) or is bounded: else it were quadratic.
_SPACE = re.compile(r"\s+")


class Address(NamedTuple):
    """An address in lower case, and the name that was written with it."""

    address: str
    name: str = ""


def unfolded(raw: str) -> str:
    """One line of it, white space as it was (RFC 5322 §2.2.3)."""
    return _BREAK.sub(" ", _FOLD.sub("", raw)) if "\n" in raw or "\r" in raw else raw


def text_of(raw: str) -> str:
    """An unstructured field as a person reads it: one clean line, encoded words decoded (RFC 2047)."""
    return one_line(_words(_eight_bit(unfolded(raw))))


def _eight_bit(raw: str) -> str:
    """Bytes that no charset was declared for, which the parser keeps as surrogates."""
    if raw.isascii():
        return raw
    return decode(raw.encode("utf-8", "surrogateescape"))


def _words(value: str) -> str:
    """Decode the encoded words. Those that follow one another are joined before decoding when they have one
    charset, for many senders split a character between two of them."""
    if "=?" not in value:
        return value
    done: list[str] = []
    charset, pending, end = "", b"", 0
    for found in _WORD.finditer(value):
        gap = value[end : found.start()]
        follows = end > 0 and not gap.strip()
        if not follows or found[1].lower() != charset:
            done.append(decode(pending, charset) if pending else "")
            pending = b""
        if not follows:
            done.append(gap)
        charset = found[1].lower()
        pending += _payload(found[2], found[3])
        end = found.end()
    done.append(decode(pending, charset) if pending else "")
    done.append(value[end:])
    return "".join(done)


def _payload(encoding: str, text: str) -> bytes:
    if encoding in "qQ":
        return header_decode(text).encode("latin-1", "replace")
    data = text.encode("ascii", "ignore")
    try:
        return binascii.a2b_base64(data + b"=" * (-len(data) % 4))
    except binascii.Error:
        return data


def without_comments(value: str) -> tuple[str, list[str]]:
    """The value with one NUL for each comment, and the comments' texts in order (RFC 5322 §3.2.2).

    Comments may hold comments. One that is never closed is none.
    """
    value = value.replace("\0", "")
    if "(" not in value:
        return value, []
    kept: list[str] = []
    comments: list[str] = []
    depth, begin, copied, quoted = 0, 0, 0, False
    for mark in _COMMENT_MARK.finditer(value):
        if mark[0] == '"' and depth == 0:
            quoted = not quoted
        elif mark[0] == "(" and not quoted:
            begin = begin if depth else mark.start()
            depth += 1
        elif mark[0] == ")" and depth:
            depth -= 1
            if depth == 0:
                kept += [value[copied:begin], "\0"]
                comments.append(value[begin + 1 : mark.start()])
                copied = mark.end()
    return "".join([*kept, value[copied:]]), comments


def addresses(raw: str, most: int = 500) -> tuple[Address, ...]:
    """The mailboxes of an address field (RFC 5322 §3.4), groups opened up, at most `most` of them."""
    found: list[Address] = []
    value, comments = without_comments(_eight_bit(unfolded(raw)))
    passed = 0
    words: list[str] = []
    angle: str | None = None
    said: list[str] = []
    for token in _TOKEN.finditer(value + ","):
        kind = token.lastgroup
        if kind == "end":
            address = _address(words, angle, said)
            if address is not None:
                found.append(address)
                if len(found) >= most:
                    break
            words, angle, said = [], None, []
        elif kind == "angle":
            angle = token["angle"] if angle is None else angle
        elif kind == "quoted":
            words.append(_ESCAPED.sub(r"\1", token["quoted"][1:-1]))
        elif kind != "comment" and (angle is None or not words):
            _add(words, said, token[0])
        if comments:
            within = token[0].count("\0")
            said += (_ESCAPED.sub(r"\1", one) for one in comments[passed : passed + within])
            passed += within
    return tuple(found)


def _add(words: list[str], said: list[str], more: str) -> None:
    """Add to the words of an address; what names a group, or is said of it, is none of them."""
    begun = _GROUP.match(more)
    if begun:
        words.clear()
        said.clear()
    words.append(more[begun.end() :] if begun else more)


def _address(words: list[str], angle: str | None, said: list[str]) -> Address | None:
    """`said`: the comments; they are shown behind the name, for people tell by them who writes: "(Sales)"."""
    written = "".join(words)
    if angle is not None and "@" in angle:
        return Address(_bare(angle), _name(written, said))
    decoded = one_line(_words(written))
    found = _ADDRESS.search(decoded)  # some senders encode "Name <address>" as a whole
    if found is None:
        return None
    return Address(_bare(found[0]), _name(decoded[: found.start()].strip(' <"'), said))


def _bare(address: str) -> str:
    return _SPACE.sub("", one_line(_words(address))).lower()


def _name(written: str, said: Sequence[str] = ()) -> str:
    name = one_line(_SPACE.sub(" ", _words(written))).strip("\"' ")
    comment = one_line(_SPACE.sub(" ", " ".join(map(_words, said)))).strip()
    return f"{name} ({comment})" if name and comment else name or comment.strip("\"' ")


def ids(raw: str) -> list[str]:
    """The message ids of a field, without `<>`, in the order written, each once (RFC 5322 §3.6.4).

    Some programs write neither `<>` nor `@`: a lone word is an id if a digit is in it, so that `none` is not.
    """
    value = one_line(_eight_bit(unfolded(raw)))
    found = _ID.findall(value) or _BARE_ID.findall(value) or _LONE_WORD.findall(value)
    return list(dict.fromkeys(found))


def own_id(raw: str) -> str:
    """The mail's Message-ID without `<>`; whatever one word stands there, if it is not well formed."""
    found = ids(raw)
    if found:
        return found[0]
    written = one_line(_eight_bit(unfolded(raw))).strip("<> ")
    return written if written and not _SPACE.search(written) and len(written) <= 998 else ""


def date_of(raw: str) -> datetime | None:
    """The date in UTC (RFC 5322 §3.3); None when it is none."""
    found = written_date(raw)
    try:
        return found.astimezone(UTC) if found is not None else None
    except (ValueError, OverflowError):
        return None


def written_date(raw: str) -> datetime | None:
    """The date as the sender's clock had it, in the sender's zone; UTC when the field names none.

    ISO 8601 is read too, which some programs write in its place.
    """
    written = without_comments(unfolded(raw[:_LONGEST_DATE]))[0].replace("\0", " ").strip()
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            found = read(written)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def plain_type(raw: str) -> str:
    """A Content-Type as the standard library takes it: type and subtype without spaces or comments around
    them, a semicolon after them (RFC 2045 §5.1)."""
    if _USUAL_TYPE.match(raw):
        return raw
    written = without_comments(raw)[0].replace("\0", " ")
    found = _ANY_TYPE.match(written)
    return f"{found[1]}/{found[2]}; {written[found.end() :].lstrip()}" if found else raw
