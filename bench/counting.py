"""How far the mails have come, counted in the store and at little cost also when it holds many tickets."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from bench.cluster import Program

COARSE = timedelta(seconds=2)
"""A ticket is as old as its mail, which a mailbox knows to the second."""


@dataclass(frozen=True)
class Counted:
    """Tickets that triage is done with, deadlines, and letters that the relay took."""

    triaged: int
    deadlines: int
    letters: int

    def __add__(self, other: "Counted") -> "Counted":
        return Counted(*(mine + yours for mine, yours in zip(astuple(self), astuple(other), strict=True)))

    def reaches(self, other: "Counted") -> bool:
        """Whether nothing is less than in the other."""
        return all(mine >= yours for mine, yours in zip(astuple(self), astuple(other), strict=True))


@contextmanager
def counted(running: Program, since: datetime | None = None) -> Iterator[Callable[[], Counted]]:
    """A function that counts what this program's store holds of the mails that came since then, or of more.

    Without `since`: from now on.
    """
    since = (since or datetime.now(UTC)) - COARSE
    if "mongo" in running.ready:
        client: MongoClient[dict[str, Any]] = MongoClient(running.ready["mongo"])
        try:
            yield lambda: _in_mongo(client["ombud"], since)
        finally:
            client.close()
    else:
        file = Path(running.ready["data"]) / "ombud.sqlite"
        yield lambda: _in_sqlite(file)


def _in_mongo(database: Any, since: datetime) -> Counted:
    return Counted(
        triaged=database["tickets"].count_documents({"opened_at": {"$gte": since}, "triage_state": "done"}),
        deadlines=database["deadlines"].estimated_document_count(),
        letters=database["letters"].count_documents({"state": "sent", "created_at": {"$gte": since}}),
    )


def _in_sqlite(file: Path) -> Counted:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:

        def number(sql: str) -> int:
            return int(connection.execute(sql).fetchone()[0])

        return Counted(
            triaged=number("SELECT count(*) FROM triages"),
            deadlines=number("SELECT count(*) FROM deadlines"),
            letters=number("SELECT count(*) FROM letters WHERE f_state = 'sent'"),
        )
    finally:
        connection.close()
