"""Letters a second: from the event that asks for one until the relay has taken it.

The tickets' events wait on the bus, then notify begins: it writes each letter down, marks it, sends it, notes
the answer. The relay is the sandbox's, which keeps every letter on the disk. The limits are two senders that
do nothing but send letters of that size over as many connections: a loop on aiosmtplib, and Postfix's
smtp-source where it is installed.
"""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiosmtplib

from bench.options import Options
from bench.stage import KINDS, Stage, running, stage
from bench.table import Row
from services.notify.service import build
from services.sandbox.process import Process, answers, free_port
from shared.domain.cause import Cause
from shared.domain.ids import sortable
from shared.domain.ticket import Contact, Ticket
from shared.metrics import REGISTRY
from shared.runtime.outbox import message_of

CONNECTIONS = 20
GIVE_UP = 300.0
"""Seconds."""
SENT = {"kind": "acknowledgement", "outcome": "sent"}


async def measure(folder: Path, options: Options) -> list[Row]:
    """Both kinds of store, one after the other; the limits by the letters that came out of it."""
    rows = []
    for kind in KINDS:
        here = folder / kind
        async with _sink(here / "sink") as (port, outbox):
            relay = {"host": "127.0.0.1", "port": port, "tls": "none"}
            notify = {"connections": CONNECTIONS, "hello": "bench.localhost"}
            async with stage(kind, here, smtp=relay, notify=notify) as on:
                ours = options.mails / await _sent(on, options.mails)
            letter = next(outbox.glob("*.eml")).read_bytes()
            bare = options.mails / await _bare(port, letter, options.mails)
            source = await _source(port, len(letter), options.mails)
        rows.append(Row(f"letters, {kind}", ours, "/s", bare, "a bare loop on aiosmtplib"))
        if source is None:
            rows.append(Row("  smtp-source, same relay", None, "/s", note="not installed (postfix)"))
        else:
            rows.append(Row(f"letters, {kind}", ours, "/s", options.mails / source, "smtp-source"))
    return rows


@asynccontextmanager
async def _sink(folder: Path) -> AsyncIterator[tuple[int, Path]]:
    port = free_port()
    command = [sys.executable, "-m", "services.sandbox.smtp_sink", "--port", str(port)]
    process = Process("the sink", [*command, "--outbox", str(folder / "outbox")], folder / "log")
    await asyncio.to_thread(process.start)
    try:
        await asyncio.to_thread(process.wait_until, lambda: answers(port))
        yield port, folder / "outbox"
    finally:
        await asyncio.to_thread(process.stop)


async def _sent(on: Stage, letters: int) -> float:
    """Seconds from the start of notify until the relay has taken all letters."""
    now = on.wired.platform.clock.now()
    events = []
    for number in range(letters):
        cause = Cause(key=f"bench:{number}", actor="customer:bench", at=now + timedelta(microseconds=number))
        ticket = Ticket.open(
            sortable("tkt", now, str(number)),
            number,
            mailbox="support",
            subject="A question about an order",
            channel="mail",
            customer=Contact(address=f"customer{number}@example.org"),
            message_id="none",
            may_auto_respond=True,
            cause=cause,
        )
        events += [message_of(envelope) for envelope in ticket.outbox]
    for start in range(0, letters, 500):
        await on.wired.platform.bus.publish(events[start : start + 500])
    before = _taken()
    async with AsyncExitStack() as stack:
        service = await build(on.wired.platform, on.settings, stack)
        started = time.perf_counter()
        async with running(on, service):
            while _taken() - before < letters:
                if time.perf_counter() - started > GIVE_UP:
                    raise RuntimeError(f"{_taken() - before} of {letters} letters after {GIVE_UP:g} s")
                await asyncio.sleep(0.01)
            return time.perf_counter() - started


def _taken() -> float:
    return REGISTRY.get_sample_value("ombud_letters_total", SENT) or 0.0


async def _bare(port: int, letter: bytes, letters: int) -> float:
    left = iter(range(letters))

    async def send() -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, use_tls=False) as smtp:
            for _ in left:
                await smtp.sendmail("support@example.org", ["customer@example.org"], letter)

    return await _timed(lambda: asyncio.gather(*(send() for _ in range(CONNECTIONS))))


async def _source(port: int, octets: int, letters: int) -> float | None:
    program = shutil.which("smtp-source", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        return None
    arguments = ["-s", str(CONNECTIONS), "-m", str(letters), "-l", str(octets)]
    arguments += ["-f", "support@example.org", "-t", "customer@example.org", f"inet:127.0.0.1:{port}"]

    async def run() -> None:
        process = await asyncio.create_subprocess_exec(program, *arguments)
        if await process.wait():
            raise RuntimeError(f"smtp-source ended with {process.returncode}")

    return await _timed(run)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started
