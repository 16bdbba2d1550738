"""Where quoting begins in a mail's text: attribution lines, separators, blocks of header fields. Pure.

Nothing here is tied to one client or language: the words are in services/ingest/quote_words.py.
Attribution lines have services/ingest/quote_attributions.py to themselves.

Never raises. Time is linear in the text: patterns are tried on bounded pieces of lines that can match at
all, and no pattern repeats a repetition.
"""

import re
from collections.abc import Sequence

from services.ingest.quote_attributions import attribution, has_date_and_time, may_end_attribution
from services.ingest.quote_field_words import FIELD_KINDS, SENT
from services.ingest.quote_openers import ENDS, LONGEST_OPENER, MOST_WRAPPED, WRAPPED_AT, Opener, Opening
from services.ingest.quote_words import (
    ALL_MARKERS,
    FORWARDED,
    FORWARDED_BY,
    MARKER_PHRASE,
    ORIGINAL,
    ORIGINAL_IN_RULES,
    WROTE_LAST,
    folded,
)

MOST_FIELDS = 40
"""Lines of a block of header fields; addressees may be wrapped into many."""

MOST_LOOKS = 2000
"""Lines that end like an attribution that are looked at; a text with more of them is no mail."""

LONGEST_CAPTION = 200
"""Characters of a line with words between dashes."""

_LONGEST_NAME = 40
_ADDRESS = re.compile(r"[\w.+-]@[\w\[-]")
_DASHES = "\N{HYPHEN}\N{EM DASH}\N{EN DASH}\N{HORIZONTAL BAR}\N{BOX DRAWINGS LIGHT HORIZONTAL}"
_DECORATION = f"-_=*#~>+ \t{_DASHES}"
_CAPTION = re.compile(rf"[-{_DASHES}]{{4,}}[^-\w]*\w.*[^-]?[-{_DASHES}]{{4,}}")
_RULES = frozenset(_DECORATION) - {">", "+", "#"}

_CAPTION_RUN_ON = re.compile(rf"[-{_DASHES}]{{4,}} ?([^-]{{4,60}}?) ?[-{_DASHES}]{{4,}} ?\w")
_QUOTE_MARK = re.compile(r" {0,3}>")
_NAME_IN_MARKS = re.compile(r">>> .{1,200} >>>\s{0,20}")
_STARTS_OF_ORIGINAL = tuple(f"{words} " for words in ORIGINAL)
_STARTS_OF_FORWARDED = tuple(f"{words} " for words in FORWARDED)


def is_marked(line: str) -> bool:
    """Whether the line is quoted by `>`.

    The `>From ` of mailbox files is not (RFC 4155), nor is the attribution of one client.
    """
    if _QUOTE_MARK.match(line) is None or line.startswith(">From "):
        return False
    return not _is_name_in_marks(line)


def _is_name_in_marks(line: str) -> bool:
    """ ">>> Ann Example <ann@example.com> 05.03.2025 9:15 >>>": how one client leads to what it quotes."""
    return line.startswith(">>> ") and _NAME_IN_MARKS.fullmatch(line) is not None and has_date_and_time(line)


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
        if opening is None and not quoted[at] and looks < MOST_LOOKS and may_end_attribution(lines[at]):
            looks += 1
            opening = attribution(lines, quoted, at)
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

    Fields may stand apart by an empty line or two, and may be wrapped. The first field of a kind counts. The
    date of sending is there as "sent", too, if its name says that it is one.
    """
    found: dict[str, str] = {}
    end, current = start, ""
    for at in range(start, min(start + MOST_FIELDS, len(lines))):
        line = lines[at].strip()
        kind, value = _field(line)
        if kind:
            if kind == SENT:
                found.setdefault(SENT, value)
                kind = "date"
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
    if _is_marker(line.casefold()):
        return Opener.MARKER
    if line[0].isalnum() and not line.endswith(ENDS):
        return None
    core = line.strip(_DECORATION)
    words = folded(core)
    named = words.rstrip(" :\N{FULLWIDTH COLON}")
    if _is_marker(named):
        return Opener.MARKER
    decorated = line[:2].strip(_DECORATION) == "" and line[-2:].strip(_DECORATION) == "" and line != core
    by_somebody = decorated and words.startswith(FORWARDED_BY)
    if by_somebody or (named in FORWARDED and (decorated or words != named)):
        return Opener.FORWARD
    if (decorated and named in ORIGINAL) or _is_name_in_marks(line):
        return Opener.ORIGINAL
    return _captioned(line, named)


def _captioned(line: str, words: str) -> Opener | None:
    """What words are that stand between dashes across the page; a telephone puts fields behind them."""
    run_on = _CAPTION_RUN_ON.match(line)
    if run_on is not None:
        words = f"{folded(run_on[1])} "
    elif not is_caption(line):
        return None
    wrote = words.rpartition(" ")[2] in WROTE_LAST  # "---- Ann Example wrote ----"
    if wrote or words in ORIGINAL_IN_RULES or words.startswith(_STARTS_OF_ORIGINAL):
        return Opener.ORIGINAL
    return Opener.FORWARD if words.startswith(_STARTS_OF_FORWARDED) else None


def _is_marker(words: str) -> bool:
    return words in ALL_MARKERS or ("line" in words and MARKER_PHRASE.fullmatch(words) is not None)


def _field(line: str) -> tuple[str, str]:
    """The kind of a header field and its value; the kind is empty for any other line."""
    name, colon, value = line.replace("\N{FULLWIDTH COLON}", ":", 1)[:LONGEST_OPENER].partition(":")
    if not colon or len(name) > _LONGEST_NAME:
        return "", ""
    return FIELD_KINDS.get(folded(name.strip("*_ \t\xa0")), ""), value.strip("*_ \t\xa0")


def _continues(lines: Sequence[str], at: int) -> bool:
    """Whether this line, no field itself, is the rest of the wrapped one above: another field follows, the
    line above is as long as lines get, or an address began on it."""
    for below in range(at + 1, min(at + MOST_WRAPPED, len(lines))):
        line = lines[below].strip()
        if not line:
            break
        if _field(line)[0]:
            return True
    above = lines[at - 1].strip()
    return len(above) >= WRAPPED_AT or above.rfind("<") > above.rfind(">")


def _is_of_a_mail(fields: dict[str, str]) -> bool:
    """Fields that a person fills in ("From: Rome, To: Oslo, Date: …") are not those of a mail."""
    if "from" not in fields:
        return False
    if "to" in fields and has_date_and_time(fields.get(SENT, "")):
        return True
    addressed = "date" in fields or "to" in fields
    return addressed and ("subject" in fields or _ADDRESS.search(fields["from"]) is not None)
