"""Reads what a run left behind: stores, letters, logs. With plain clients, never through the code on trial.

The drivers' own types end here: what comes out is `evidence.py`. A store that holds a document in a form that
this file does not know raises `KeyError`: a test that fails, not evidence that is missing.
"""

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import compat32
from pathlib import Path
from typing import Any, Protocol

from pymongo import MongoClient

from tests.chaos.evidence import Entry, Evidence, Handed, Kept, Letter, Timer

TOKEN = re.compile(r"\btoken-[0-9a-z]+-\d+\b")
DATABASE = "ombud"


class Store(Protocol):
    """A place where documents lie."""

    def count(self, collection: str) -> int:
        """How many documents."""
        ...

    def unpublished(self, collection: str) -> int:
        """How many documents hold events that are not published yet."""
        ...

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """Every document, as a dictionary with `id`; instants with a timezone."""
        ...


class MongoStore:
    """The documents in MongoDB."""

    def __init__(self, url: str, database: str = DATABASE) -> None:
        self._url = url
        self._database = database

    def count(self, collection: str) -> int:
        """See `Store`."""
        with MongoClient[dict[str, Any]](self._url) as client:
            return client[self._database][collection].count_documents({})

    def unpublished(self, collection: str) -> int:
        """See `Store`."""
        with MongoClient[dict[str, Any]](self._url) as client:
            return client[self._database][collection].count_documents({"outbox.0": {"$exists": True}})

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """See `Store`."""
        with MongoClient[dict[str, Any]](self._url, tz_aware=True) as client:
            for stored in client[self._database][collection].find():
                yield {**stored, "id": stored["_id"]}


class SqliteStore:
    """The documents in an embedded file."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def documents(self, collection: str) -> Iterator[dict[str, Any]]:
        """See `Store`."""
        with closing(self._opened()) as connection:
            rows = connection.execute(f"SELECT id, body, wake_at FROM {collection}")  # noqa: S608 (our names)
            for doc_id, body, wake_at in rows:
                yield {**json.loads(body), "id": doc_id, "wake_at": wake_at}

    def count(self, collection: str) -> int:
        """See `Store`."""
        return self._number(f"SELECT count(*) FROM {collection}")  # noqa: S608 (our names)

    def unpublished(self, collection: str) -> int:
        """See `Store`."""
        return self._number(f"SELECT count(*) FROM {collection} WHERE outbox IS NOT NULL")  # noqa: S608 (ours)

    def _number(self, sql: str) -> int:
        with closing(self._opened()) as connection:
            return int(connection.execute(sql).fetchone()[0])

    def _opened(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)


def read_store(store: Store, into: Evidence) -> None:
    """Messages, ledger, tickets, letters and timers."""
    into.kept = [
        Kept(
            one["id"], one["ticket_id"], tuple(dict.fromkeys(TOKEN.findall(_newest(one["text"])))), one["raw"]
        )
        for one in store.documents("messages")
        if one["direction"] == "inbound"
    ]
    into.entries = [
        Entry(
            one["id"],
            one["uid"],
            one["digest"],
            one["outcome"],
            one["reason"],
            one["ticket_id"],
            instant(one["at"]),
        )
        for one in store.documents("ledger")
    ]
    tickets = list(store.documents("tickets"))
    into.tickets = [one["id"] for one in tickets]
    into.letters = [
        Letter(
            one["id"],
            one["ticket_id"],
            one["kind"],
            one["automatic"],
            one["to"]["address"],
            one["message_id"],
            one["state"],
            one["reason"],
        )
        for one in store.documents("letters")
    ]
    into.untriaged = [one["id"] for one in tickets if one["triage_state"] != "done"]
    into.timers = [
        Timer(
            one["id"],
            one["ticket_id"],
            one["target"],
            one["state"],
            instant(one["due_at"]),
            instant(one["fired_at"]) if one["fired_at"] else None,
        )
        for one in store.documents("deadlines")
    ]


def _newest(text: str) -> str:
    """What a mail says itself, without what it quotes."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(">"))


def instant(value: datetime | str) -> datetime:
    """An instant, however the store writes it."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(value.replace("Z", "+00:00")).astimezone(UTC)


def handed(outbox: Path) -> list[Handed]:
    """Every DATA that the sink took, one for each recipient, in the order in which they came."""
    found = []
    for file in sorted(outbox.glob("*.eml")):
        mail = message_from_bytes(file.read_bytes(), policy=compat32)
        for to in mail.get_all("X-Envelope-To", []):
            automatic = str(mail.get("Auto-Submitted", "no")).lower() != "no"
            found.append(Handed(str(mail["Message-ID"]).strip().strip("<>"), str(to), automatic))
    return found


def log_lines(folder: Path, names: str = "*.log") -> list[tuple[str, str]]:
    """Every line that the services logged, each with the name of its file.

    The last line of a file whose process was killed may be cut short: it is left out if no newline ends it.
    """
    found = []
    for file in sorted(folder.glob(names)):
        whole, _, _ = file.read_text(errors="replace").rpartition("\n")
        found += [(file.stem, line) for line in whole.splitlines() if line]
    return found
