"""Two judgements about a consumer, out of plain numbers: too much goes dead; nothing comes. No I/O."""

from collections import deque

from shared.domain.errors import OmbudError
from shared.ports.clock import Clock

LEAST_SEEN = 20
"""Records to have seen before a share of them means anything."""

LONGEST_UNASSIGNED = 3600.0
"""Seconds at most between two attempts to be given partitions."""


class Silent(OmbudError):
    """The consumer hears nothing although something is there: end the process, so that it starts anew.

    aiokafka may stop fetching for good after an outage without an error (aiokafka#625, #703, #992).
    """

    code = "silent"


class DeadShare:
    """Whether too large a share of the last records goes dead: then they are not at fault, but we are."""

    def __init__(self, share: float, window: int) -> None:
        self._share = share
        self._seen: deque[bool] = deque(maxlen=window)
        self._least = min(LEAST_SEEN, window)
        self._dead = 0

    def note(self, *, dead: bool) -> bool:
        """Count one record; returns whether it is one dead too many."""
        seen = self._seen
        if len(seen) == seen.maxlen and seen[0]:
            self._dead -= 1
        seen.append(dead)
        if not dead:
            return False
        self._dead += 1
        return len(seen) >= self._least and self._dead > self._share * len(seen)

    def told(self) -> str:
        """The numbers, for a person."""
        return f"{self._dead} of the last {len(self._seen)} events could not be handled"


class Watch:
    """Tells when a consumer stands still without knowing it."""

    def __init__(self, clock: Clock, silent_after: float) -> None:
        self._clock = clock
        self._silent_after = silent_after
        self._turned_at = self._heard_at = clock.monotonic()
        self._unassigned_since: float | None = None
        self._patience = silent_after
        self._behind = 0

    def turned(self) -> None:
        """The reading loop is alive."""
        self._turned_at = self._clock.monotonic()

    def heard(self) -> None:
        """Records came, or are at work, or the bus said itself that it is down: no silence."""
        self._turned_at = self._heard_at = self._clock.monotonic()

    def lagging(self, behind: int) -> None:
        """So many records lie behind the committed offset."""
        self._behind = behind

    def check(self) -> None:
        """Raises `Silent`."""
        now = self._clock.monotonic()
        if now - self._turned_at >= self._silent_after:
            raise Silent(f"the bus has not come back from a call for {now - self._turned_at:.0f} s")
        if self._behind > 0 and now - self._heard_at >= self._silent_after:
            raise Silent(f"{self._behind} records wait, and none came for {now - self._heard_at:.0f} s")

    def forsaken(self, *, assigned: bool) -> bool:
        """Whether to join anew: without partitions for too long, and each time for twice as long.

        With more members than partitions it is in order to have none, which cannot be told from having been
        forgotten by the group (aiokafka#625); so the process is not ended for it.
        """
        now = self._clock.monotonic()
        if assigned:
            self._unassigned_since, self._patience = None, self._silent_after
            return False
        if self._unassigned_since is None:
            self._unassigned_since = now
        if now - self._unassigned_since < self._patience:
            return False
        self._unassigned_since = now
        self._patience = min(2 * self._patience, max(LONGEST_UNASSIGNED, self._silent_after))
        return True
