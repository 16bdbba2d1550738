"""Rows 5 and 6: MongoDB frozen and killed while mail comes in; and the one process on an embedded file.

Nothing that was acknowledged may be gone, nothing set aside as dead, and all of it recovers by itself.
Full disks are in test_stores_full.py, a primary that others take over from in test_stores_members.py.
"""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.harness import Trial, on_cluster, on_embedded, size
from tests.helpers import eventually, standing_still

FROZEN = size(5, 20)
"""Seconds."""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("stores"),
    pytest.mark.usefixtures("local_servers"),
]


async def under_load(trial: Trial, mails: int) -> "asyncio.Task[None]":
    """Mail that comes in for as long as the fault needs to be noticed."""
    await trial.deliver(mails)
    return asyncio.create_task(asyncio.to_thread(trial.load.stream, mails / 5, 5.0))


async def entered(trial: Trial, count: int) -> None:
    """Wait until the ledger has so many entries: work is under way, and more of it waits."""
    await eventually(lambda: trial.store.count("ledger") >= count, awaited=f"{count} entries", within=60)


async def test_mongodb_frozen_and_killed_loses_and_doubles_nothing(tmp_path: Path) -> None:
    rounds, mails = size(2, 10), size(60, 300)
    async with on_cluster("MongoDB frozen and killed", tmp_path) as trial:
        for _ in range(rounds):
            coming = await under_load(trial, mails)
            with standing_still(trial.program.pid_of("mongo")):
                await asyncio.sleep(FROZEN)  # the outage itself
            await trial.killer.kill("mongo")
            await coming
        trial.outage = FROZEN + 10.0
        await trial.judge(deaths=rounds)


async def test_a_killed_mongodb_has_every_write_that_it_acknowledged(tmp_path: Path) -> None:
    """Row 6. A ledger entry that a client has seen is still there after the server was killed."""
    kills = size(2, 10)
    async with on_cluster("MongoDB killed after it acknowledged", tmp_path) as trial:
        for number in range(1, kills + 1):
            await trial.deliver(size(60, 300))
            await entered(trial, number * 20)
            before = {one["id"] for one in trial.store.documents("ledger")}
            await trial.killer.kill("mongo")
            after = {one["id"] for one in trial.store.documents("ledger")}
            assert before <= after
        trial.outage = 10.0
        await trial.judge(deaths=kills)


async def test_an_embedded_desk_killed_again_and_again_goes_on_where_it_was(tmp_path: Path) -> None:
    kills, mails = size(3, 30), size(50, 200)
    async with on_embedded("embedded, killed in mid-work", tmp_path) as trial:
        for _ in range(kills):
            before = trial.store.count("ledger")
            await trial.deliver(mails)
            await entered(trial, before + 5)
            await trial.reborn()
        trial.outage = 30.0
        await trial.judge(deaths=kills)
