"""Header values out of anything a stranger may have written. Pure.

`clean` makes any string one harmless line; the others make header lines of cleaned strings. What comes out is
ASCII without CR, LF or NUL and without `=?…?=` but for the encoded words that we made, so no value can begin
a header of its own. (CPython before 3.11.10 and 3.12.5 lets one do so by an encoded line end in an encoded
word: CVE-2024-6923. The standard library builds none of our headers.)
"""

import base64
import re
from collections.abc import Iterable, Sequence

from shared.domain.errors import Invalid

LONGEST_LINE = 78  # RFC 5322 §2.1.1: what lines should keep to; a single word may be longer
LONGEST_ID = 250
MOST_REFERENCES = 20

_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_MESSAGE_ID = re.compile(r"[\x21-\x3b\x3d\x3f-\x7e]+")  # laxer than RFC 5322: many in the wild lack the "@"
_LOCAL_PART = re.compile(
    "[a-zA-Z0-9!#$%&'*+/=?^_`{|}~.\u00a1-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff-]{1,64}"
)
_DOMAIN = re.compile(r"[a-zA-Z0-9-]{1,63}(\.[a-zA-Z0-9-]{1,63})*")
_WORD_BYTES = (
    39  # 52 characters of base64 and 12 around them: fits a line of 76 behind "Subject:" (RFC 2047 §2)
)


def clean(text: str, longest: int) -> str:
    """One line of at most `longest` characters: no controls, no direction overrides, no encoded words."""
    line = text[: longest * 4].encode("utf-8", "replace").decode()
    line = _UNSEEN.sub(" ", line)
    while "=?" in line or "?=" in line:
        line = line.replace("=?", "").replace("?=", "")
    line = " ".join(line.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def checked_address(address: str) -> str:
    """The address as it may stand in an envelope and a header, its domain in ASCII (IDNA).

    Raises `Invalid` for one that has no such form, a quoted local part among them.
    """
    local, at, domain = address.strip().rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError as fault:
        raise Invalid("the address has an impossible domain") from fault
    sound = at and _LOCAL_PART.fullmatch(local) and _DOMAIN.fullmatch(domain) and len(domain) <= 253
    if not sound or "=?" in local or "?=" in local or _UNSEEN.search(local):
        raise Invalid("the address cannot be written to")
    return f"{local}@{domain}"


def usable_ids(message_ids: Iterable[str]) -> list[str]:
    """Those that may stand in a header, without `<>`, each once; capped to the first and the newest."""
    bare = (one.strip().removeprefix("<").removesuffix(">") for one in message_ids)
    sound = [one for one in dict.fromkeys(bare) if len(one) <= LONGEST_ID and _is_sound_id(one)]
    return sound if len(sound) <= MOST_REFERENCES else [sound[0], *sound[1 - MOST_REFERENCES :]]


def text_header(name: str, cleaned: str) -> str:
    """A header line of free text."""
    return folded(name, cleaned.split() if _is_plain(cleaned) else _encoded_words(cleaned))


def address_header(name: str, display: str, address: str) -> str:
    """A header line of one address; `display` is cleaned, `address` checked."""
    if not display:
        words: Sequence[str] = ()
    elif _is_plain(display):
        escaped = display.replace("\\", "\\\\").replace('"', '\\"')
        words = f'"{escaped}"'.split()
    else:
        words = _encoded_words(display)
    return folded(name, [*words, f"<{address}>"])


def ids_header(name: str, usable: Iterable[str]) -> str:
    """A header line of Message-IDs."""
    return folded(name, [f"<{one}>" for one in usable])


def folded(name: str, words: Iterable[str]) -> str:
    """The words after the name, on as many lines as they need, each ended by CRLF."""
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > LONGEST_LINE and " " in lines[-1]:
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return "\r\n".join(lines) + "\r\n"


def _is_plain(text: str) -> bool:
    return _PRINTABLE.fullmatch(text) is not None


def _is_sound_id(one: str) -> bool:
    return _MESSAGE_ID.fullmatch(one) is not None and "=?" not in one and "?=" not in one


def _encoded_words(text: str) -> list[str]:
    data = text.encode()
    words, start = [], 0
    while start < len(data):
        end = min(start + _WORD_BYTES, len(data))
        while end < len(data) and data[end] & 0xC0 == 0x80:  # never cut a character in two
            end -= 1
        words.append(f"=?utf-8?b?{base64.b64encode(data[start:end]).decode('ascii')}?=")
        start = end
    return words
