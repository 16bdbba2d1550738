"""A deadline of a ticket, and the timer that fires when it passes: one document for both."""

from enum import StrEnum

from shared.domain.documents import Instant, Sleeper
from shared.domain.ids import derived


class Target(StrEnum):
    """What a deadline asks for."""

    FIRST_RESPONSE = "first_response"
    RESOLUTION = "resolution"


class DeadlineState(StrEnum):
    """What became of it."""

    RUNNING = "running"
    MET = "met"
    BREACHED = "breached"
    CANCELLED = "cancelled"


def deadline_id(ticket_id: str, target: Target, cycle: int) -> str:
    """One a ticket, target and cycle; a cycle is named by the version of the ticket that began it."""
    return derived("ddl", ticket_id, target.value, str(cycle))


class Deadline(Sleeper):
    """See the module. `wake_at` is `due_at` while it runs, later while somebody holds it, then None.

    `started_at` is what `due_at` is counted from; `ticket_version` is the version of the ticket that it was
    computed from; `explanation` says how.
    """

    ticket_id: str
    target: Target
    policy: str
    started_at: Instant
    due_at: Instant
    ticket_version: int
    state: DeadlineState = DeadlineState.RUNNING
    explanation: str = ""
    fired_at: Instant | None = None
