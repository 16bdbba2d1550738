"""The states of a ticket and the moves between them."""

from enum import StrEnum

from shared.domain.errors import MoveNotAllowed


class Status(StrEnum):
    """Where a ticket stands; what each means is in docs/tour.md."""

    NEW = "new"
    OPEN = "open"
    WAITING = "waiting"
    ON_HOLD = "on_hold"
    RESOLVED = "resolved"
    CLOSED = "closed"
    SPAM = "spam"


_ALIVE = (Status.OPEN, Status.WAITING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED)

MOVES: dict[Status, tuple[Status, ...]] = {
    Status.NEW: (*_ALIVE, Status.SPAM),
    Status.OPEN: (Status.WAITING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED, Status.SPAM),
    Status.WAITING: (Status.OPEN, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED, Status.SPAM),
    Status.ON_HOLD: (Status.OPEN, Status.WAITING, Status.RESOLVED, Status.CLOSED, Status.SPAM),
    Status.RESOLVED: (Status.OPEN, Status.CLOSED, Status.SPAM),
    Status.CLOSED: (Status.OPEN, Status.SPAM),
    Status.SPAM: (Status.OPEN,),
}
"""From each state, where a person may move the ticket."""

REOPENED_BY_REPLY = frozenset({Status.WAITING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED})
"""States that a customer's reply turns into `open`."""


def check_move(before: Status, after: Status) -> None:
    """Raise `MoveNotAllowed`, naming the moves there are, unless `before` may become `after`."""
    allowed = MOVES[before]
    if after not in allowed:
        names = ", ".join(allowed)
        raise MoveNotAllowed(
            f"a ticket that is {before} cannot become {after}; it may become {names}", allowed
        )
