"""Kafka and MongoDB frozen and killed under traffic: readiness says so, nothing is lost or doubled."""

import asyncio
import json
import os
import signal
from collections import Counter
from pathlib import Path

import httpx2
import pytest

from deploy.local.cluster import SERVICES
from tests.helpers import eventually, standing_still
from tests.story.programs import Program, cluster, mail
from tests.story.test_cluster import whole_way

FROZEN = 5.0
"""Seconds that a server is frozen: longer than a ping waits, shorter than a group takes a member for dead."""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


async def faults(data: Path, service: str) -> dict[str, str]:
    """What readiness of this service names; empty when it is ready."""
    port = json.loads(data.joinpath("ports.json").read_text())[f"{service}-1"]
    async with httpx2.AsyncClient(timeout=10) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/readyz")
    found = {name: said for name, said in answer.json()["checks"].items() if said != "ok"}
    assert answer.status_code == (503 if found else 200)
    return found


async def all_ready(data: Path) -> bool:
    return not any([await faults(data, service) for service in SERVICES])


async def trouble(running: Program, data: Path, server: str, *, kill: bool) -> None:
    """Freeze or kill this server; return when it works again, or is started again by the supervisor."""
    pid = running.pid_of(server)
    if kill:
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: running.pid_of(server) != pid, awaited="the restart", within=60)
        return

    async def named() -> bool:
        return all([server in await faults(data, service) for service in SERVICES])

    with standing_still(pid):
        await eventually(named, awaited=f"every service names {server}", within=FROZEN + 10)
        await asyncio.sleep(FROZEN)  # the outage itself; nothing is awaited


async def test_no_mail_is_lost_and_none_is_doubled_while_servers_freeze_and_die(tmp_path: Path) -> None:
    tokens: set[str] = set()
    async with cluster(tmp_path) as running:
        for server in ("mongo", "kafka"):
            for what in ("frozen", "killed"):
                fresh = [f"{server}-{what}-{number}" for number in range(40)]
                tokens |= set(fresh)
                await asyncio.to_thread(running.append, *(mail(token) for token in fresh[:20]))
                working = asyncio.create_task(trouble(running, tmp_path, server, kill=what == "killed"))
                await asyncio.to_thread(running.append, *(mail(token) for token in fresh[20:]))
                await working
                await whole_way(running, tokens, within=90)
                await eventually(lambda: all_ready(tmp_path), awaited="all ready again", within=60)
        tickets = Counter(one["subject"] for one in await running.tickets())
        letters = Counter(letter["X-Envelope-To"] for letter in running.letters())
        died = {line["name"] for line in running.lines if line["event"] == "restarted"}

        assert (len(tickets), set(tickets.values())) == (len(tokens), {1})
        assert (len(letters), set(letters.values())) == (len(tokens), {1})
        assert died == {"mongo", "kafka"}
