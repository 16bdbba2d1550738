"""Growth: what a mail costs when the store holds 1,000, 10,000 or 100,000 tickets already.

The store is filled by `seed.py` with whole tickets (mails, letters, deadlines and all); then a burst goes the
whole way. Cost that grows with the store is a missing index or a list that is read from its beginning.
"""

from pathlib import Path

from bench.cluster import Cluster, Program, Run
from bench.options import Options
from bench.seed import Seeder, documents_of
from bench.table import Row
from bench.whole_way import burst


async def embedded(folder: Path, options: Options) -> list[Row]:
    """On `make run`."""
    async with Run(folder / "data") as running:
        return await _measured(running, options, "embedded")


async def cluster(folder: Path, options: Options) -> list[Row]:
    """On `make cluster`."""
    async with Cluster(folder / "data") as running:
        return await _measured(running, options, "cluster")


async def _measured(running: Program, options: Options, name: str) -> list[Row]:
    await burst(running, min(options.mails, 500), "warm")  # pools and caches fill, indexes are opened
    rows: list[Row] = []
    first_cost = first_rate = 0.0
    seeded = 0
    for tickets in options.tickets:
        async with documents_of(running) as documents:
            await Seeder(documents, whole=True).add(tickets - seeded)
        seeded = tickets
        done = await burst(running, options.mails, f"at{tickets}")
        seeded += options.mails
        first_cost = first_cost or done.spent_each()
        first_rate = first_rate or done.rate
        at = f"{name}, {tickets:,} tickets in the store"
        rows.append(Row(f"{at}: cost", done.spent_each(), "ms/mail", first_cost, "at the first size"))
        rows.append(Row(f"{at}: rate", done.rate, "mails/s", first_rate, "at the first size"))
        rows += [
            Row(f"  processor time: {process}", seconds / done.mails * 1000, "ms/mail")
            for process, seconds in sorted(done.spent.items(), key=lambda item: -item[1])
            if seconds / done.mails > 0.0001
        ]
    return rows
