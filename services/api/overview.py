"""The overview as it is read, and its refresh: counting anew and correcting what was counted wrongly.

The refresh is safe while events are counted: a shard is judged only when nothing was added to its counter
while its rows were read, and every row stood at its ticket's version; then the rows' sum is what the counter
must hold. Corrections are added, never set, and once, so that they mix with whatever is counted meanwhile,
and two refreshes at once correct once. Shards that stay restless are reported, not touched.

Of each ticket it reads no more than it is counted by, a thousand at a time: for a million tickets that is
half a minute of this process, and between two pages others have their turn.

On failure: it stops where it is, with `Unavailable`; what it did so far is right, and it can be run again.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog
from pydantic import BaseModel

from services.api.projections import (
    CHANGES,
    SHARDS,
    OverviewProjection,
    counter_of,
    difference,
    numbers_of,
)
from shared.domain.errors import Conflict
from shared.domain.events import Facts
from shared.metrics import OVERVIEW_DRIFT
from shared.ports.clock import Clock
from shared.ports.documents import BY_ID, AnyOf
from shared.stores.collections import OverviewRow
from shared.stores.stores import Stores

log = structlog.get_logger()

_PAGE = 1000
_TRIES = 10
_SETTLE_SECONDS = 0.2
"""Between two looks at a restless shard: far longer than a reader needs from counting to moving the row."""


class Named(BaseModel):
    """Of a document, what it is called."""

    id: str


class Counted(BaseModel):
    """Of a ticket, what it is counted by; the fields are the ticket's, with its defaults."""

    id: str
    version: int
    status: str
    priority: str
    category: str | None = None
    sentiment: str | None = None
    handled_by: str = "unassigned"
    breached: list[str] = []

    def facts(self) -> Facts:
        """As the ticket's own `facts()`."""
        return Facts(
            status=self.status,
            priority=self.priority,
            category=self.category,
            sentiment=self.sentiment,
            handled_by=self.handled_by,
            breached=bool(self.breached),
        )


@dataclass
class Refreshed:
    """What a refresh found.

    `uncounted`: tickets whose latest event had not been counted yet, mostly because it was on its way.
    `difference`: at least so many tickets had been counted wrongly; 0 when the overview was right.
    `corrections`: what was added to its numbers. `unsettled`: shards in which too much happened to judge.
    """

    tickets: int = 0
    uncounted: int = 0
    difference: int = 0
    corrections: Counter[str] = field(default_factory=Counter)
    unsettled: int = 0


async def read_overview(stores: Stores) -> Counter[str]:
    """The numbers of all shards together; one query, however many tickets there are."""
    counters = await stores.documents.counters([counter_of(shard) for shard in range(SHARDS)])
    numbers: Counter[str] = Counter()
    for counter in counters.values():
        numbers.update(counter)
    del numbers[CHANGES]
    return numbers


async def refresh_overview(stores: Stores, clock: Clock, projection: OverviewProjection) -> Refreshed:
    """Count all tickets anew; see the module."""
    found = Refreshed()
    await _count_missing(stores, projection, found)
    for shard in range(SHARDS):
        await _judge(shard, stores, clock, projection, found)
    OVERVIEW_DRIFT.inc(found.difference)
    log.info(
        "overview.refreshed", tickets=found.tickets, difference=found.difference, unsettled=found.unsettled
    )
    return found


async def _count_missing(stores: Stores, projection: OverviewProjection, found: Refreshed) -> None:
    """Give every ticket a row: those of a topic that no longer holds their events have none."""
    after = ""
    while named := await stores.tickets.glance(Named, {}, _PAGE, after):
        ids = [ticket.id for ticket in named]
        rows = {row.id for row in await stores.overview_rows.glance(Named, {"id": AnyOf(ids)}, _PAGE)}
        found.tickets += len(ids)
        if missing := [ticket_id for ticket_id in ids if ticket_id not in rows]:
            # All at once: the store makes a few bulk calls of them.
            tickets = await _counted_by(stores, missing)
            await asyncio.gather(*(_catch_up(ticket, projection, found) for ticket in tickets.values()))
        after = ids[-1]


async def _counted_by(stores: Stores, ids: Sequence[str]) -> dict[str, Counted]:
    return {one.id: one for one in await stores.tickets.glance(Counted, {"id": AnyOf(ids)}, len(ids))}


async def _catch_up(ticket: Counted, projection: OverviewProjection, found: Refreshed) -> None:
    try:
        counted = await projection.count(ticket.id, ticket.version, ticket.facts())
    except Conflict:
        log.debug("overview.counted_meanwhile", ticket_id=ticket.id)
    else:
        found.uncounted += counted


async def _judge(
    shard: int, stores: Stores, clock: Clock, projection: OverviewProjection, found: Refreshed
) -> None:
    for _ in range(_TRIES):
        before = await _counted(stores, shard)
        summed, moved = await _sum(shard, stores, projection, found)
        if moved == 0 and await _counted(stores, shard) == before:
            await _correct(shard, before, summed, stores, found)
            return
        await clock.sleep(_SETTLE_SECONDS)
    found.unsettled += 1


async def _sum(
    shard: int, stores: Stores, projection: OverviewProjection, found: Refreshed
) -> tuple[Counter[str], int]:
    """The sum of the shard's rows, and how many of them were not at their ticket's version."""
    rows: Counter[Facts] = Counter()
    moved = 0
    after: str | None = None
    while True:
        page = await stores.overview_rows.find({"shard": shard}, BY_ID, _PAGE, after)
        # The rows first: a ticket that is read later and no newer proves that its row was up to date.
        tickets = await _counted_by(stores, [row.id for row in page.items])
        for row in page.items:
            ticket = tickets.get(row.id)
            if ticket is not None and ticket.version > row.counted:
                moved += 1
                await _catch_up(ticket, projection, found)
            elif ticket is not None and ticket.version == row.counted:
                moved += await _mend(row, ticket, stores)
            rows[row.facts] += 1
        after = page.after
        if after is None:
            return _summed(rows), moved


def _summed(rows: Counter[Facts]) -> Counter[str]:
    """The numbers of so many tickets of each kind: there are few kinds, however many tickets."""
    numbers: Counter[str] = Counter()
    for facts, times in rows.items():
        for name, number in numbers_of(facts).items():
            numbers[name] += times * number
    return numbers


async def _mend(row: OverviewRow, ticket: Counted, stores: Stores) -> bool:
    """Correct a row that says otherwise than its ticket at the same version; True when it was changed first.

    What its counter holds too much or too little is then found by the sum.
    """
    if row.facts == ticket.facts():
        return False
    row.facts = ticket.facts()
    row.touch()
    try:
        await stores.overview_rows.save(row, if_version=row.version - 1)
    except Conflict:
        return True
    return False


async def _counted(stores: Stores, shard: int) -> Counter[str]:
    counters = await stores.documents.counters([counter_of(shard)])
    return Counter(counters.get(counter_of(shard), {}))


async def _correct(
    shard: int, counted: Counter[str], summed: Counter[str], stores: Stores, found: Refreshed
) -> None:
    changes = counted.pop(CHANGES, 0)
    wrong = difference(summed, counted)
    if not wrong:
        return
    # Two refreshes that saw the same state give the same token: it is corrected once.
    await stores.documents.increment(counter_of(shard), {**wrong, CHANGES: 1}, once=f"refresh.{changes}")
    found.difference += max(abs(number) for number in wrong.values())
    found.corrections.update(wrong)
    log.warning("overview.corrected", shard=shard, numbers=len(wrong))
