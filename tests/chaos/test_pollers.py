"""Row 8: two processes that may read one mailbox, and one that is stopped for longer than its lease."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from tests.chaos.harness import Trial, on_cluster, size
from tests.helpers import eventually, standing_still

LEASES = {"OMBUD_INGEST__LEASE_SECONDS": "3"}

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


def holder(trial: Trial) -> str:
    """Who has the mailbox's lease."""
    return str(next(one["owner"] for one in trial.store.documents("leases")))


def another(trial: Trial, than: str) -> bool:
    return holder(trial) not in ("", than)


async def test_a_reader_that_slept_through_its_lease_is_fenced(tmp_path: Path) -> None:
    rounds = size(2, 20)
    async with on_cluster("two pollers, leases lost", tmp_path, replicas=2, settings=LEASES) as trial:
        for _ in range(rounds):
            await trial.deliver(40)
            first = await eventually(lambda: holder(trial), awaited="somebody reads the mailbox", within=30)
            with standing_still(trial.program.pid_of(first)):
                await eventually(partial(another, trial, first), awaited="another took it over", within=60)
                await trial.deliver(40)
        # Not killed: the one that stood still goes on, finds its lease lost, and stands by.
        trial.outage = 30.0
        run = await trial.judge()

        assert not run.deaths
        assert trial.samples.compared


async def test_both_processes_that_collect_are_killed_in_turn(tmp_path: Path) -> None:
    kills = size(4, 30)
    async with on_cluster("pollers killed", tmp_path, replicas=2, settings=LEASES) as trial:
        killing = asyncio.create_task(trial.killer.rampage(["ingest-1", "ingest-2"], kills, pause=1.0))
        await asyncio.to_thread(trial.load.stream, 20.0, float(size(6, 60)))
        await killing
        trial.outage = 30.0
        await trial.judge(deaths=kills)
