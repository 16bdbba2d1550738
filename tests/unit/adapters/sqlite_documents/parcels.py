"""A collection with every kind of field, for the tests of documents in the embedded file."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_worker import Value
from shared.domain.documents import Document, Envelope, Instant, Sleeper
from shared.ports.documents import Index, Spec

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Parcel(Sleeper):
    colour: Colour = Colour.RED
    weight: int | None = None
    sent_at: Instant | None = None
    fragile: bool = False
    tags: list[str] = []
    label: str = ""
    note: str | None = None
    stops: dict[Colour, Instant] = {}
    code: str | None = None


INDEXES = (
    Index(("colour", "weight")),
    Index(("weight",)),
    Index(("tags", "weight")),
    Index(("sent_at",)),
    Index(("fragile",)),
    Index(("tags",)),
    Index(("code",), unique=True),
)


PARCELS = Spec("parcels", Parcel, indexes=INDEXES, text=("label", "note"), claimable=True)


def envelope(number: int) -> Envelope:
    return Envelope(id=f"evt_{number}", type="t", topic="x", key="k", time=START, data="{}")


def ids(documents: Sequence[Document]) -> list[str]:
    return [document.id for document in documents]


async def store(parcels: SqliteCollection[Parcel], *documents: Parcel) -> None:
    await asyncio.gather(*(parcels.insert(document) for document in documents))


async def plan(file: SqliteFile, sql: str, values: Sequence[Value] = ()) -> str:
    return " ".join(str(row[3]) for row in (await file.fetch(f"EXPLAIN QUERY PLAN {sql}", values)).rows)
