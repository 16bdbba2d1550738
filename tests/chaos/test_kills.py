"""Row 1: every service killed with SIGKILL at random, again and again, while mail comes in."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.harness import SERVICES, on_cluster, size

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


async def test_nothing_is_lost_or_doubled_while_services_are_killed_at_random(tmp_path: Path) -> None:
    kills, mails = size(6, 50), size(200, 5000)
    async with on_cluster("kill -9 at random", tmp_path, replicas=2) as trial:
        names = [f"{service}-{number}" for service in SERVICES for number in (1, 2)]
        killing = asyncio.create_task(trial.killer.rampage(names, kills, pause=1.0))
        for _ in range(10):
            await trial.deliver(mails // 10)
            await asyncio.sleep(0.5)
        await killing
        await trial.judge(deaths=kills)
