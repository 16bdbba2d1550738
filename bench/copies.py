"""Tickets by the hundred thousand: copies of those that the domain made, put into MongoDB by the bare driver.

A copy is a ticket of its own: another id, number, customer and order, at another time. It is counted in the
overview by the projection's own numbers, so a refresh finds nothing to correct. `bench/seed.py` makes the
originals, at about a thousand a second; a copy costs the database what an insert costs, and little else.
"""

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import cycle, islice
from typing import Any

from pymongo import MongoClient
from pymongo.database import Database

from bench.seed import customer_of, order_of
from services.api.projections import CHANGES, SHARDS, counter_of, numbers_of, shard_of
from shared.domain.events import Facts
from shared.domain.ids import sortable
from shared.ports.documents import Documents
from shared.stores.stores import FIRST_TICKET_NUMBER, TICKET_NUMBERS

AT_ONCE = 2_000
ORIGINALS = 10_000
SPREAD = timedelta(days=30)
"""Copies of one ticket lie so far apart at most."""

Stored = dict[str, Any]


async def copy(documents: Documents, url: str, tickets: int) -> None:
    """Add so many copies, numbered behind the tickets that are there. Blocks the loop: for a bench alone."""
    taken = await documents.increment(TICKET_NUMBERS, {"last": tickets})
    first = FIRST_TICKET_NUMBER + taken["last"] - tickets + 1
    counts: dict[int, Counter[str]] = {shard: Counter() for shard in range(SHARDS)}
    with MongoClient[Stored](url) as client:
        database = client["ombud"]
        numbers = iter(range(first, first + tickets))
        pairs = zip(numbers, cycle(_originals(database)), strict=False)
        while batch := [_copied(number, original) for number, original in islice(pairs, AT_ONCE)]:
            database["tickets"].insert_many([ticket for ticket, _ in batch], ordered=False)
            database["overview_rows"].insert_many([row for _, row in batch], ordered=False)
            for _, row in batch:
                counts[row["shard"]].update({**numbers_of(Facts(**row["facts"])), CHANGES: 1})
    for shard, by in counts.items():
        if by:
            await documents.increment(counter_of(shard), by)


def _originals(database: Database[Stored]) -> list[tuple[Stored, Stored]]:
    """Tickets with their rows of the overview."""
    tickets = {one["_id"]: one for one in database["tickets"].find({"outbox": []}).limit(ORIGINALS)}
    rows: Iterator[Stored] = database["overview_rows"].find({"_id": {"$in": list(tickets)}})
    return [(tickets[row["_id"]], row) for row in rows if row["counted"] == tickets[row["_id"]]["version"]]


def _copied(number: int, original: tuple[Mapping[str, Any], Mapping[str, Any]]) -> tuple[Stored, Stored]:
    ticket, row = original
    back = SPREAD * random.Random(number).random()
    opened_at, address = ticket["opened_at"] - back, customer_of(number)
    own_id = sortable("tkt", opened_at, f"seed.{number}")
    copied = {
        **ticket,
        "_id": own_id,
        "number": number,
        "subject": ticket["subject"].replace(order_of(ticket["number"]), order_of(number)),
        "summary": ticket["summary"].replace(order_of(ticket["number"]), order_of(number)),
        "customer": {**ticket["customer"], "address": address},
        "customer_address": address,
        "opened_at": opened_at,
        "updated_at": ticket["updated_at"] - back,
    }
    return copied, {**row, "_id": own_id, "shard": shard_of(own_id)}
