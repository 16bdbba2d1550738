"""The overview: how many tickets there are of each kind, kept up to date event by event.

Each ticket has a row that says as what it has been counted, and at which version. An event that is newer
than the row adds the difference between the row's facts and its own to a counter, then moves the row.

Why the counts are exact:

- *Repeats and late events*: an event that is not newer than the row is dropped. Facts are a state, not a
  change, so events that are skipped or overtaken are made up for by the next newer one.
- *A crash between counting and moving the row*: the bus gives the event again before any later one of its
  ticket. The row is as it was, so the difference is the same, and the counter knows its token and counts it
  no second time.
- *Two readers of one ticket* (a rebalance while one of them was paused): the later one starts where the
  earlier has not committed, so both count the same steps under the same tokens; of two that move the row one
  gets `Conflict`, comes again and finds the event dropped.
- *In one process* the reader and a refresh take turns at a ticket.

A counter remembers 2,000 tokens. Spread over 16 counters, that covers 32,000 events between a crash and the
repeat; a refresh (`overview.py`) repairs what lies beyond. A reader that was started on an old database with
a young topic has counted only what it read: run one refresh.

On failure: `Conflict` and `Unavailable` go to the runner, which calls again.
"""

import asyncio
import zlib
from collections import Counter
from weakref import WeakValueDictionary

from shared.domain.errors import Conflict, Duplicate, NotFound
from shared.domain.events import EVENTS, Facts, TicketEvent
from shared.domain.received import Received
from shared.runtime.service import Routes
from shared.stores.collections import OverviewRow
from shared.stores.stores import Stores

SHARDS = 16
CHANGES = "changes"
"""A number in each counter that only grows, so that a refresh sees that nothing was counted meanwhile."""

_BREACHED = "breached"
_TOTAL = "total"
_BY = ("status", "priority", "category", "sentiment", "handled_by")


def shard_of(ticket_id: str) -> int:
    """The counter a ticket is counted in; the same in every process."""
    return zlib.crc32(ticket_id.encode()) % SHARDS


def counter_of(shard: int) -> str:
    """The counter's name."""
    return f"overview.{shard:02d}"


def numbers_of(facts: Facts) -> Counter[str]:
    """What one ticket with these facts adds to the numbers: `total`, `status=open`, …"""
    numbers = Counter({_TOTAL: 1})
    for name in _BY:
        numbers[f"{name}={getattr(facts, name) or 'none'}"] = 1
    if facts.breached:
        numbers[_BREACHED] = 1
    return numbers


def difference(after: Counter[str], before: Counter[str]) -> dict[str, int]:
    """What has to be added to `before` to get `after`; without zeros."""
    changed = after.copy()
    changed.subtract(before)
    return {name: number for name, number in changed.items() if number}


class OverviewProjection:
    """Counts tickets; see the module."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def routes(self) -> Routes:
        """What the reader of the tickets' topic calls: every event that carries facts counts."""
        kinds = [kind for kind in EVENTS.values() if issubclass(kind, TicketEvent)]
        return dict.fromkeys(kinds, self.handle)

    async def handle(self, received: Received[TicketEvent]) -> None:
        """Count the ticket as the event leaves it."""
        event = received.event
        await self.count(event.ticket_id, event.version, event.facts)

    async def count(self, ticket_id: str, version: int, facts: Facts) -> bool:
        """Count the ticket by the facts it had at `version`; False when it was already.

        Raises `Conflict` when another process counts the same ticket, and `Unavailable`.
        """
        turn = self._turns.setdefault(ticket_id, asyncio.Lock())
        async with turn:
            return await self._count(ticket_id, version, facts)

    async def _count(self, ticket_id: str, version: int, facts: Facts) -> bool:
        try:
            row: OverviewRow | None = await self._stores.overview_rows.get(ticket_id)
        except NotFound:
            row = None
        if row is not None and version <= row.counted:
            return False
        shard = shard_of(ticket_id)
        by = difference(numbers_of(facts), numbers_of(row.facts) if row else Counter())
        if by:
            by[CHANGES] = 1
            await self._stores.documents.increment(counter_of(shard), by, once=f"{ticket_id}.{version}")
        await self._move(row, OverviewRow(id=ticket_id, shard=shard, counted=version, facts=facts))
        return True

    async def _move(self, row: OverviewRow | None, to: OverviewRow) -> None:
        to.version = 1 if row is None else row.version + 1
        if row is not None:
            await self._stores.overview_rows.save(to, if_version=row.version)
            return
        try:
            await self._stores.overview_rows.collection.insert(to)
        except Duplicate as error:
            raise Conflict(f"overview row {to.id}: another process counted it first") from error
