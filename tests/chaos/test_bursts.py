"""Rows 14 and 15: a burst, a backlog from before the start, and one thread that everybody writes on."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.harness import on_cluster, on_embedded, size
from tests.chaos.load import Shares

pytestmark = [
    pytest.mark.timeout(3000),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


async def test_a_burst_is_taken_in_whole_and_in_order(tmp_path: Path) -> None:
    mails = size(1_000, 10_000)
    async with on_cluster("burst", tmp_path, replicas=2) as trial:
        await trial.deliver(mails)
        trial.outage = mails / 50
        await trial.judge(within=mails / 10)


async def test_a_hot_thread_keeps_its_order_and_stays_one_ticket(tmp_path: Path) -> None:
    """Row 15: half of all mail is on one ticket."""
    mails = size(150, 5_000)
    async with on_cluster("hot key", tmp_path, replicas=2, shares=Shares(follow_up=0.0)) as trial:
        await trial.deliver(3)
        for _ in range(10):
            hot = trial.load.follow_ups(mails // 10)
            await asyncio.to_thread(trial.load.deliver, hot)
            await trial.deliver(mails // 10)
        trial.outage = mails / 25
        run = await trial.judge(within=60 + mails / 10)
        hottest = max(run.tickets, key=lambda ticket: sum(one.ticket == ticket for one in run.kept))

        assert sum(one.ticket == hottest for one in run.kept) > mails * 0.9


async def test_a_backlog_from_before_the_start_is_drained(tmp_path: Path) -> None:
    mails = size(300, 10_000)
    async with on_embedded("backlog at the start", tmp_path) as trial:
        await trial.program.kill()
        await trial.deliver(mails)
        await trial.reborn()
        trial.outage = mails / 25
        await trial.judge(deaths=1, within=60 + mails / 10)
