"""Latency: from the beginning of a mail's SMTP delivery into the mailbox until its ticket is in the API.

At a steady rate, each mail on its own. Beside it the mailbox's own notice of the same deliveries: a bare IMAP
client that does nothing but wait in IDLE, until EXISTS counts the mail. Tickets are looked for by polling the
list, so what is measured is up to `POLL_SECONDS` too long; nobody's clock but ours is read.
"""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiosmtplib
from imapclient import IMAPClient

from bench.client import Client
from bench.cluster import Cluster, Program, Run
from bench.figures import quantile
from bench.mails import mail
from bench.options import Options
from bench.table import Row

GOALS = {10.0: "p99 < 1000", 100.0: "p99 < 3000"}
POLL_SECONDS = 0.025
SHALLOW, DEEP, DEEP_EVERY = 25, 200, 8
"""Entries of a page, of a deep one, and how often it is deep."""
CONNECTIONS = 8
"""Of the delivering side."""
WARMING = 20
"""Mails before anything is timed."""
GIVE_UP = 120.0
"""Seconds for the last ticket."""


async def embedded(folder: Path, options: Options) -> list[Row]:
    """On `make run`."""
    async with Run(folder / "data") as running:
        return await _measured(running, options, "embedded")


async def cluster(folder: Path, options: Options) -> list[Row]:
    """On `make cluster`."""
    async with Cluster(folder / "data") as running:
        return await _measured(running, options, "cluster")


@dataclass
class _Flow:
    """When each mail was sent off, and when its ticket was first seen, by its customer's address."""

    sent: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    def seconds(self) -> list[float]:
        return [self.seen[customer] - at for customer, at in self.sent.items()]


async def _measured(running: Program, options: Options, name: str) -> list[Row]:
    await _flow(running, 10.0, WARMING, "warm")
    rows = []
    for rate in options.rates:
        mails = max(10, int(rate * options.seconds))
        flow, notices = await _flow(running, rate, mails, f"rate{rate:g}")
        ours, sent = flow.seconds(), sorted(flow.sent.values())
        bare = [heard - at for at, heard in zip(sent, notices, strict=False)]
        for share, words in ((0.5, "p50"), (0.99, "p99")):
            rows.append(
                Row(
                    f"{name}: delivery to ticket at {rate:g} mails/s, {words} of {mails}",
                    quantile(ours, share) * 1000,
                    "ms",
                    quantile(bare, share) * 1000 if bare else None,
                    f"IMAP's own notice, {words}",
                    GOALS.get(rate, "") if share > 0.9 else "",
                )
            )
    return rows


async def _flow(running: Program, rate: float, mails: int, name: str) -> tuple[_Flow, list[float]]:
    """Send the mails at this rate; what became of them, and the moments at which EXISTS counted one more."""
    flow = _Flow()
    customers = {f"customer{number}.{name}@example.org" for number in range(mails)}
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client(running.ready["api"], running.ready["key"]))
        notices = await stack.enter_async_context(_notices(running.ready.get("imap")))
        watching = asyncio.create_task(_watch(client, customers, flow))
        try:
            await _send(running, rate, sorted(customers), flow)
            await asyncio.wait_for(watching, GIVE_UP)
        finally:
            watching.cancel()
    return flow, notices


async def _send(running: Program, rate: float, customers: list[str], flow: _Flow) -> None:
    smtp, address = running.ready["smtp"], running.ready["address"]
    free: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        one = aiosmtplib.SMTP(hostname=smtp["host"], port=smtp["port"], start_tls=False, use_tls=False)
        await one.connect()
        free.put_nowait(one)

    async def send(number: int, customer: str) -> None:
        raw = mail(number, address, customer).replace(b"customer%d@example.org" % number, customer.encode())
        connection = await free.get()
        flow.sent[customer] = time.perf_counter()
        await connection.sendmail(customer, [address], raw)
        free.put_nowait(connection)

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number, customer in enumerate(customers):
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            group.create_task(send(number, customer))
    while not free.empty():
        await free.get_nowait().quit()


async def _watch(client: Client, customers: set[str], flow: _Flow) -> None:
    """Note the moment at which each customer's ticket is in the list, newest number first."""
    for turn in itertools.count():
        at = time.perf_counter()
        # Numbers are given out before tickets are saved: now and then, look behind the newest.
        path = _list(DEEP if turn % DEEP_EVERY == 0 else SHALLOW)
        while path:
            page = await client.json(path)
            found = {ticket["customer"]["address"] for ticket in page["data"]} & customers
            fresh = found - flow.seen.keys()
            flow.seen |= dict.fromkeys(fresh, time.perf_counter())
            path = _list(SHALLOW, page["next_cursor"]) if fresh and page["next_cursor"] else ""
        if len(flow.seen) == len(customers):
            return
        await asyncio.sleep(max(0.0, at + POLL_SECONDS - time.perf_counter()))


def _list(limit: int, cursor: str = "") -> str:
    return f"/v1/tickets?sort=-number&limit={limit}" + (f"&cursor={cursor}" if cursor else "")


@asynccontextmanager
async def _notices(imap: dict[str, Any] | None) -> AsyncIterator[list[float]]:
    """The moments at which a client in IDLE heard of one mail more; none without an IMAP server."""
    noticed: list[float] = []
    if imap is None:
        yield noticed
        return
    stop, ready = threading.Event(), threading.Event()
    idling = asyncio.create_task(asyncio.to_thread(_idle, imap, noticed, ready, stop))
    await asyncio.to_thread(ready.wait, 10)
    try:
        yield noticed
    finally:
        stop.set()
        await idling


def _idle(imap: dict[str, Any], noticed: list[float], ready: threading.Event, stop: threading.Event) -> None:
    with IMAPClient(imap["host"], imap["port"], ssl=False) as client:
        client.login(imap["user"], imap["password"])
        known = int(client.select_folder(imap["folder"], readonly=True)[b"EXISTS"])
        client.idle()
        ready.set()
        while not stop.is_set():
            for answer in client.idle_check(timeout=0.2):
                if len(answer) == 2 and answer[1] == b"EXISTS":
                    noticed += [time.perf_counter()] * (answer[0] - known)
                    known = max(known, answer[0])
        client.idle_done()
