"""The date of a mail, however its sender writes it. Pure; never raises; linear in its input.

The standard library reads what RFC 5322 §3.3 and §4.3 allow. Read besides: ISO 8601, clocks of twelve hours,
names of zones that the library does not know, dates in figures, month's names of other languages, a date
without a time. What can be read in two ways, as 4/5/2026, is no date: when the mail came is known anyway.
"""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from services.ingest.headers import unfolded, without_comments

_LONGEST = 1000
_CLOCK = re.compile(
    r"(?<![\d:+-])(\d{1,2}):(\d\d)(?::(\d\d))?(?![\d:])(?:\.\d{1,9})?(?:\s{0,3}([ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
_OFFSET = re.compile(r"(?<=[\s\d])([+-]\d\d):(\d\d)(?!\d)")
_ISO = re.compile(r"[\d-]{8,10}T\d")
_WHOLE = re.compile(
    r"(?:[A-Z][a-z]{2},?\s+)?\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}\s+\d\d:\d\d(?::\d\d)?\s+[+-]\d{4}(?!\d)"
)
"""A date as RFC 5322 has it, at the beginning of a field that goes on with something else."""

_LAST_WORD = re.compile(r"(?<=\d )[A-Za-z]{3,5}$")
_ZONES = {
    "wet": "+0000",
    "west": "+0100",
    "bst": "+0100",
    "cet": "+0100",
    "met": "+0100",
    "mez": "+0100",
    "cest": "+0200",
    "mest": "+0200",
    "mesz": "+0200",
    "sast": "+0200",
    "eet": "+0200",
    "eest": "+0300",
    "msk": "+0300",
    "pkt": "+0500",
    "wib": "+0700",
    "hkt": "+0800",
    "sgt": "+0800",
    "awst": "+0800",
    "jst": "+0900",
    "kst": "+0900",
    "aest": "+1000",
    "aedt": "+1100",
    "nzst": "+1200",
    "nzdt": "+1300",
    "brt": "-0300",
    "akst": "-0900",
    "akdt": "-0800",
    "hst": "-1000",
}
"""Those that mean one thing alone: not IST, which is India's, Israel's and Ireland's."""

_MONTHS = (
    ("jan", "ene", "gen", "янв", "sty"),
    ("feb", "fev", "fév", "фев", "lut"),
    ("mar", "mär", "mae", "mrz", "mrt", "мар"),
    ("apr", "abr", "avr", "апр", "kwi"),
    ("may", "mai", "mei", "maj", "mag", "май", "мая"),
    ("jun", "giu", "июн", "cze"),
    ("jul", "lug", "июл", "lip"),
    ("aug", "ago", "aoû", "aou", "авг", "sie"),
    ("sep", "set", "сен", "wrz"),
    ("oct", "okt", "ott", "out", "окт", "paź", "paz"),
    ("nov", "ноя", "lis"),
    ("dec", "dez", "dic", "déc", "des", "дек", "gru"),
)
_MONTH_OF = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names}
_MONTH_OF |= {"juin": 6, "juil": 7}  # which begin alike
_ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAY_MONTH = re.compile(
    r"(?<!\d)(\d{1,2})(?:\.|\s+de|-)?\s{0,3}([^\W\d_]{3,12})\.?(?:\s+de|,|-)?\s{0,3}(\d{4})(?!\d)"
)
_MONTH_DAY = re.compile(r"(?<!\w)([^\W\d_]{3,12})\.?\s{1,3}(\d{1,2}),?\s{1,3}(\d{4})(?!\d)")
_YEAR_FIRST = re.compile(r"(?<!\d)(\d{4})([-/.])(\d{1,2})\2(\d{1,2})(?!\d)")
_FIGURES = re.compile(r"(?<!\d)(\d{1,2})([-/.])(\d{1,2})\2(\d{4})(?!\d)")
_BEFORE = re.compile(r"\s*(?:[^\W\d_]{2,12}\.?,?\s*)?")
_AFTER = re.compile(r"[\s,]{0,3}(\d{2}:\d\d:\d\d)?\s{0,3}([+-]\d{4}|[A-Z]{1,4})?\s*", re.IGNORECASE)
_TWELVE_HOURS = re.compile(r"\d\s{0,3}[ap]\.?m\b", re.IGNORECASE)

Day = tuple[int, int, int]
"""Year, month, day."""


def date_of(raw: str) -> datetime | None:
    """The date in UTC (RFC 5322 §3.3); None when it is none."""
    found = written_date(raw)
    try:
        return found.astimezone(UTC) if found is not None else None
    except (ValueError, OverflowError):
        return None


def written_date(raw: str) -> datetime | None:
    """The date as the sender's clock had it, in the sender's zone; UTC when the field names none."""
    written = without_comments(unfolded(raw[:_LONGEST]))[0].replace("\0", " ").strip()
    plain = _plain(written)
    american = _TWELVE_HOURS.search(written) is not None
    whole = _WHOLE.match(written)
    for text in (whole[0] if whole is not None else "", plain, _in_english(plain, american)):
        for read in (parsedate_to_datetime, datetime.fromisoformat):
            try:
                found = read(text)
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return None


def _plain(written: str) -> str:
    """With a clock of 24 hours, and zones in figures, where they are none."""
    clocked = written if _ISO.match(written) else _OFFSET.sub(r"\1\2", _CLOCK.sub(_clock, written))
    named = _LAST_WORD.search(clocked)
    zone = _ZONES.get(named[0].lower()) if named is not None else None
    return clocked[: named.start()] + zone if named is not None and zone else clocked


def _clock(found: "re.Match[str]") -> str:
    """A leap second is the one before it: there is no other name for it in a `datetime`."""
    hour, second = int(found[1]), found[3] or "00"
    if found[4] and 1 <= hour <= 12:
        hour = hour % 12 + (12 if found[4] in "pP" else 0)
    return f"{hour:02}:{found[2]}:{'59' if second == '60' else second}"


def _in_english(written: str, american: bool) -> str:
    """A date in words or figures as RFC 5322 has it; empty when it is none. `american`: of two figures the
    first is the month, as in all places that have clocks of twelve hours and such dates."""
    for form in (_DAY_MONTH, _MONTH_DAY, _YEAR_FIRST, _FIGURES):
        found = form.search(written)
        if found is None or not _BEFORE.fullmatch(written, 0, found.start()):
            continue
        after = _AFTER.fullmatch(written, found.end())
        day = _day(form, found, american)
        if after is not None and day is not None:
            return (
                f"{day[2]} {_ENGLISH[day[1] - 1]} {day[0]} {after[1] or '00:00:00'} {after[2] or ''}".rstrip()
            )
    return ""


def _day(form: "re.Pattern[str]", found: "re.Match[str]", american: bool) -> Day | None:
    if form is _DAY_MONTH or form is _MONTH_DAY:
        day, word = (found[1], found[2]) if form is _DAY_MONTH else (found[2], found[1])
        name = word.casefold()
        month = _MONTH_OF.get(name[:4]) or _MONTH_OF.get(name[:3])
        return (int(found[3]), month, int(day)) if month else None
    if form is _YEAR_FIRST:
        year, month, last = int(found[1]), int(found[3]), int(found[4])
        return (year, month, last) if 1 <= month <= 12 else None
    return _of_figures(int(found[1]), found[2], int(found[3]), int(found[4]), american)


def _of_figures(first: int, between: str, second: int, year: int, american: bool) -> Day | None:
    """Slashes stand on both sides of the Atlantic; points and dashes are Europe's, day first."""
    if between == "/" and american:
        first, second = second, first
    elif between == "/" and first <= 12:
        if second <= 12 and first != second:
            return None
        first, second = second, first
    return (year, second, first) if 1 <= second <= 12 else None
