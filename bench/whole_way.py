"""The whole way: mails in the mailbox → tickets, triaged, deadlines set, acknowledgements taken by SMTP.

All services, all servers and the load share the machine. The processor time of each process, a mail, is the
profile: it says what holds the figure.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.cluster import Cluster, Program, Run, cpu_seconds, with_children
from bench.counting import Counted, counted
from bench.load import drop, maildir_of
from bench.mails import mail
from bench.options import Options
from bench.table import Row
from services.ingest.parsing import parse

GOAL = ">= 800"
GIVE_UP = 300.0
"""Seconds without any progress."""
LOOK_EVERY = 0.25
"""Seconds between two counts."""


@dataclass(frozen=True)
class Burst:
    """A burst that has gone the whole way: mails, seconds, and each process's processor seconds."""

    mails: int
    seconds: float
    spent: dict[str, float]

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.mails / self.seconds

    def spent_each(self) -> float:
        """Milliseconds of processor a mail, all processes together."""
        return sum(self.spent.values()) / self.mails * 1000


async def embedded(folder: Path, options: Options) -> list[Row]:
    """`make run`: one process on SQLite, the mailbox served by Dovecot where there is one."""
    async with Run(folder / "data") as running:
        return await _measured(running, options.mails, "embedded")


async def cluster(folder: Path, options: Options) -> list[Row]:
    """`make cluster`: each service a process, on Kafka and MongoDB."""
    async with Cluster(folder / "data") as running:
        return await _measured(running, options.mails, "Kafka and MongoDB")


async def burst(running: Program, mails: int, name: str) -> Burst:
    """Put the mails into the mailbox at once and wait until all have gone the whole way."""
    with counted(running) as count:
        await settled(count)
        before = count()
        address = running.ready["address"]
        raws = [mail(number, address, name) for number in range(mails)]
        cpu = _cpu(running)
        started = time.perf_counter()
        await asyncio.to_thread(drop, maildir_of(running), raws)
        await until(count, before + Counted(mails, 2 * mails, mails))
        seconds = time.perf_counter() - started
        spent = {key: value - cpu.get(key, 0.0) for key, value in _cpu(running).items()}
    return Burst(mails, seconds, spent)


async def until(count: Callable[[], Counted], target: Counted) -> None:
    """Wait for the target. Raises when nothing has moved for `GIVE_UP`."""
    last, moved = count(), time.perf_counter()
    while not last.reaches(target):
        await asyncio.sleep(LOOK_EVERY)
        now = await asyncio.to_thread(count)
        if now != last:
            last, moved = now, time.perf_counter()
        elif time.perf_counter() - moved > GIVE_UP:
            raise RuntimeError(f"nothing has moved for {GIVE_UP:g} s: {now} of {target}")


async def settled(count: Callable[[], Counted]) -> None:
    """Wait until nothing moves any more."""
    last: Counted | None = None
    while (now := await asyncio.to_thread(count)) != last:
        last = now
        await asyncio.sleep(2.0)


def parse_alone(raws: list[bytes]) -> float:
    """Mails a second that one core parses when it does nothing else."""
    sample = raws[:500]
    started = time.perf_counter()
    for raw in sample:
        parse(raw)
    return len(sample) / (time.perf_counter() - started)


async def _measured(running: Program, mails: int, name: str) -> list[Row]:
    done = await burst(running, mails, "bench")
    alone = parse_alone([mail(number, running.ready["address"]) for number in range(500)])
    rows = [Row(f"whole way, {name}", done.rate, "mails/s", alone, "parse alone, one core", GOAL)]
    rows += [
        Row(f"  processor time: {key}", value / mails * 1000, "ms/mail")
        for key, value in sorted(done.spent.items(), key=lambda item: -item[1])
        if value / mails > 0.00002
    ]
    busy = 2 * done.seconds / mails * 1000
    rows.append(Row("  processor time: all", done.spent_each(), "ms/mail", busy, "2 cores for as long"))
    return rows


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
