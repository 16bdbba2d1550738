"""How soon one round to the bus follows the other: at once while little happens, in steps under load. No I/O.

A round costs the client and the bus much the same however little is in it, and what follows from its records
costs the stores one round each; so records that travel together cost far less than the same records one by
one. Under load whoever fetches or publishes therefore lets records gather for `STEP` between two rounds.

Promises:
- What comes after a quiet time goes at once; below `BUSY` records a second nothing waits.
- A round that moved much is followed by the next one at once: a backlog moves as fast as it can.
- A record waits for `STEP` at most to be published, `STEP` at most to be fetched on the embedded bus, and on
  Kafka twice that, for aiokafka fetches ahead.
"""

from collections.abc import Callable

STEP = 0.05
"""Seconds between two rounds under load. A mail's ticket stands after one of them, is triaged after three."""

BUSY = 100.0
"""Records a second from which on it is load."""

MANY = 64
MANY_BYTES = 64 * 1024
"""A round that moved so many records, or so many bytes, is worth its price: no need to let more gather."""

LOOK_SECONDS = 1.0
"""How long is counted before a rate is told."""


class Pace:
    """Of one subscription, or of one publisher; told of every round. `monotonic` gives seconds."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._since = monotonic()
        self._counted = 0
        self._busy = False

    def pause_after(self, records: int, octets: int) -> float:
        """Seconds to wait before the next round, after one that moved so many records of so many bytes."""
        self._count(records)
        return STEP if self._busy and records < MANY and octets < MANY_BYTES else 0.0

    def _count(self, records: int) -> None:
        self._counted += records
        now = self._monotonic()
        if now - self._since >= LOOK_SECONDS:
            self._busy = self._counted >= BUSY * (now - self._since)
            self._since, self._counted = now, 0
