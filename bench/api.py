"""The API when the store holds 10,000, 100,000 or 1,000,000 tickets: quiet, and while mail streams in.

Each question is asked by one client, one after the other (p50, p99), and by `clients` at once (requests/s).
The limits: the query alone, asked of the store by its bare driver; and a route that does nothing but know the
caller (`/v1/me`). The database's cache is as small as `deploy/local/mongo.py` makes it.
"""

import asyncio
import itertools
import json
import random
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import DESCENDING, MongoClient

from bench.client import Client
from bench.cluster import Cluster, Program, Run
from bench.copies import ORIGINALS, copy
from bench.figures import quantile
from bench.load import stream
from bench.options import Options
from bench.seed import VOCABULARY, Seeder, customer_of, documents_of, order_of
from bench.table import Row
from deploy.local.mongo import CACHE_GB
from shared.ports.documents import Documents
from shared.runtime.wiring import EMBEDDED_FILE
from shared.stores.collections import TICKETS
from shared.stores.stores import FIRST_TICKET_NUMBER

LARGEST_EMBEDDED = 100_000
KNOWN = 1_000
"""Tickets, of all that are there, that are asked for singly."""
WARMING = 0.5
"""Seconds that a question is asked before it is timed."""
COMMON_WORDS = slice(20, 60)
"""Of the vocabulary, by rank: each in one to three of a hundred subjects."""

Ask = Callable[[], object]


@dataclass(frozen=True)
class Question:
    """What is asked: a new path each time, the same of the bare store, and what it should cost at most."""

    name: str
    paths: Iterator[str]
    bare: Ask | None = None
    goal: str = ""


async def embedded(folder: Path, options: Options) -> list[Row]:
    """On `make run`, up to 100,000 tickets."""
    sizes = [size for size in options.tickets if size <= LARGEST_EMBEDDED]
    async with Run(folder / "data") as running:
        return await _measured(running, sizes, options, "embedded")


async def cluster(folder: Path, options: Options) -> list[Row]:
    """On `make cluster`."""
    async with Cluster(folder / "data") as running:
        return await _measured(running, options.tickets, options, "cluster")


async def _measured(running: Program, sizes: Sequence[int], options: Options, name: str) -> list[Row]:
    rows = [Row("MongoDB's cache", CACHE_GB, "GB")] if name == "cluster" else []
    there = 0
    for size in sizes:
        async with documents_of(running) as documents:
            started = time.perf_counter()
            await _seed(running, documents, size - there)
            seeded = (size - there) / (time.perf_counter() - started)
            ids = await _some_ids(documents, size)
        there = size
        at = f"{name}, {size:,}"
        rows.append(Row(f"{at}: seeded", seeded, "tickets/s"))
        rows += await _refresh(running, at)
        with _bare(running, ids) as bare:
            rows += await _asked(running, options, f"{at}, quiet", _questions(bare, ids, size))
            stop = asyncio.Event()
            sending = asyncio.create_task(stream(running, options.rate, f"api{size}", stop))
            try:
                while_busy = f"{at}, {options.rate:g} mails/s"
                rows += await _asked(running, options, while_busy, _questions(bare, ids, size))
            finally:
                stop.set()
                there += await sending
    return rows


async def _seed(running: Program, documents: Documents, tickets: int) -> None:
    made = min(tickets, ORIGINALS) if "mongo" in running.ready else tickets
    await Seeder(documents).add(made)
    if tickets > made:
        await copy(documents, running.ready["mongo"], tickets - made)


async def _some_ids(documents: Documents, size: int) -> list[str]:
    tickets, chance = documents.collection(TICKETS), random.Random(size)
    numbers = [FIRST_TICKET_NUMBER + chance.randrange(1, size + 1) for _ in range(KNOWN)]
    found = await asyncio.gather(*(tickets.find({"number": number}, limit=1) for number in numbers))
    return [page.items[0].id for page in found if page.items]


async def _refresh(running: Program, at: str) -> list[Row]:
    """The overview counted anew by its own verb: how long it takes, and whether the seeding counted right."""
    async with Client(running.ready["api"], running.ready["key"]) as client:
        started = time.perf_counter()
        found = json.loads(await client.post("/v1/overview/refresh"))
        seconds = time.perf_counter() - started
    note = f"{found['difference']} of {found['tickets']:,} had been counted wrongly"
    return [Row(f"{at}: overview refreshed", seconds, "s", note=note)]


def _questions(bare: dict[str, Ask], ids: list[str], size: int) -> list[Question]:
    """What is asked; paths are drawn from all seeded tickets, so that no cache has been asked the same."""
    chance = random.Random(size)

    def drawn(make: Callable[[], str]) -> Iterator[str]:
        return (make() for _ in itertools.count())

    def agent() -> str:
        return f"/v1/tickets?assignee=agent{chance.randrange(30)}&status=open"

    def customer() -> str:
        return f"/v1/tickets?customer={customer_of(FIRST_TICKET_NUMBER + chance.randrange(1, size + 1))}"

    def rare() -> str:
        return f"/v1/tickets?q={order_of(FIRST_TICKET_NUMBER + chance.randrange(1, size + 1))}"

    def common() -> str:
        return f"/v1/tickets?q={chance.choice(VOCABULARY[COMMON_WORDS])}"

    busy = "/v1/tickets?status=new&status=open&priority=high&priority=critical"
    return [
        Question("nothing (/livez)", itertools.repeat("/livez")),
        Question("nothing (/v1/me)", itertools.repeat("/v1/me")),
        Question("list", itertools.repeat("/v1/tickets"), bare["list"], "p99 < 50 at 1M"),
        Question("list, one state", itertools.repeat("/v1/tickets?status=waiting"), bare["state"]),
        Question("list, two states, two priorities", itertools.repeat(busy)),
        Question("list, an agent's open ones", drawn(agent)),
        Question("list, a customer's", drawn(customer)),
        Question("ticket", drawn(lambda: f"/v1/tickets/{chance.choice(ids)}"), bare["ticket"]),
        Question("search, a word that one ticket has", drawn(rare)),
        Question("search, a word of about every 50th", drawn(common)),
        Question("overview", itertools.repeat("/v1/overview"), bare["overview"], "< 5 at any size"),
    ]


async def _asked(running: Program, options: Options, at: str, questions: list[Question]) -> list[Row]:
    rows: list[Row] = []
    known = 0.0
    for question in questions:
        alone = await _times(running, question, 1, options.seconds)
        together = await _times(running, question, options.clients, options.seconds)
        bare = await asyncio.to_thread(_bare_times, question.bare, options.seconds / 2)
        limit = quantile(bare, 0.99) * 1000 if bare else None
        what = f"{at}: {question.name}"
        rate = len(together) / options.seconds
        known = rate if question.name.endswith("(/v1/me)") else known
        slowest = quantile(together, 0.99) * 1000
        p50, p99 = quantile(alone, 0.5) * 1000, quantile(alone, 0.99) * 1000
        rows += [
            Row(f"{what}, p50", p50, "ms", quantile(bare, 0.5) * 1000 if bare else None, "the query alone"),
            Row(f"{what}, p99 of {len(alone)}", p99, "ms", limit, "the query alone", question.goal),
            Row(
                f"{what}, {options.clients} clients",
                rate,
                "/s",
                known,
                "/v1/me",
                note=f"p99 {slowest:.0f} ms",
            ),
        ]
    return rows


async def _times(running: Program, question: Question, clients: int, seconds: float) -> list[float]:
    """How long each answer took, of so many clients that ask without a pause."""
    times: list[float] = []

    async def ask() -> None:
        async with Client(running.ready["api"], running.ready["key"]) as client:
            warm = time.perf_counter() + WARMING
            while time.perf_counter() < warm:
                await client.get(next(question.paths))
            until = time.perf_counter() + seconds
            while time.perf_counter() < until:
                times.append(await client.timed(next(question.paths)))

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(ask())
    return times


def _bare_times(ask: Ask | None, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while ask is not None and time.perf_counter() < until:
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    return times


@contextmanager
def _bare(running: Program, ids: list[str]) -> Iterator[dict[str, Ask]]:
    """The queries alone, by the store's own driver; to be asked from one thread at a time."""
    if "mongo" in running.ready:
        client: MongoClient[dict[str, Any]] = MongoClient(running.ready["mongo"])
        try:
            yield _bare_mongo(client["ombud"], ids)
        finally:
            client.close()
        return
    file = Path(running.ready["data"]) / EMBEDDED_FILE
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, check_same_thread=False)
    try:
        yield _bare_sqlite(connection, ids)
    finally:
        connection.close()


def _bare_mongo(database: Any, ids: list[str]) -> dict[str, Ask]:
    tickets, newest = database["tickets"], [("updated_at", DESCENDING), ("_id", DESCENDING)]
    return {
        "list": lambda: list(tickets.find().sort(newest).limit(51)),
        "state": lambda: list(tickets.find({"status": "waiting"}).sort(newest).limit(51)),
        "ticket": lambda: tickets.find_one({"_id": random.choice(ids)}),
        "overview": lambda: list(
            database["_counters"].find({"_id": {"$regex": "^overview"}}, {"numbers": 1})
        ),
    }


def _bare_sqlite(connection: sqlite3.Connection, ids: list[str]) -> dict[str, Ask]:
    def ask(sql: str, *values: str) -> list[Any]:
        return connection.execute(sql, values).fetchall()

    fields, order = "SELECT id, version, body FROM tickets", "ORDER BY f_updated_at DESC, id DESC LIMIT 51"
    return {
        "list": lambda: ask(f"{fields} {order}"),
        "state": lambda: ask(f"{fields} WHERE f_status = 'waiting' {order}"),
        "ticket": lambda: ask(f"{fields} WHERE id = ?", random.choice(ids)),
        "overview": lambda: ask("SELECT * FROM sys_counters WHERE counter LIKE 'overview%'"),
    }
