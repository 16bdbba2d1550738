"""The documents port on the embedded file; the promises are those of shared/ports/documents.py.

Collections are made by `prepare`, in one transaction: a process that is killed in it leaves nothing half
done, and two processes that prepare at once do it one after the other. An index that is no longer declared
stays, unless it is named as retired.

On failure: see `sqlite_file.py`. `Refused` when a unique index cannot be made because a value stands there
twice.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import orjson

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_counters import Increment, increment_all, set_counter
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_table import Table
from shared.domain.documents import Document
from shared.domain.errors import Refused
from shared.ports.documents import Spec

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

    async def increment(
        self,
        counter: str,
        by: Mapping[str, int],
        once: str | None = None,
        kept_for: float | None = None,
    ) -> dict[str, int]:
        """Add to the named numbers of a counter and return them; once only for the same token."""
        return await self._file.together(increment_all, Increment(counter, by, once, kept_for))

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
        await self._file.write(lambda connection: set_counter(connection, counter, to))

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
    for statement in (*table.indexes(), *table.retired()):
        connection.execute(statement)
    for name, statements in table.sides():
        if not _exists(connection, name):
            for statement in statements:
                connection.execute(statement)


def _exists(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone() is not None
