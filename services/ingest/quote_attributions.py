"""Lines that say who wrote what is quoted below them, and when: "On … Ann Example wrote:". Pure.

Nothing here is tied to one client or language: such a line is told by what stands in it (a date, a time, an
address, a word for writing, a colon at its end). People write such lines, too ("On 5 May at 10:00 your
colleague wrote:"), and what stands below those is theirs: so a line that speaks of the reader or of the
writer himself, or that has words of its own before the date, opens no quote that is not marked as one.

Never raises. Time is linear in the text: patterns are tried on bounded pieces of lines that can match at
all, and no pattern repeats a repetition.
"""

import re
from collections.abc import Sequence

from services.ingest.device_words import DEVICES
from services.ingest.quote_openers import (
    ENDS,
    LONGEST_OPENER,
    MOST_WRAPPED,
    SENTENCE_ENDS,
    WRAPPED_AT,
    Opener,
    Opening,
)
from services.ingest.quote_telling_words import AT_DATE, TELLS
from services.ingest.quote_words import CITES, TOLD, WROTE, WROTE_LAST, folded

_LONGEST_LAST_WORD = 40
_DATE_NEAR_START = 32
_MOST_BEFORE_DATE = 3
_ORNAMENT = "-_*= \t\xa0\u200e\u200f\u202c\u2069\ufeff"

_DATE = re.compile(
    r"(?<!\d)(?:19\d\d|20\d\d|25[6-9]\d|14[0-4]\d)(?!\d)"
    r"|(?<!\d)\d{1,2}[./-] ?\d{1,2}[./-] ?(?:\d{4}|\d\d)(?!\d)|\d[年년]"
    r"|(?<!\d)\d{1,2}\.? [^\W\d_]{3,12}\.? \d\d(?![\d:.])",
)
"""A year, also of the Thai (256x) and the Persian and Islamic calendars (14xx), or a date without one of four
digits."""
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d)")
_TO_THE_SECOND = re.compile(r"(?<!\d)\d{1,2}[:.]\d\d[:.]\d\d(?!\d)")
"""A time as no person writes it: one client says "you wrote", but knows the second."""
_ADDRESS = re.compile(r"[\w.+-]@[\w\[-]")
_IN_ANGLES = re.compile(r"<[^<>@]{0,120}@[^<>]{1,200}>|&lt;[^&]{1,120}@[^&]{1,200}&gt;")
"""An address as mail clients write it, and hardly anybody by hand."""
_BARE = re.compile(
    r"\D{0,16}\d.{0,400}[\w.+-]@[\w.-]{1,200}[\])>\"' :]{0,8}$".replace(":", ":\N{FULLWIDTH COLON}")
)
"""A date first, and an address last: what some clients write without a word for writing."""
_BARE_BY = re.compile(r"\d[^\w@]{1,4}[^\W\d_]{1,8} [\w.+-]{1,100}@[\w.-]{1,200}[ :\N{FULLWIDTH COLON}]{0,4}$")
"""The same without angle brackets: one word ("by") between the time and the address."""
_ONLY_WRITER = re.compile(r"[^<>@:]{0,80}<[^<>@\s]{1,100}@[^<>\s]{1,200}> [^<>@:]{1,24} ?:$")
"""A writer with an address, a word or two, and nothing else: also no date."""
_RUN_ON = re.compile(r"@[\w.-]{1,100}>[^<>]{1,40}:$")
_WRITER_LAST = re.compile(r"<[^<>@\s]{1,80}@[^<>\s]{1,120}>[^<>.!?]{0,30}$")
_DIGITS = {
    zero + value: str(value)
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xBE6, 0xE50, 0xFF10)
    for value in range(10)
}
"""Digits of other scripts (Arabic, Persian, Hindi, Bengali, Tamil, Thai, full width) as those of ours."""


def may_end_attribution(line: str) -> bool:
    """Whether it ends with a colon, a word for writing, or an address in angle brackets."""
    if len(line) > LONGEST_OPENER:
        return False
    end = _head(line)
    if end.endswith(ENDS) or (end.endswith(">") and "@" in end):
        return True
    return end[-_LONGEST_LAST_WORD:].rpartition(" ")[2].casefold() in WROTE_LAST


def attribution(lines: Sequence[str], quoted: Sequence[bool], at: int) -> Opening | None:
    """The attribution that ends at this line, or in one of the next, if it is wrapped behind a word that may
    be its last."""
    found = _ending_at(lines, quoted, at)
    if found is None or _head(lines[at]).endswith(ENDS):
        return found
    for end in range(at + 1, min(at + MOST_WRAPPED - 1, len(lines))):
        if not _goes_on(lines, quoted, end):
            break
        if lines[end].rstrip(_ORNAMENT).endswith(ENDS):
            longer = _ending_at(lines, quoted, end)
            return longer if longer is not None and longer.start <= found.start else found
    return found


def has_date_and_time(line: str) -> bool:
    """Whether a date and a time stand in the line."""
    words = folded(line).translate(_DIGITS)
    return _DATE.search(words) is not None and _TIME.search(words) is not None


def _head(line: str) -> str:
    """The line up to its end, or up to where the quote begins on it, as one client has it: ":   Hello"."""
    before, gap, _ = line.partition(":  ")
    runs_on = gap and _RUN_ON.search(f"{before[-150:]}:") is not None
    return (f"{before}:" if runs_on else line).rstrip(_ORNAMENT)


def _ending_at(lines: Sequence[str], quoted: Sequence[bool], at: int) -> Opening | None:
    """The shortest attribution ending at this line that is one for sure and begins with a date."""
    best: Opening | None = None
    joined = ""
    has_colon = _head(lines[at]).endswith(ENDS)
    for start in range(at, max(-1, at - MOST_WRAPPED), -1):
        line = _head(lines[start]) if start == at else lines[start].strip()
        if not line or quoted[start] or len(line) + len(joined) > LONGEST_OPENER:
            break
        joined = f"{line} {joined}".strip(_ORNAMENT)
        alone = start == at and (start == 0 or not lines[start - 1].strip())
        kind, dated = _attributed(folded(joined).translate(_DIGITS), has_colon, alone)
        if kind is Opener.ATTRIBUTION and dated:
            return _from_writer(lines, quoted, Opening(kind, start, at + 1))
        if kind is not None and (best is None or (best.kind is not kind and kind is Opener.ATTRIBUTION)):
            best = Opening(kind, start, at + 1)
    if best is not None and not has_colon and _goes_on(lines, quoted, at + 1):
        return None
    return best and _from_writer(lines, quoted, best)


def _from_writer(lines: Sequence[str], quoted: Sequence[bool], found: Opening) -> Opening:
    """With the lines above it that hold the writer's address and name, if it was wrapped between them."""
    start = found.start
    named = any("@" in line for line in lines[start : found.end])
    if not named and _goes_on(lines, quoted, start - 1) and _WRITER_LAST.search(lines[start - 1][-200:]):
        start -= 1
    if lines[start].lstrip().startswith("<") and _goes_on(lines, quoted, start - 1):
        above = lines[start - 1].rstrip()
        start -= len(above) <= WRAPPED_AT and not above.endswith(SENTENCE_ENDS)
    return Opening(found.kind, start, found.end)


def _attributed(words: str, has_colon: bool, alone: bool) -> tuple[Opener | None, bool]:
    """What folded words are by the signs in them, and whether they begin with a date.

    `alone`: they are one line, and nothing stands right above it.
    """
    date = _DATE.search(words)
    begins = date is not None and date.start() <= _DATE_NEAR_START
    wrote = WROTE.search(words) is not None or CITES.match(words) is not None
    if date is not None and _has_own_words(words, wrote):
        return None, False
    addressed = _ADDRESS.search(words) is not None
    by_client = _IN_ANGLES.search(words) is not None
    sure = date is not None and (addressed or (wrote and _TIME.search(words) is not None))
    by_wrote = sure and wrote and (begins or has_colon)
    bare = sure and has_colon and begins and _is_bare(words, by_client)
    named = wrote and has_colon and alone and _ONLY_WRITER.match(words) is not None
    if (by_wrote or bare or named) and not _is_told(words, by_client):
        return Opener.ATTRIBUTION, begins
    if has_colon:
        return (Opener.INTRODUCTION if wrote or sure else None), begins
    # A date and an address may be a line of a list: an attribution only above a marked quote.
    return (Opener.INTRODUCTION if sure and begins else None), False


def _is_told(words: str, by_client: bool) -> bool:
    """Whether a person tells that somebody wrote."""
    if TOLD.search(words) is not None:
        return True
    return not by_client and _TO_THE_SECOND.search(words) is None and TELLS.search(words) is not None


def _is_bare(words: str, by_client: bool) -> bool:
    """Whether they are an attribution without a word for writing."""
    if by_client:
        return _BARE.match(words) is not None
    return _TIME.search(words) is not None and _BARE_BY.search(words) is not None


def _has_own_words(words: str, wrote: bool) -> bool:
    """Whether somebody's own words stand before the date: "Thank you! On Monday, 5 May … wrote:".

    Few stand there in any language: a preposition, the day, the month. A writer may, but then his address or
    the word for writing stands there, too; and so may the line of a device.
    """
    head = re.match(r"\D{0,500}", words)
    before = head[0] if head is not None else ""
    if "@" in before or before.startswith(DEVICES) or (wrote and WROTE.search(before)) or CITES.match(words):
        return False
    said = [word for word in (one.strip("\"'()<>[],.;-*_") for one in before.split()) if word]
    if len(said) > _MOST_BEFORE_DATE:
        return True
    return len(said) > 1 and said[0] not in AT_DATE and any(word in AT_DATE for word in said[1:])


def _goes_on(lines: Sequence[str], quoted: Sequence[bool], at: int) -> bool:
    return 0 <= at < len(lines) and not quoted[at] and bool(lines[at].strip())
