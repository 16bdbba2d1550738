"""The whole way: mails in the mailbox → tickets, triaged, deadlines set, acknowledgements taken by SMTP.

All services, all servers and the load share the machine. The processor time of each process, a mail, is the
profile: it says what holds the figure.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from pymongo import MongoClient

from bench.cluster import Cluster, Program, Run, cpu_seconds, with_children
from bench.mails import mail
from bench.table import Row
from services.ingest.parsing import parse
from services.sandbox.maildrop import make_maildir

GOAL = ">= 500"
GIVE_UP = 300.0
"""Seconds."""

Count = Callable[[], dict[str, int]]


async def embedded(folder: Path, mails: int) -> list[Row]:
    """`make run`: one process on SQLite, the mailbox served by Dovecot where there is one."""
    async with Run(folder / "data") as running:
        return await _measured(
            running, mails, lambda: _count_sqlite(folder / "data" / "ombud.sqlite"), "embedded"
        )


async def cluster(folder: Path, mails: int) -> list[Row]:
    """`make cluster`: each service a process, on Kafka and MongoDB."""
    async with Cluster(folder / "data") as running:
        client: MongoClient[dict[str, object]] = MongoClient(running.ready["mongo"])
        try:
            return await _measured(running, mails, lambda: _count_mongo(client), "Kafka and MongoDB")
        finally:
            client.close()


async def _measured(running: Program, mails: int, count: Count, name: str) -> list[Row]:
    maildir = make_maildir(Path(running.ready["outbox"]).parent / "sandbox" / "mail" / "support")
    address = running.ready["address"]
    await _settled(count)
    before = count()
    target = {key: value + mails * (2 if key == "deadlines" else 1) for key, value in before.items()}
    raws = [mail(number, address) for number in range(mails)]
    cpu = _cpu(running)
    started = time.perf_counter()
    await asyncio.to_thread(_deliver, maildir, raws)
    seconds = await _until(count, target, started)
    spent = {key: value - cpu.get(key, 0.0) for key, value in _cpu(running).items()}
    rows = [
        Row(
            f"whole way, {name}",
            mails / seconds,
            "mails/s",
            _parse_alone(raws),
            "parse alone, one core",
            GOAL,
        )
    ]
    rows += [
        Row(f"  processor time: {key}", value / mails * 1000, "ms/mail")
        for key, value in sorted(spent.items(), key=lambda item: -item[1])
        if value / mails > 0.00002
    ]
    rows.append(
        Row(
            "  processor time: all",
            sum(spent.values()) / mails * 1000,
            "ms/mail",
            2 * seconds / mails * 1000,
            "2 cores for as long",
        )
    )
    return rows


async def _until(count: Count, target: dict[str, int], started: float) -> float:
    while time.perf_counter() - started < GIVE_UP:
        now = await asyncio.to_thread(count)
        if all(now[key] >= value for key, value in target.items()):
            return time.perf_counter() - started
        await asyncio.sleep(0.25)
    raise RuntimeError(f"not done after {GIVE_UP:g} s: {count()} of {target}")


async def _settled(count: Count) -> None:
    last: dict[str, int] = {}
    while (now := await asyncio.to_thread(count)) != last:
        last = now
        await asyncio.sleep(2.0)


def _deliver(maildir: Path, raws: list[bytes]) -> None:
    """As a mail server does, but for the sync of each: the load must not be the limit."""
    for number, raw in enumerate(raws):
        name = f"{time.time():.6f}.B{number}.bench"
        (maildir / "tmp" / name).write_bytes(raw)
        (maildir / "tmp" / name).rename(maildir / "new" / name)


def _cpu(running: Program) -> dict[str, float]:
    found: dict[str, float] = {}
    for pid in with_children(running.process.pid):
        try:
            name = next((n for n, p in running.pids.items() if p == pid), _name(pid))
            found[name] = found.get(name, 0.0) + cpu_seconds(pid)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _name(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    for sign, name in {
        "smtp_sink": "smtp",
        "dovecot": "dovecot",
        "imap": "dovecot",
        "deploy.local.cluster": "supervisor",
    }.items():
        if sign in words:
            return name
    return words.split(" ")[0].rpartition("/")[2] or "other"


def _parse_alone(raws: list[bytes]) -> float:
    sample = raws[:500]
    started = time.perf_counter()
    for raw in sample:
        parse(raw)
    return len(sample) / (time.perf_counter() - started)


def _count_mongo(client: "MongoClient[dict[str, object]]") -> dict[str, int]:
    database = client["ombud"]
    return {
        "triaged": database["tickets"].count_documents({"triage_state": "done"}),
        "deadlines": database["deadlines"].estimated_document_count(),
        "letters": database["letters"].count_documents({"state": "sent"}),
    }


def _count_sqlite(file: Path) -> dict[str, int]:
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as connection:

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        return {
            "triaged": number("SELECT count(*) FROM triages"),
            "deadlines": number("SELECT count(*) FROM deadlines"),
            "letters": number("SELECT count(*) FROM letters WHERE f_state = 'sent'"),
        }
