"""The documents port on the embedded file; the promises are those of shared/ports/documents.py.

Collections are made by `prepare`, in one transaction: a process that is killed in it leaves nothing half
done, and two processes that prepare at once do it one after the other. An index that is no longer declared
stays.

On failure: see `sqlite_file.py`. `Refused` when a unique index cannot be made because a value stands there
twice.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_table import Table
from shared.domain.documents import Document
from shared.domain.errors import Refused
from shared.ports.documents import Spec

TOKENS_KEPT = 2_000
"""How many `once` tokens of one counter are remembered."""

D = TypeVar("D", bound=Document)


class SqliteDocuments:
    """The store of documents in one file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def collection(self, spec: Spec[D]) -> SqliteCollection[D]:
        """The collection; its table is made by `prepare`."""
        return SqliteCollection(self._file, spec)

    async def prepare(self, specs: Sequence[Spec[Any]]) -> None:
        """Make tables and indexes where they are missing. Raises `Refused`."""
        tables = [Table(spec) for spec in specs]
        await self._file.write(lambda connection: _make(connection, tables))

    async def increment(self, counter: str, by: Mapping[str, int], once: str | None = None) -> dict[str, int]:
        """Add to the named numbers of a counter and return them; once only for the same token."""
        return await self._file.write(lambda connection: _increment(connection, counter, by, once))

    async def counters(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """The numbers of the counters that exist, by counter."""
        outcome = await self._file.fetch(
            """SELECT counter, name, value FROM sys_counters
                WHERE counter IN (SELECT value FROM json_each(?))""",
            (orjson.dumps(list(names)).decode(),),
        )
        found: dict[str, dict[str, int]] = {}
        for counter, name, value in outcome.rows:
            found.setdefault(counter, {})[name] = value
        return found

    async def set_counter(self, counter: str, to: Mapping[str, int]) -> None:
        """Make a counter hold these numbers and no others; its tokens are kept."""
        await self._file.write(lambda connection: _set_counter(connection, counter, to))

    async def ping(self) -> None:
        """Return if the file takes writes. Raises `Unavailable`."""
        await self._file.ping()


def _make(connection: sqlite3.Connection, tables: Sequence[Table]) -> None:
    for table in tables:
        try:
            _make_one(connection, table)
        except sqlite3.IntegrityError as error:
            raise Refused(
                f"{table.name} holds a value twice that is declared unique ({error}): make it unique first"
            ) from error


def _make_one(connection: sqlite3.Connection, table: Table) -> None:
    for statement in table.base():
        connection.execute(statement)
    known = {row[1] for row in connection.execute(f"PRAGMA table_xinfo({table.name})")}
    for column, statement in table.computed():
        if column not in known:
            connection.execute(statement)
    for statement in table.indexes():
        connection.execute(statement)
    for name, statements in table.sides():
        if not _exists(connection, name):
            for statement in statements:
                connection.execute(statement)


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is not None


def _increment(
    connection: sqlite3.Connection, counter: str, by: Mapping[str, int], once: str | None
) -> dict[str, int]:
    fresh = once is None or _note_token(connection, counter, once)
    return {name: _add(connection, counter, name, number if fresh else 0) for name, number in by.items()}


def _add(connection: sqlite3.Connection, counter: str, name: str, number: int) -> int:
    (value,) = connection.execute(
        """INSERT INTO sys_counters (counter, name, value) VALUES (?, ?, ?)
            ON CONFLICT DO UPDATE SET value = value + excluded.value RETURNING value""",
        (counter, name, number),
    ).fetchone()
    return int(value)


def _note_token(connection: sqlite3.Connection, counter: str, token: str) -> bool:
    """Remember the token, forget the oldest, and say whether it is new."""
    noted = connection.execute(
        """INSERT OR IGNORE INTO sys_tokens (counter, token, seq)
            SELECT ?1, ?2, coalesce(max(seq), 0) + 1 FROM sys_tokens WHERE counter = ?1 RETURNING seq""",
        (counter, token),
    ).fetchone()
    if noted is None:
        return False
    connection.execute(
        "DELETE FROM sys_tokens WHERE counter = ? AND seq <= ?", (counter, noted[0] - TOKENS_KEPT)
    )
    return True


def _set_counter(connection: sqlite3.Connection, counter: str, to: Mapping[str, int]) -> None:
    connection.execute("DELETE FROM sys_counters WHERE counter = ?", (counter,))
    connection.executemany(
        "INSERT INTO sys_counters (counter, name, value) VALUES (?, ?, ?)",
        [(counter, name, number) for name, number in to.items()],
    )
