"""Where the signature at the end of a text begins. Pure, never raises; looks at the last lines alone.

A signature is cut only when it is plainly one: below `-- ` (RFC 3676 §4.3) or another drawn line with what
signatures are made of, after a closing ("Kind regards,") with a name, the line of a device, or "-Name". A
closing with sentences after it, a postscript or a question is left where it is: it is better to show a
signature than to hide what somebody wrote.
"""

import re
from collections.abc import Sequence

from services.ingest.devices import is_device
from services.ingest.flowed import SIGNATURE
from services.ingest.quote_words import WROTE_LAST, folded
from services.ingest.signature_words import (
    CASUAL,
    CLOSINGS,
    CONFIDENTIAL,
    FIRST_WORDS,
    FROM_PLACE,
    GREETINGS,
    JOINED,
    POSTSCRIPT,
    REFERENCE,
    SPEAKS,
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
    tail = [SIGNATURE if line == SIGNATURE else line.strip()[:_LONGEST_LINE] for line in lines[start:end]]
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
        if line == SIGNATURE:
            return at
        if _DRAWN.fullmatch(line) is None:
            continue
        below = [one for one in tail[at + 1 :] if one]
        across = len(line) >= _ACROSS
        announced = line == "--" and not _says_much(below)
        if announced or not below or _is_signed(below, must_reach=line[0] not in "-_" and not across):
            return at
    return None


def _says_much(below: list[str]) -> bool:
    """Whether lines below two dashes, which may be an ornament, are rather said to the reader than signed."""
    told = _without_small_print(below)
    prose = sum(_is_prose(line) and not is_device(line) for line in told)
    return prose > 1 or any(map(_is_for_reader, told))


def _is_signed(below: list[str], must_reach: bool) -> bool:
    """Whether the lines could be nothing but a signature: how to reach somebody, or a few short ones."""
    if not _could_be(below):
        return False
    if any(_CONTACT.search(line) for line in below):
        return True
    named = len(below[0].split()) <= 2 or _is_name(below[0])
    return not must_reach and named and len(below) <= 4 and all(map(_is_short, below))


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
            return at if _could_be(below) and not _goes_on(below) else None
    return None


def _goes_on(below: list[str]) -> bool:
    """Whether the first or the last line below a closing is of a sentence: small letters, and no way to reach
    anybody. Between them somebody's office may stand like that."""
    told = _without_small_print(below)
    if not told:
        return False
    first, last = told[0], told[-1]
    return _is_in_small_letters(first) or (
        _is_in_small_letters(last) and not is_device(last) and not any(map(_CONTACT.search, told))
    )


def _is_in_small_letters(line: str) -> bool:
    """Three words and more, most of them in small letters, and the first."""
    words = [word for word in line.split() if word[0].isalnum()]
    small = sum(word[0].islower() for word in words)
    return len(words) > 2 and words[0][0].islower() and small * 3 >= len(words) * 2


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
    told = _without_small_print(below)
    leads = any(line.endswith(":") for line in told) and not any(map(_CONTACT.search, told))
    return (
        not leads
        and len(told) <= MOST_LINES
        and not any(_is_for_reader(line) or (_is_prose(line) and not is_device(line)) for line in told)
    )


def _without_small_print(below: list[str]) -> list[str]:
    found = next((at for at, line in enumerate(below) if CONFIDENTIAL.search(folded(line))), None)
    return below if found is None else below[: max(0, found - _BEFORE_CONFIDENTIAL)]


def _is_for_reader(line: str) -> bool:
    """Whether the line asks something, or says what only the reader needs."""
    if line.endswith(_QUESTION_END):
        return True
    words = folded(line)
    if POSTSCRIPT.match(words) or REFERENCE.search(words):
        return True
    return SPEAKS.search(words) is not None and not is_device(line)


def _is_short(line: str) -> bool:
    """Whether it is short, and no entry of a list ("Size: 4"), unless that tells how to reach somebody."""
    entry = ":" in line and _CONTACT.search(line) is None
    return len(line) <= _SHORT and not entry


def _is_prose(line: str) -> bool:
    words = [word for word in line.split() if word[0].isalnum()]
    if len(words) < 4 or _CONTACT.search(line):
        return False
    if line.endswith(_SENTENCE_END):
        return not all(word[0].isupper() or word[0].isdigit() for word in words)
    return len(words) >= 6 and sum(word[0].isupper() for word in words) * 2 < len(words)
