"""Row 1: every service killed with SIGKILL at random, again and again, while mail comes in."""

import asyncio
from pathlib import Path

import pytest

from deploy.local.cluster import SERVICES
from tests.chaos.harness import Trial, on_cluster, size

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


SOON = {f"OMBUD_ESCALATION__FIRST_RESPONSE__{name}": "5" for name in ("CRITICAL", "HIGH", "MEDIUM", "LOW")}
QUICK = {"OMBUD_NOTIFY__ACCEPT_SECONDS": "10", "OMBUD_NOTIFY__MARGIN_SECONDS": "2"}
"""So soon a letter whose sender was killed has an outcome; 11 minutes as usual."""
BRAKES = {"OMBUD_NOTIFY__LEAD_BRAKE__TEN_MINUTES": "100000", "OMBUD_NOTIFY__BRAKE__DAY": "10"}
LEASE = 30.0
"""Seconds that a killed process keeps a timer, a letter or a mailbox that it had taken."""


async def answering(trial: Trial) -> None:
    """An agent who answers the newest ticket, again and again."""
    while True:
        await asyncio.sleep(1.0)  # agents take their time
        tickets = [one["id"] for one in trial.store.documents("tickets")]
        fresh = [one for one in tickets if one not in trial.replies]
        if fresh:
            await trial.answer(fresh[-1], "It is on its way.")


async def test_nothing_is_lost_or_doubled_while_services_are_killed_at_random(tmp_path: Path) -> None:
    kills, mails = size(6, 50), size(200, 5000)
    settings = SOON | QUICK | BRAKES
    async with on_cluster("kill -9 at random", tmp_path, replicas=2, settings=settings) as trial:
        names = [f"{service}-{number}" for service in SERVICES for number in (1, 2)]
        killing = asyncio.create_task(trial.killer.rampage(names, kills, pause=1.0))
        agent = asyncio.create_task(answering(trial))
        for _ in range(10):
            await trial.deliver(mails // 10)
            await asyncio.sleep(0.5)
        await killing
        assert not agent.done(), agent.exception()
        agent.cancel()
        trial.outage = LEASE + 10.0 + mails / 100
        await trial.drained()
        await trial.letters_ended(LEASE + 60.0)
        run = await trial.judge(deaths=kills)

        assert trial.replies, "proved nothing: nobody answered"
        assert any(timer.state == "breached" for timer in run.timers), "proved nothing: no timer fired"
