"""The commands of an agent's mail, read from its new text. Pure, and linear in the text.

They stand in the first lines, one a line, in any case of letters; empty lines between them mean nothing:

    #reply             the text below goes to the customer
    #note              the text below is for colleagues
    #assign WHOM       a user's id or address, `me`, or `nobody`
    #status STATE      open, waiting, on_hold, resolved, closed, spam
    #snooze UNTIL      30m, 4h, 2d, 1w, or 2026-12-01, or 2026-12-01 14:30

The text may also begin on the line of #reply or #note. What mail programs do to such lines is taken off:
bullets, bold, escapes, spaces of all kinds, full-width signs. Everything else is `Invalid`, with a sentence
for the agent: text that no command says what to do with must reach nobody by mistake.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo

from shared.domain.errors import Invalid
from shared.domain.messages import LONGEST_SAID
from shared.domain.status import Status

NAMES = ("reply", "note", "assign", "status", "snooze")
ME, NOBODY = "me", "nobody"

LONGEST_SHOWN = 60
"""Characters of what was written that are given back in a reason."""

LONGEST_WHOM = 500
"""Characters behind #assign: an address, with a name perhaps."""

MORNING = time(9, 0)
"""When a ticket comes back that is put off until a day."""

_HOW = "begin the mail with #reply, #note, #assign, #status or #snooze, one a line"

_UNSEEN = "\u00ad\u200b-\u200f\u2060\ufeff\ufe0f\u20e3"
"""Characters that nobody sees, as a range of a pattern. Within text some have a meaning: there they stay."""

_BLANK = re.compile(rf"[\s{_UNSEEN}]*")
_COMMAND = re.compile(
    rf"[-*_\\\s{_UNSEEN}\u2022\u00b7\u2023\u25e6\u2013\u2014]*[#\uff03\ufe5f][\s{_UNSEEN}]{{0,3}}"
    rf"([a-z]{{1,20}})(?![a-z0-9-])[*_]*:?[*_]*[\s{_UNSEEN}]*(.*)",
    re.IGNORECASE | re.DOTALL,
)
_HIDDEN = re.compile(rf"[{_UNSEEN}]")
_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"']+")
_USER_ID = re.compile(r"usr_[0-9a-z]{1,60}")
_SPAN = re.compile(r"(\d{1,5})\s*([a-z]{1,7})")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:(?:\s+|t)(\d{1,2}):(\d\d))?")
_UNITS = {
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}


@dataclass(frozen=True, slots=True)
class Commands:
    """What a mail asks for. `says`: `reply`, `note` or neither; `assign`: `ME`, `NOBODY`, an id or an
    address. `snooze`: for so long, or until this time of the agent's clock."""

    names: list[str]
    says: str = ""
    text: str = ""
    assign: str = ""
    status: Status | None = None
    snooze: timedelta | datetime | None = None

    def until(self, at: datetime, zone: tzinfo) -> datetime | None:
        """When the snooze ends, if one was asked for `at` an instant by somebody whose clock is in `zone`.

        Raises `Invalid` for a time that no calendar has.
        """
        if self.snooze is None:
            return None
        try:
            end = at + self.snooze if isinstance(self.snooze, timedelta) else self.snooze.replace(tzinfo=zone)
            return end.astimezone(UTC)
        except (ValueError, OverflowError) as fault:
            raise Invalid("#snooze: there is no such time") from fault


def parse(text: str) -> Commands:
    """The commands at the top of an agent's new text. Raises `Invalid`; see the module."""
    lines = text.split("\n")
    found, at = _block(lines)
    if not found:
        raise Invalid(f"there is no command in its first line: {_HOW}")
    says = [name for name in found if name in ("reply", "note")]
    begun = [found[name] for name in says if found[name]]
    body = "\n".join([*begun, *(line.rstrip() for line in lines[at:])]).strip()
    _check_text(body, says)
    status = _status(found["status"]) if "status" in found else None
    snooze = _snooze(found["snooze"]) if "snooze" in found else None
    if snooze is not None and status not in (None, Status.ON_HOLD):
        raise Invalid(
            f"#snooze puts the ticket on hold, so it cannot become {status}: leave one of the two out"
        )
    if says == ["reply"] and status in (Status.NEW, Status.SPAM):
        raise Invalid(f"after a reply the ticket cannot be {status}: leave #status out, or #reply")
    return Commands(
        names=list(found),
        says=says[0] if says else "",
        text=body,
        assign=_whom(found["assign"]) if "assign" in found else "",
        status=status,
        snooze=snooze,
    )


def _block(lines: list[str]) -> tuple[dict[str, str], int]:
    """The commands at the top with what stands behind each, and the first line of the text below them."""
    found: dict[str, str] = {}
    for at, line in enumerate(lines):
        if _BLANK.fullmatch(line):
            continue
        command = _COMMAND.match(line)
        if command is None:
            return found, at
        name = command[1].lower()
        if name not in NAMES:
            offered = ", ".join(f"#{one}" for one in NAMES)
            raise Invalid(f"there is no command #{name}; there are {offered}")
        if name in found:
            raise Invalid(f"#{name} is there twice: once is enough")
        found[name] = "" if _BLANK.fullmatch(command[2]) else command[2].strip()
        if found[name] and name in ("reply", "note"):
            return found, at + 1
    return found, len(lines)


def _check_text(body: str, says: list[str]) -> None:
    """Nothing may be said to both, to nobody, or be half a command."""
    if len(says) > 1:
        raise Invalid("it has #reply and #note: send one mail for the customer and one for colleagues")
    if says and _BLANK.fullmatch(body):
        raise Invalid(f"there is no text below #{says[0]}")
    if body and not says:
        raise Invalid("there is text below the commands: #reply sends it to the customer, #note keeps it")
    if len(body) > LONGEST_SAID:
        raise Invalid(f"the text has {len(body)} characters: {LONGEST_SAID} are the most")
    for line in body.split("\n"):
        command = _COMMAND.match(line)
        if command is not None and command[1].lower() in NAMES:
            raise Invalid(f"#{command[1].lower()} stands within the text: commands stand above all of it")


def _argument(written: str) -> str:
    return " ".join(_HIDDEN.sub("", written).strip().strip("*_.,;").lower().split())


def _whom(written: str) -> str:
    named = _argument(written)
    if named in (ME, NOBODY) or _USER_ID.fullmatch(named):
        return named
    within = named.replace("mailto:", "") if len(named) <= LONGEST_WHOM else ""  # the pattern is quadratic
    addresses = dict.fromkeys(one.rstrip(".") for one in _ADDRESS.findall(within))
    if len(addresses) != 1:
        raise Invalid("#assign needs the id or the address of one user, or me, or nobody")
    return str(next(iter(addresses)))


def _status(written: str) -> Status:
    named = _argument(written).replace("-", "_").replace(" ", "_")
    try:
        return Status(named)
    except ValueError as fault:
        states = ", ".join(one for one in Status if one is not Status.NEW)
        shown = named[:LONGEST_SHOWN]
        raise Invalid(f"there is no state {shown!r}; there are {states}") from fault


def _snooze(written: str) -> timedelta | datetime:
    named = _argument(written)
    if (span := _SPAN.fullmatch(named)) and span[2] in _UNITS:
        return int(span[1]) * _UNITS[span[2]]
    if day := _DAY.fullmatch(named):
        try:
            begins = datetime.fromisoformat(day[1])
            when = time(int(day[2]), int(day[3])) if day[2] else MORNING
            return datetime.combine(begins, when)
        except ValueError as fault:
            raise Invalid(f"#snooze: there is no such time as {named}") from fault
    raise Invalid("#snooze needs a time such as 4h, 2d, 1w, 2026-12-01 or 2026-12-01 14:30")
