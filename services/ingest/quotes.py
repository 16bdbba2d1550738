"""Where quoting begins in a mail's text: attribution lines, separators, blocks of header fields. Pure.

Nothing here is tied to one client or language: a line is an attribution by what stands in it (a date, an
address, a word for writing, a colon at its end), and the words are in services/ingest/quote_words.py.

Never raises. Time is linear in the text: patterns are tried on bounded pieces of lines that can match at
all, and no pattern repeats a repetition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from services.ingest.quote_field_words import FIELD_KINDS
from services.ingest.quote_words import (
    ALL_MARKERS,
    CITES,
    FORWARDED,
    FORWARDED_BY,
    ORIGINAL,
    TOLD,
    WROTE,
    WROTE_LAST,
    folded,
)

LONGEST_OPENER = 500
"""Characters; what is longer is no attribution, separator or field name, whatever stands in it."""

MOST_WRAPPED = 4
"""Lines that one attribution may have been wrapped into."""

MOST_FIELDS = 40
"""Lines of a block of header fields; addressees may be wrapped into many."""

MOST_LOOKS = 2000
"""Lines that end like an attribution that are looked at; a text with more of them is no mail."""

LONGEST_CAPTION = 200
"""Characters of a line with words between dashes."""

_LONGEST_NAME = 40
_DATE_NEAR_START = 32
_WRAPPED_AT = 60
_ENDS = (":", "\N{FULLWIDTH COLON}")
_SENTENCE_ENDS = (".", "!", "?", ":", ";", "。")
_DASHES = "\N{HYPHEN}\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}\N{BOX DRAWINGS LIGHT HORIZONTAL}"
_DECORATION = f"-_=*#~>+ \t{_DASHES}"
_CAPTION = re.compile(rf"[-{_DASHES}]{{4,}}[^-\w]*\w.*[^-]?[-{_DASHES}]{{4,}}")
_ORNAMENT = "-_*= \t\xa0\u200e\u200f\u202c\u2069\ufeff"
_RULES = frozenset(_DECORATION) - {">", "+", "#"}

_DATE = re.compile(
    r"(?<!\d)(?:19|20)\d\d(?!\d)|(?<!\d)\d{1,2}[./-] ?\d{1,2}[./-] ?(?:\d{4}|\d\d)(?!\d)|\d[年년]"
    r"|(?<!\d)\d{1,2}\.? [^\W\d_]{3,12}\.? \d\d(?![\d:.])",
)
_TIME = re.compile(r"(?<!\d)\d{1,2}[:.h]\d\d(?!\d)")
_ADDRESS = re.compile(r"[\w.+-]@[\w\[-]")
_BARE = re.compile(
    r"\D{0,16}\d.{0,400}[\w.+-]@[\w.-]{1,200}[\])>\"' :]{0,8}$".replace(":", ":\N{FULLWIDTH COLON}")
)
"""A date first, and an address last: what some clients write without a word for writing."""
_RUN_ON = re.compile(r"@[\w.-]{1,100}>[^<>]{1,40}:$")
_WRITER_LAST = re.compile(r"<[^<>@\s]{1,80}@[^<>\s]{1,120}>[^<>.!?]{0,30}$")
_DIGITS = {
    zero + value: str(value)
    for zero in (0x660, 0x6F0, 0x966, 0x9E6, 0xBE6, 0xE50, 0xFF10)
    for value in range(10)
}
"""Digits of other scripts (Arabic, Persian, Hindi, Bengali, Tamil, Thai, full width) as those of ours."""

_QUOTE_MARK = re.compile(r" {0,3}>")


class Opener(StrEnum):
    """What begins a quote."""

    ATTRIBUTION = "attribution"
    INTRODUCTION = "introduction"
    """Names a writer, and is an attribution only where what follows is marked as quoted."""
    ORIGINAL = "separator"
    FORWARD = "forward"
    FIELDS = "header fields"
    MARKER = "marker line"


@dataclass(frozen=True, slots=True)
class Opening:
    """Lines `start` to `end` (exclusive) open a quote; `fields` is where its header fields start, if any."""

    kind: Opener
    start: int
    end: int
    fields: int | None = None


def is_marked(line: str) -> bool:
    """Whether the line is quoted by `>`; the `>From ` of mailbox files is not (RFC 4155)."""
    return _QUOTE_MARK.match(line) is not None and not line.startswith(">From ")


def unmarked(line: str) -> str:
    """A marked line without its outermost mark."""
    found = _QUOTE_MARK.match(line)
    if found is None:
        return line
    rest = line[found.end() :]
    return rest[1:] if rest.startswith(" ") else rest


def openings(lines: Sequence[str], quoted: Sequence[bool]) -> list[Opening]:
    """All openings among the lines that are not quoted, in order; none lies within another."""
    found: list[Opening] = []
    at, looks, fields_end = 0, 0, 0
    while at < len(lines):
        opening = None
        if not quoted[at]:
            opening, fields_end = _opening_at(lines, quoted, at, fields_end)
        if opening is None and not quoted[at] and looks < MOST_LOOKS and _may_end_attribution(lines[at]):
            looks += 1
            opening = _attribution(lines, quoted, at)
        if opening is None:
            at += 1
            continue
        # An attribution is seen at its last line; its first lines may already belong to another opening.
        if not found or opening.start >= found[-1].end:
            found.append(opening)
        at = opening.end
    return found


def rule_above(lines: Sequence[str], start: int) -> int:
    """The topmost of the rules (`_____`, `-- Caption --`) that lead to line `start`, if any; else `start`."""
    top, at = start, start
    while at > 0 and (not lines[at - 1].strip() or is_caption(lines[at - 1])):
        at -= 1
        if lines[at].strip():
            top = at
    return top


def is_caption(line: str) -> bool:
    """A rule, a few words between dashes across the page, whatever they say, or the words of a separator."""
    if is_rule(line):
        return True
    return len(line) <= LONGEST_CAPTION and (
        _CAPTION.fullmatch(line.strip()) is not None or folded(line) in ORIGINAL
    )


def is_rule(line: str) -> bool:
    """A line drawn by characters, across the page."""
    stripped = line.strip()
    return len(stripped) >= 5 and frozenset(stripped) <= _RULES


def header_fields(lines: Sequence[str], start: int) -> tuple[dict[str, str], int]:
    """The header fields at `start`, kind to value, and the line after them; empty when there are none.

    Fields may stand apart by an empty line or two, and may be wrapped. The first field of a kind counts.
    """
    found: dict[str, str] = {}
    end, current = start, ""
    for at in range(start, min(start + MOST_FIELDS, len(lines))):
        line = lines[at].strip()
        kind, value = _field(line)
        if kind:
            if kind not in found:
                found[kind] = value
            current, end = kind, at + 1
        elif line and current and at == end and _continues(lines, at):
            found[current] = f"{found[current]} {line}".strip()
            end = at + 1
        elif line or at > end + 1:
            break
    return found, end


def _opening_at(
    lines: Sequence[str], quoted: Sequence[bool], at: int, fields_end: int
) -> tuple[Opening | None, int]:
    """A separator or header fields at this line. No fields are looked for before `fields_end`, as they were
    found not to be a mail's; returned is where they now end."""
    line = lines[at].strip()
    if not line or len(line) > LONGEST_OPENER:
        return None, fields_end
    separator = _separator(line)
    if separator is not None:
        return _with_fields(lines, quoted, separator, at), fields_end
    if at >= fields_end and _field(line)[0]:
        fields, fields_end = header_fields(lines, at)
        if _is_of_a_mail(fields):
            return Opening(Opener.FIELDS, at, fields_end, at), fields_end
    return None, fields_end


def _with_fields(lines: Sequence[str], quoted: Sequence[bool], kind: Opener, at: int) -> Opening:
    """The separator, and the header fields below it, whatever they are."""
    below = at + 1
    while below < len(lines) and not lines[below].strip() and below - at < MOST_WRAPPED:
        below += 1
    if kind is Opener.MARKER or below >= len(lines) or quoted[below]:
        return Opening(kind, at, at + 1)
    fields, end = header_fields(lines, below)
    return Opening(kind, at, end, below) if "from" in fields else Opening(kind, at, at + 1)


def _separator(line: str) -> Opener | None:
    if line.casefold() in ALL_MARKERS:
        return Opener.MARKER
    if line[0].isalnum() and not line.endswith(_ENDS):
        return None
    core = line.strip(_DECORATION)
    words = folded(core)
    named = words.rstrip(" :\N{FULLWIDTH COLON}")
    if named in ALL_MARKERS:
        return Opener.MARKER
    decorated = line[:2].strip(_DECORATION) == "" and line[-2:].strip(_DECORATION) == "" and line != core
    if named in FORWARDED and (decorated or words != named):
        return Opener.FORWARD
    if decorated and words.startswith(FORWARDED_BY):
        return Opener.FORWARD
    wrote = is_caption(line) and named.rpartition(" ")[2] in WROTE_LAST  # "---- Ann Example wrote ----"
    return Opener.ORIGINAL if wrote or (decorated and named in ORIGINAL) else None


def _field(line: str) -> tuple[str, str]:
    """The kind of a header field and its value; the kind is empty for any other line."""
    name, colon, value = line.replace("\N{FULLWIDTH COLON}", ":", 1)[:LONGEST_OPENER].partition(":")
    if not colon or len(name) > _LONGEST_NAME:
        return "", ""
    return FIELD_KINDS.get(folded(name.strip("*_ \t\xa0")), ""), value.strip("*_ \t\xa0")


def _continues(lines: Sequence[str], at: int) -> bool:
    """Whether this line, no field itself, is the rest of the wrapped one above: another field follows, or the
    line above is as long as lines get."""
    for below in range(at + 1, min(at + MOST_WRAPPED, len(lines))):
        line = lines[below].strip()
        if not line:
            break
        if _field(line)[0]:
            return True
    return len(lines[at - 1].strip()) >= _WRAPPED_AT


def _is_of_a_mail(fields: dict[str, str]) -> bool:
    """Fields that a person fills in ("From: Rome, To: Oslo, Date: …") are not those of a mail."""
    if "from" not in fields:
        return False
    addressed = "date" in fields or "to" in fields
    return addressed and ("subject" in fields or _ADDRESS.search(fields["from"]) is not None)


def _may_end_attribution(line: str) -> bool:
    """Whether it ends with a colon, a word for writing, or an address in angle brackets."""
    if len(line) > LONGEST_OPENER:
        return False
    end = _head(line)
    if end.endswith(_ENDS) or (end.endswith(">") and "@" in end):
        return True
    return end[-_LONGEST_NAME:].rpartition(" ")[2].casefold() in WROTE_LAST


def _head(line: str) -> str:
    """The line up to its end, or up to where the quote begins on it, as one client has it: ":   Hello"."""
    before, gap, _ = line.partition(":  ")
    runs_on = gap and _RUN_ON.search(f"{before[-150:]}:") is not None
    return (f"{before}:" if runs_on else line).rstrip(_ORNAMENT)


def _attribution(lines: Sequence[str], quoted: Sequence[bool], at: int) -> Opening | None:
    """The attribution that ends at this line, or in one of the next, if it is wrapped behind a word that may
    be its last."""
    found = _ending_at(lines, quoted, at)
    if found is None or _head(lines[at]).endswith(_ENDS):
        return found
    for end in range(at + 1, min(at + MOST_WRAPPED - 1, len(lines))):
        if not _goes_on(lines, quoted, end):
            break
        if lines[end].rstrip(_ORNAMENT).endswith(_ENDS):
            longer = _ending_at(lines, quoted, end)
            return longer if longer is not None and longer.start <= found.start else found
    return found


def _ending_at(lines: Sequence[str], quoted: Sequence[bool], at: int) -> Opening | None:
    """The shortest attribution ending at this line that is one for sure and begins with a date."""
    best: Opening | None = None
    joined = ""
    has_colon = _head(lines[at]).endswith(_ENDS)
    for start in range(at, max(-1, at - MOST_WRAPPED), -1):
        line = _head(lines[start]) if start == at else lines[start].strip()
        if not line or quoted[start] or len(line) + len(joined) > LONGEST_OPENER:
            break
        joined = f"{line} {joined}".strip(_ORNAMENT)
        kind, dated = _attributed(folded(joined).translate(_DIGITS), has_colon)
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
        start -= len(above) <= _WRAPPED_AT and not above.endswith(_SENTENCE_ENDS)
    return Opening(found.kind, start, found.end)


def _attributed(words: str, has_colon: bool) -> tuple[Opener | None, bool]:
    """What folded words are by the signs in them, and whether they begin with a date."""
    date = _DATE.search(words)
    begins = date is not None and date.start() <= _DATE_NEAR_START
    addressed = _ADDRESS.search(words) is not None
    wrote = WROTE.search(words) is not None or CITES.match(words) is not None
    sure = date is not None and (addressed or (wrote and _TIME.search(words) is not None))
    if sure and TOLD.search(words) is None:
        if wrote and (begins or has_colon):
            return Opener.ATTRIBUTION, begins
        if has_colon and begins and _BARE.match(words):
            return Opener.ATTRIBUTION, begins
    if has_colon:
        return (Opener.INTRODUCTION if wrote or sure else None), begins
    # A date and an address may be a line of a list: an attribution only above a marked quote.
    return (Opener.INTRODUCTION if sure and begins else None), False


def _goes_on(lines: Sequence[str], quoted: Sequence[bool], at: int) -> bool:
    return 0 <= at < len(lines) and not quoted[at] and bool(lines[at].strip())
