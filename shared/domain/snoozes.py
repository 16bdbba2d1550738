"""A snooze: the timer that opens a ticket again which was put on hold until an instant."""

from shared.domain.documents import Instant, Sleeper
from shared.domain.ids import derived


def snooze_id(ticket_id: str, version: int) -> str:
    """One a ticket and version of it: that of the event which tells of the snooze."""
    return derived("snz", ticket_id, str(version))


class Snooze(Sleeper):
    """See the module. `wake_at` is `until` at first, later while somebody holds it, None when it has fired.

    It opens the ticket only if that is still on hold until this very instant.
    """

    ticket_id: str
    until: Instant
    fired_at: Instant | None = None
