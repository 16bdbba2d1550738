"""Row 5: MongoDB's primary changes while mail comes in: it steps down, is killed, is frozen and comes back.

As in production a replica set has three members here. Whoever was the primary, what a majority had confirmed
is there afterwards; the services find the new one by themselves, within seconds of its election.
"""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from deploy.local.mongo import ELECTION_MS
from tests.chaos.harness import LONG, Trial, on_cluster, size
from tests.chaos.oracle import MongoStore
from tests.chaos.test_stores import entered, under_load
from tests.helpers import eventually, standing_still

MEMBERS = 3
MAILS = size(40, 200)
ROUNDS = 5
STEPPED_DOWN = 10
"""Seconds for which a primary that stepped down does not stand for election."""
ELECTED_WITHIN = ELECTION_MS / 1000 + 30.0
"""Seconds, on a machine that is busy with mail."""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("stores"),
    pytest.mark.usefixtures("local_servers"),
]


def primary_of(trial: Trial) -> str:
    """The member that takes writes now, by its name; empty while there is none."""
    ports = json.loads((trial.data / "ports.json").read_text())
    try:
        with MongoClient[dict[str, Any]](
            trial.program.ready["mongo"], serverSelectionTimeoutMS=1000
        ) as client:
            client.admin.command("ping")
            port = client.primary[1] if client.primary else None
    except PyMongoError:
        return ""
    return next((name for name, known in ports.items() if known == port), "")


async def another_primary(trial: Trial, former: str) -> None:
    """Wait until the others have chosen one."""

    async def chosen() -> bool:
        return await asyncio.to_thread(primary_of, trial) not in ("", former)

    await eventually(chosen, awaited=f"a primary other than {former}", within=ELECTED_WITHIN)


async def step_down(trial: Trial, member: str) -> None:
    """As for the maintenance of its machine."""
    with MongoClient[dict[str, Any]](trial.program.ready["mongo"]) as client:
        await asyncio.to_thread(client.admin.command, "replSetStepDown", STEPPED_DOWN, force=True)
    await another_primary(trial, member)


async def kill(trial: Trial, member: str) -> None:
    """As its machine would die."""
    killing = asyncio.create_task(trial.killer.kill(member))
    await another_primary(trial, member)
    await killing


async def freeze(trial: Trial, member: str) -> None:
    """As a cut network: it comes back in the belief that it is the primary still."""
    pid = trial.program.pid_of(member)
    with standing_still(pid):
        await another_primary(trial, member)


async def test_a_primary_that_goes_takes_no_confirmed_write_with_it(tmp_path: Path) -> None:
    async with on_cluster("MongoDB's primary changes", tmp_path, mongo_members=MEMBERS) as trial:
        chance = random.Random(f"members {trial.seed}")
        faults = [step_down, kill, freeze] * ROUNDS if LONG else [step_down, chance.choice([kill, freeze])]
        chance.shuffle(faults)
        confirmed = MongoStore(f"{trial.program.ready['mongo']}&readConcernLevel=majority")
        for fault in faults:
            known = confirmed.count("ledger")
            coming = await under_load(trial, MAILS)
            await entered(trial, known + 5)
            primary = await asyncio.to_thread(primary_of, trial)
            before = {one["id"] for one in confirmed.documents("ledger")}
            await fault(trial, primary)

            def kept(before: set[str] = before) -> bool:
                return before <= {one["id"] for one in confirmed.documents("ledger")}

            await eventually(kept, awaited="every confirmed entry at the new primary", within=30)
            await coming
        trial.outage = ELECTED_WITHIN
        await trial.judge(deaths=faults.count(kill))
