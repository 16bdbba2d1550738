"""Where the signature at the end of a text begins. Pure, never raises; looks at the last lines alone.

A signature is cut only when it is plainly one: below `-- ` (RFC 3676 §4.3) or another drawn line with what
signatures are made of, after a closing ("Kind regards,") with a name, the line of a device, or "-Name". A
closing with sentences after it, a postscript or a question is left where it is: it is better to show a
signature than to hide what somebody wrote.
"""

import re
from collections.abc import Sequence

from services.ingest.devices import is_device
from services.ingest.quote_words import WROTE_LAST, folded
from services.ingest.signature_words import (
    CASUAL,
    CLOSINGS,
    CONFIDENTIAL,
    FIRST_WORDS,
    FROM_PLACE,
    GREETINGS,
    JOINED,
    bare,
)

WINDOW = 40
"""Lines, the last ones, in which a signature is looked for."""

MOST_LINES = 15
"""Lines that are not empty, of a signature that no `-- ` announces."""

_SHORT = 60
_LONGEST_LINE = 1000
_GREETING_WORDS = 6
_ACROSS = 10
_BEFORE_CONFIDENTIAL = 2
_DRAWN = re.compile(
    r"-{2,}|_{2,}|={2,4}|[\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}\N{BOX DRAWINGS LIGHT HORIZONTAL}]+"
)
_DASHED_NAME = re.compile(r"(?:-|-- ?|//?|\N{EM DASH} ?|\N{EN DASH} ?)([^\W\d_].*)")
_CONTACT = re.compile(r"[\w.+-]@[\w\[-]|https?://|\bwww\.|(?<!\d)\+?\d[\d ()/.-]{5,20}\d(?!\d)")
_POSTSCRIPT = re.compile(r"p\.? ?s\b|n\.? ?b\.? ?:|edit:|update:")
_MARKS = " ,.!;:*_-~)(\N{EM DASH}\N{FULLWIDTH COMMA}\N{ARABIC COMMA}。、"
_ITEMS = ("-", "*", "\N{BULLET}")
_SENTENCE_END = (".", "!", "。", "\N{FULLWIDTH EXCLAMATION MARK}")
_QUESTION_END = ("?", "\N{FULLWIDTH QUESTION MARK}")


def signature_start(lines: Sequence[str], end: int) -> int | None:
    """The line at which the last signature before line `end` begins; None when there is none.

    Several may follow one another: ask again with what is left.
    """
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    start = max(0, end - WINDOW)
    tail = [line.strip()[:_LONGEST_LINE] for line in lines[start:end]]
    if not tail:
        return None
    for look in (_device, _delimited, _dashed_name, _closing):
        found = look(tail)
        if found is not None and (look is not _closing or start > 0 or any(tail[:found])):
            return start + found
    return None


def _device(tail: list[str]) -> int | None:
    return len(tail) - 1 if is_device(tail[-1]) else None


def letter_after_device(lines: Sequence[str]) -> int | None:
    """The first line of what follows below the line of a device, with a greeting or its writer's address.

    None when nothing does.
    """
    above = ""
    for at, line in enumerate(lines):
        stripped = line.strip()
        if not stripped:
            continue
        begins = len(stripped) <= _SHORT and (_greets(stripped) or _names_writer(stripped))
        if above and begins and is_device(above):
            return at
        above = stripped
    return None


def _names_writer(line: str) -> bool:
    """ "ann@example.com wrote:"."""
    words = line.removesuffix(":").split()
    return len(words) > 1 and line.endswith(":") and "@" in words[0] and words[-1].casefold() in WROTE_LAST


def _greets(line: str) -> bool:
    words = line.casefold().rstrip(" ,.!:\N{FULLWIDTH COMMA}。、").split()
    return 0 < len(words) <= _GREETING_WORDS and (
        words[0].rstrip(",!") in GREETINGS or " ".join(words[:2]) in GREETINGS
    )


def _delimited(tail: list[str]) -> int | None:
    for at in range(len(tail) - 1, -1, -1):
        line = tail[at]
        if _DRAWN.fullmatch(line) is None:
            continue
        below = [one for one in tail[at + 1 :] if one]
        across = len(line) >= _ACROSS
        if line == "--" or not below or _is_signed(below, must_reach=line[0] not in "-_" and not across):
            return at
    return None


def _is_signed(below: list[str], must_reach: bool) -> bool:
    """Whether the lines could be nothing but a signature: how to reach somebody, or a few short ones."""
    if not _could_be(below):
        return False
    if any(_CONTACT.search(line) for line in below):
        return True
    return not must_reach and len(below) <= 4 and all(len(line) <= _SHORT for line in below)


def _dashed_name(tail: list[str]) -> int | None:
    """ "-Name" on a last line of its own, an empty line above; not an item of a list."""
    found = _DASHED_NAME.fullmatch(tail[-1]) if len(tail[-1]) <= _SHORT else None
    if found is None or not _is_name(found[1]) or (len(tail) > 1 and tail[-2]):
        return None
    above = next((line for line in reversed(tail[:-1]) if line), "")
    return None if not above or above.endswith(":") or above.startswith(_ITEMS) else len(tail) - 1


def _closing(tail: list[str]) -> int | None:
    for at in range(len(tail) - 1, -1, -1):
        if not tail[at] or len(tail[at]) > _SHORT:
            continue
        below = [one for one in tail[at + 1 :] if one]
        if _closes(tail[at], below):
            return at if _could_be(below) else None
    return None


def _closes(line: str, below: list[str]) -> bool:
    words = folded(line)
    if bare(words.split(" ")[0].strip(_MARKS + _SENTENCE_END[-1])) not in FIRST_WORDS and words[:1].isalnum():
        return False
    core = words.strip(_MARKS)
    while core and not core[-1].isalnum() and not core[-1].isspace() and ord(core[-1]) > 0x2000:
        core = core[:-1].rstrip(" ,.!")  # an emoji at the end
    if _all_close(core):
        return True
    if bare(core) in CASUAL:
        said = words.endswith(("!", "?")) or (words.endswith(".") and core.isascii())
        return len(below) > 0 and not said and _is_name(below[0])
    return _closes_with_name(line)


def _all_close(words: str) -> bool:
    """Whether it is one closing, or several of which one is no mere thanks: "Danke und viele Grüße"."""
    parts = [bare(words)] if bare(words) in CLOSINGS else [bare(one) for one in JOINED.split(words)]
    return any(one in CLOSINGS for one in parts) and all(one in CLOSINGS or one in CASUAL for one in parts)


def _closes_with_name(line: str) -> bool:
    """ "Kind regards, Ann Example" on one line, or "Greetings from Rome"."""
    words = line.split()
    for count in range(1, len(words)):
        if bare(folded(" ".join(words[:count])).rstrip(",.!;: ")) in CLOSINGS:
            placed = words[count].casefold() in FROM_PLACE
            return _is_name(" ".join(words[count + placed :]))
    return False


def _is_name(line: str) -> bool:
    """One to four words that begin like names do."""
    words = line.strip(" ,.*_").split()
    return 0 < len(words) <= 4 and not any(
        word[0].islower() or word[0].isdigit() or word[-1] in "?!:;" for word in words
    )


def _could_be(below: list[str]) -> bool:
    """Whether nothing in the lines looks as if it were said to the reader; small print is not."""
    small_print = next((at for at, line in enumerate(below) if CONFIDENTIAL.search(folded(line))), None)
    if small_print is not None:
        below = below[: max(0, small_print - _BEFORE_CONFIDENTIAL)]
    return len(below) <= MOST_LINES and not any(
        _POSTSCRIPT.match(line.casefold())
        or line.endswith(_QUESTION_END)
        or (_is_prose(line) and not is_device(line))
        for line in below
    )


def _is_prose(line: str) -> bool:
    words = [word for word in line.split() if word[0].isalnum()]
    if len(words) < 4 or _CONTACT.search(line):
        return False
    if line.endswith(_SENTENCE_END):
        return True
    return len(words) >= 6 and sum(word[0].isupper() for word in words) * 2 < len(words)
