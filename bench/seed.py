"""A store full of tickets, as two years of a busy help desk leave it.

Each ticket is made by the domain's own methods (opened, triaged, assigned, answered, closed), stored through
the documents port, and counted in the overview by the projection's own numbers: they are true documents, and
a refresh of the overview finds nothing to correct. Its events count as published. The same numbers give the
same tickets, but for their times, which are counted back from now.

Subjects are drawn from a vocabulary in which, as in real ones, few words are everywhere and most are rare.
`whole` adds what belongs to a ticket: mail, ledger entry, thread, triage, deadlines and letter.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.cluster import Program
from bench.rest import rest_of
from services.api.projections import CHANGES, SHARDS, counter_of, numbers_of, shard_of
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.cause import Cause
from shared.domain.documents import Document
from shared.domain.ids import derived, sortable
from shared.domain.priority import Level, Sentiment, Source
from shared.domain.status import Status
from shared.domain.ticket import Classification, Contact, Ticket
from shared.ports.documents import Documents, Spec
from shared.runtime.wiring import EMBEDDED_FILE
from shared.stores.collections import COLLECTIONS, OVERVIEW_ROWS, TICKETS, OverviewRow
from shared.stores.stores import FIRST_TICKET_NUMBER, TICKET_NUMBERS

AT_ONCE = 1000
"""Tickets that are inserted side by side: the adapters make batches of them."""
YEARS = timedelta(days=730)
STATES = {
    Status.CLOSED: 800,
    Status.RESOLVED: 80,
    Status.WAITING: 50,
    Status.OPEN: 40,
    Status.ON_HOLD: 10,
    Status.NEW: 20,
}
"""Tickets of each state, in a thousand."""
CATEGORIES = ("account", "billing", "delivery", "technical", "general", "refund", "complaint")
SYLLABLES = (
    "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo na ne ni no ra re ri ro".split()
)
AGENTS, TEAMS = 30, ("it", "sales", "billing", "logistics")
CUSTOMERS_EACH = 5
"""Tickets of one customer, in the mean."""

VOCABULARY = [a + b + c for a, b, c in itertools.product(SYLLABLES, repeat=3)]
_WEIGHTS = list(itertools.accumulate(1 / (rank + 10) for rank in range(len(VOCABULARY))))

Made = tuple[Spec[Any], Document]


class Seeder:
    """Adds tickets to a store."""

    def __init__(self, documents: Documents, *, whole: bool = False) -> None:
        self._documents = documents
        self._whole = whole
        self._now = datetime.now(UTC)

    async def add(self, tickets: int) -> None:
        """Add so many, numbered behind those that are there."""
        if tickets <= 0:
            return
        taken = await self._documents.increment(TICKET_NUMBERS, {"last": tickets})
        first = FIRST_TICKET_NUMBER + taken["last"] - tickets + 1
        counts: dict[int, Counter[str]] = {shard: Counter() for shard in range(SHARDS)}
        writing: asyncio.Future[Any] = asyncio.ensure_future(asyncio.sleep(0))
        for start in range(first, first + tickets, AT_ONCE):
            numbers = range(start, min(start + AT_ONCE, first + tickets))
            # Made in a thread while the store takes those before: it has a core of its own.
            made = await asyncio.to_thread(self._made, numbers, counts)
            await writing
            writing = asyncio.gather(*(self._documents.collection(spec).insert(one) for spec, one in made))
        await writing
        for shard, by in counts.items():
            if by:
                await self._documents.increment(counter_of(shard), by)

    def _made(self, numbers: range, counts: dict[int, Counter[str]]) -> list[Made]:
        """The documents of these tickets, counted as well."""
        made: list[Made] = []
        for number in numbers:
            ticket = ticket_of(number, self._now)
            counts[shard_of(ticket.id)].update({**numbers_of(ticket.facts()), CHANGES: 1})
            made += self._with_the_rest(ticket)
        return made

    def _with_the_rest(self, ticket: Ticket) -> Iterator[Made]:
        row = OverviewRow(
            id=ticket.id,
            version=1,
            shard=shard_of(ticket.id),
            counted=ticket.version,
            facts=ticket.facts(),
        )
        yield TICKETS, ticket
        yield OVERVIEW_ROWS, row
        if self._whole:
            yield from rest_of(ticket, self._now)


def ticket_of(number: int, now: datetime) -> Ticket:
    """The ticket of this number, in the state and at the age that its number gives it."""
    chance = random.Random(number)
    state = chance.choices(list(STATES), list(STATES.values()))[0]
    at = now - timedelta(hours=1) - YEARS * chance.random()
    seed = f"seed.{number}"
    ticket = Ticket.open(
        sortable("tkt", at, seed),
        number,
        mailbox="support",
        subject=subject_of(number, chance),
        channel="mail",
        customer=Contact(address=customer_of(number), name="A Customer"),
        message_id=derived("msg", seed),
        may_auto_respond=True,
        cause=_cause("ingest", number, at),
    )
    ticket.triaged(
        derived("tri", seed), _found(chance, ticket), Source.RULES, [], _cause("triage", number, at)
    )
    if state is not Status.NEW:
        agent, team = f"agent{chance.randrange(AGENTS)}", chance.choice(TEAMS)
        ticket.assign(agent, team, _cause("assign", number, at))
        at += timedelta(minutes=chance.randrange(5, 50))
        ticket.agent_replied(derived("msg", seed, "reply"), _cause("reply", number, at))
        ticket.change_status(state, _cause("status", number, at + timedelta(minutes=5)))
    ticket.outbox = []
    return ticket


def subject_of(number: int, chance: random.Random) -> str:
    """Some words, and an order's number that no other ticket has."""
    words = chance.choices(VOCABULARY, cum_weights=_WEIGHTS, k=6)
    return f"{' '.join(words)} order {order_of(number)}"


def order_of(number: int) -> str:
    """The order that the ticket of this number is about."""
    return f"ord{number:08d}"


def customer_of(number: int) -> str:
    """The address of the customer whose ticket this number is."""
    return f"customer{number // CUSTOMERS_EACH}@example.org"


def _cause(deed: str, number: int, at: datetime) -> Cause:
    return Cause(key=f"{deed}:{number}", actor="service:bench", at=at, correlation_id=f"seed.{number}")


def _found(chance: random.Random, ticket: Ticket) -> Classification:
    levels = list(Level)
    return Classification(
        category=chance.choice(CATEGORIES),
        severity=chance.choices(levels, (3, 6, 1))[0],
        urgency=chance.choices(levels, (3, 6, 1))[0],
        sentiment=chance.choice(list(Sentiment)),
        language="en",
        summary=ticket.subject,
    )


@asynccontextmanager
async def documents_of(running: Program) -> AsyncIterator[Documents]:
    """The store of a program that runs."""
    if "mongo" in running.ready:
        async with Mongo.open(running.ready["mongo"], "ombud") as mongo:
            yield MongoDocuments(mongo)
    else:
        async with SqliteFile.open(Path(running.ready["data"]) / EMBEDDED_FILE) as file:
            documents = SqliteDocuments(file)
            await documents.prepare(COLLECTIONS)
            yield documents
