"""What `OMBUD_FAILPOINTS` may say: which places there are, what may happen there, and when. Pure.

`NAME=ACTION[@NTH]; …`, for example `ingest.published=kill@3; letter.sending=sleep:0.5`:

- `kill` sends SIGKILL to the very process, as a power cut would;
- `raise` raises `Unavailable`, as if the next step's dependency were down;
- `sleep:SECONDS` waits, so that a small window becomes a large one.

With `@NTH` it happens at the nth passing of that place alone (counted from 1, in each process), else at every
one. Raises `Refused` for a name or an action that does not exist, saying which do.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.errors import Refused


class Site(StrEnum):
    """Every failpoint; the sentence below a name says what it stands between."""

    INGEST_FETCHED = "ingest.fetched"
    """A batch of mails is fetched; the bus has none of it."""
    INGEST_PUBLISHED = "ingest.published"
    """The bus has acknowledged a batch; the mailbox's cursor has not moved."""
    INTAKE_MESSAGE = "intake.message"
    """A mail's message is stored; its ticket does not know of it."""
    INTAKE_TICKET = "intake.ticket"
    """A mail's message is on its ticket; the ledger has no entry for it."""
    CONSUMER_HANDLED = "consumer.handled"
    """Handlers have ended; their offsets are not committed."""
    OUTBOX_SAVED = "outbox.saved"
    """Documents are saved with their events; the events are not published."""
    OUTBOX_PUBLISHED = "outbox.published"
    """Events are published; the outboxes still hold them."""
    LETTER_SENDING = "letter.sending"
    """A letter is saved as `sending`; the relay lacks the end of its content."""
    LETTER_ENDED = "letter.ended"
    """The end of a letter's content has left; the relay's answer is not read."""
    LETTER_ANSWERED = "letter.answered"
    """The relay has answered for a letter; that is not saved."""
    TIMER_CLAIMED = "timer.claimed"
    """A due deadline is claimed; nothing is told of it."""
    TIMER_TOLD = "timer.told"
    """A ticket knows that its deadline is over; the deadline is not saved as fired."""


_ACTION = re.compile(r"(?P<verb>kill|raise|sleep:(?P<seconds>\d{1,4}(\.\d{1,3})?))(@(?P<nth>[1-9]\d{0,8}))?")


@dataclass(frozen=True, slots=True)
class Action:
    """`kill`, `raise` or `sleep`, at the `nth` passing alone; 0: at every one."""

    verb: str
    seconds: float
    nth: int


def parsed(text: str) -> dict[Site, Action]:
    """What the setting asks for. Raises `Refused` with every fault in it."""
    plan, faults = {}, []
    for part in filter(None, (one.strip() for one in text.split(";"))):
        name, _, action = (piece.strip() for piece in part.partition("="))
        found = _ACTION.fullmatch(action)
        if name not in set(Site):
            faults.append(f"there is no failpoint {name!r}, only {', '.join(Site)}")
        elif found is None:
            faults.append(f"{name} cannot {action!r}, only kill, raise or sleep:SECONDS, with @NTH or not")
        else:
            verb = found["verb"].partition(":")[0]
            plan[Site(name)] = Action(verb, float(found["seconds"] or 0), int(found["nth"] or 0))
    if faults:
        raise Refused("; ".join(faults))
    return plan
