"""Whether a run is drained: every delivery is in the ledger, nothing waits on the bus or in an outbox, no
letter is queued, all is triaged, and no timer is due.
"""

import asyncio
from datetime import UTC, datetime

from tests.chaos.evidence import Evidence
from tests.chaos.offsets import DEAD, KafkaOffsets, SqliteOffsets
from tests.chaos.oracle import Store, read_store

PUBLISHING = ("tickets", "letters", "deadlines")
"""Collections whose documents have outboxes."""

Offsets = KafkaOffsets | SqliteOffsets


async def under_way(store: Store, offsets: Offsets, copies: int) -> list[str]:
    """Why a run of so many deliveries is not drained yet, a few sentences; empty when it is."""
    entered = await asyncio.to_thread(store.count, "ledger")
    if entered < copies:
        return [f"{entered} of {copies} deliveries are in the ledger"]
    lag = {name: n for name, n in (await offsets.lag()).items() if n and not name.endswith(DEAD)}
    waits = [f"lag of {name}: {n}" for name, n in lag.items()]
    waits += [
        f"{n} {kind} are unpublished"
        for kind in PUBLISHING
        if (n := await asyncio.to_thread(store.unpublished, kind))
    ]
    if waits:
        return waits
    run = Evidence()
    await asyncio.to_thread(read_store, store, run)
    waits += [f"letter {one.id} is queued" for one in run.letters if one.state == "queued"][:3]
    waits += [f"ticket {one} waits for triage" for one in run.untriaged][:3]
    now = datetime.now(UTC)
    due = [one for one in run.timers if one.state == "running" and one.due_at < now]
    return waits + [f"{one.target} of ticket {one.ticket} is due" for one in due][:3]
