"""How soon a consumer fetches again: at once while little happens, in steps under load. No I/O.

Each fetch costs the bus one round, and what follows from its records costs the stores one round each; so
records that come in together cost far less than the same records one by one. Under load a member therefore
lets records gather for `STEP` before it fetches.

Promises:
- A record that comes after a quiet time is fetched at once; below `BUSY` records a second nothing waits.
- A fetch that brought much is followed by the next one at once: a backlog is read as fast as it can be.
- A record waits for `STEP` at most on the embedded bus, and on Kafka twice that, for aiokafka fetches ahead.
"""

from collections.abc import Sequence

from shared.ports.bus import Record
from shared.ports.clock import Clock

STEP = 0.05
"""Seconds between two fetches under load. A whole way has three readers one behind the other."""

BUSY = 100.0
"""Records a second from which on it is load."""

MANY = 64
MANY_BYTES = 64 * 1024
"""A fetch that brought so many records, or so many bytes, is worth its round: no need to let more gather."""

LOOK_SECONDS = 1.0
"""How long is counted before a rate is told."""


class Pace:
    """Of one subscription; told of every fetch."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()
        self._counted = 0
        self._busy = False

    def pause_after(self, records: Sequence[Record]) -> float:
        """Seconds to wait before the next fetch, after one that brought these."""
        self._count(len(records))
        if not self._busy or len(records) >= MANY:
            return 0.0
        return STEP if sum(len(record.value) for record in records) < MANY_BYTES else 0.0

    def _count(self, taken: int) -> None:
        self._counted += taken
        now = self._clock.monotonic()
        if now - self._since >= LOOK_SECONDS:
            self._busy = self._counted >= BUSY * (now - self._since)
            self._since, self._counted = now, 0
