"""Row 5: a disk runs full while mail comes in: MongoDB's, Kafka's, the embedded file's.

A server may go on and refuse to write, or end itself and be started again until there is room. Meanwhile no
event is set aside as dead, readiness says what is wrong, the API refuses what it cannot keep, and mail stays
on its server. When there is room again, all goes on by itself and nothing is lost or doubled.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from shared.domain.errors import Refused
from tests.chaos.harness import READY_WITHIN, Trial, on_cluster, on_embedded, size
from tests.chaos.test_stores import entered, under_load
from tests.conftest import missing
from tests.helpers import eventually
from tests.servers.small_disk import SmallDisk, small_disk

FULL = size(2, 30)
"""Seconds that a disk stays full after readiness has told so."""
ROUNDS = size(1, 4)
MAILS = size(40, 200)
ROOM = {"mongo": size(420, 800), "kafka": size(80, 300)}
"""MiB of a server's disk, more than all mail of a run takes: MongoDB's journal alone takes 300 of them."""
EMBEDDED_ROOM = size(40, 400)
BESIDE = ("logs", "outbox", "sandbox")
"""Folders of an embedded desk that lie on another disk, as a mail server and a log do."""

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("stores"),
    pytest.mark.usefixtures("local_servers"),
]


@contextmanager
def disk(folder: Path, mebibytes: int) -> Iterator[SmallDisk]:
    """A small disk there, or the test is skipped with the reason; where all is required, it fails."""
    try:
        mounted = small_disk(folder, mebibytes)
        with mounted as made:
            yield made
    except Refused as reason:
        missing("small disk", str(reason))


async def unready(trial: Trial, name: str) -> str:
    """What readiness says of this dependency; empty while it is content."""
    return next((said for said in await trial.ready() if f"{name}: " in said), "")


async def content(trial: Trial) -> bool:
    """Whether every process is ready."""
    return not await trial.ready()


async def refused(trial: Trial, ticket: str) -> bool:
    """Whether the API refuses an agent's answer now, and says so as it should; one that it takes counts."""
    key = f"{ticket}-{len(trial.replies)}"  # of the next answer: what was refused is asked for again by it
    try:
        said = await trial.program.client.post(
            f"/v1/tickets/{ticket}/reply", json={"text": "Sorry."}, headers={"Idempotency-Key": key}
        )
    except httpx2.TransportError:
        return False
    if said.status_code < 300:
        trial.replies.append(ticket)
        return False
    assert (said.status_code, said.json()["code"]) == (503, "unavailable"), said.text
    return True


def write_tables(trial: Trial) -> None:
    """Have MongoDB do now what it does each minute: until then it lives from the room in its journal."""
    with MongoClient[dict[str, Any]](trial.program.ready["mongo"]) as client, suppress(PyMongoError):
        client.admin.command("fsync")


async def run_full(trial: Trial, small: SmallDisk, name: str, *, refuses: bool) -> None:
    """Mail comes in, the disk runs full and stays so for a while; at the end all must be ready again."""
    known = trial.store.count("ledger")
    coming = await under_load(trial, MAILS)
    await entered(trial, known + 5)
    ticket = next(iter(trial.store.documents("tickets")))["id"]
    await asyncio.to_thread(small.fill)
    began = time.monotonic()
    if name == "mongo":
        await asyncio.to_thread(write_tables, trial)
    try:
        await eventually(lambda: unready(trial, name), awaited=f"readiness names {name}", within=60)
        if refuses:
            await eventually(lambda: refused(trial, ticket), awaited="the API refuses to write", within=60)
        await asyncio.sleep(FULL)  # the outage itself
    finally:
        small.free()
    trial.outage = max(trial.outage, time.monotonic() - began + 15.0)
    await coming
    await trial.answer(ticket, "Sorry.")
    await eventually(lambda: content(trial), awaited="everything ready again", within=READY_WITHIN)


@pytest.mark.parametrize("server", ["mongo", "kafka"])
async def test_a_server_whose_disk_runs_full_delays_mail_and_loses_none(tmp_path: Path, server: str) -> None:
    with disk(tmp_path / server / "data", ROOM[server]) as small:
        async with on_cluster(f"the disk of {server} full", tmp_path) as trial:
            trial.killer.doomed.add(server)
            for _ in range(ROUNDS):
                await run_full(trial, small, server, refuses=server == "mongo")
            await trial.judge()


async def test_an_embedded_desk_whose_disk_runs_full_goes_on_without_a_restart(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    with disk(data, EMBEDDED_ROOM) as small:
        for name in BESIDE:
            (elsewhere / name).mkdir(parents=True)
            (data / name).symlink_to(elsewhere / name)
        (data / "sent.jsonl").symlink_to(elsewhere / "sent.jsonl")
        async with on_embedded("embedded, its disk full", data) as trial:
            process = trial.program.process.pid
            for _ in range(ROUNDS):
                await run_full(trial, small, "store", refuses=True)
            await trial.judge()
            assert (trial.program.process.pid, trial.program.process.returncode) == (process, None)
