"""One collection of documents in the embedded file; the promises are those of shared/ports/documents.py.

Writes of one kind that stand waiting are one statement (`sqlite_bulk.py`); triggers keep what hangs on them.
`Conflict` and `NotFound` of a replace are told apart by reading back after it: by then the document may have
been changed or removed again, which changes nothing for the caller.
"""

# ruff: noqa: S608 (SQL is put together from names that `Table` has checked; values are bound)

import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import orjson
from pydantic import BaseModel

from shared.adapters.sqlite_bulk import BulkWrite
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_query import (
    Condition,
    Cursor,
    both,
    branches,
    counting,
    cursor_text,
    in_order,
    matching,
    read_cursor,
    segments,
    words_of,
)
from shared.adapters.sqlite_row import COLUMNS, RowForm, read_row
from shared.adapters.sqlite_table import Table
from shared.adapters.sqlite_text import instant
from shared.domain.documents import Document
from shared.domain.errors import Conflict, Duplicate, NotFound, UndeclaredFilter
from shared.ports.documents import BY_ID, Filter, Order, Page, Spec

D = TypeVar("D", bound=Document)
G = TypeVar("G", bound=BaseModel)


class SqliteCollection(Generic[D]):
    """The documents of one Spec; made by `SqliteDocuments.collection`."""

    def __init__(self, file: SqliteFile, spec: Spec[D]) -> None:
        self._file = file
        self._spec = spec
        self._table = Table(spec)
        self._form = RowForm(spec.name, spec.model)
        name = spec.name
        self._get = f"SELECT {COLUMNS} FROM {name} WHERE id = ?"
        self._get_many = f"SELECT {COLUMNS} FROM {name} WHERE id IN (SELECT value FROM json_each(?))"
        self._insert = BulkWrite(
            f"INSERT INTO {name} (id, version, body, outbox, wake_at, outbox_since) {{rows}}", width=6
        )
        self._replace = BulkWrite(
            f"""UPDATE {name} SET version = new.column2, body = new.column3, outbox = new.column4,
                wake_at = new.column5, outbox_since = new.column6
            FROM ({{rows}}) AS new WHERE {name}.id = new.column1 AND {name}.version = new.column7""",
            width=7,
        )
        self._clear = BulkWrite(
            f"""UPDATE {name} SET outbox = (
                SELECT nullif(json_group_array(json(value)), '[]') FROM json_each({name}.outbox)
                WHERE json_extract(value, '$.id') NOT IN (SELECT value FROM json_each(gone.column2))
            ) FROM ({{rows}}) AS gone WHERE {name}.id = gone.column1""",
            width=2,
        )
        self._unpublished = f"""SELECT {COLUMNS} FROM {name}
            WHERE outbox IS NOT NULL AND outbox_since < ? ORDER BY outbox_since, seq LIMIT ?"""

    async def get(self, doc_id: str) -> D:
        """The document. Raises `NotFound`."""
        rows = (await self._file.fetch(self._get, (doc_id,))).rows
        if not rows:
            raise self._missing(doc_id)
        return self._form.document(rows[0])

    async def get_many(self, doc_ids: Sequence[str]) -> dict[str, D]:
        """Those of the documents that exist, by id."""
        rows = (await self._file.fetch(self._get_many, (orjson.dumps(list(doc_ids)).decode(),))).rows
        return {row[0]: self._form.document(row) for row in rows}

    async def insert(self, document: D) -> None:
        """Store a new document. Raises `Duplicate`."""
        values = (*self._form.row(document), _now())
        try:
            await self._file.together(self._insert, values)
        except Duplicate as error:
            raise self._taken(document.id) from error

    async def replace(self, document: D, if_version: int) -> None:
        """Put it in the place of version `if_version`. Raises `Conflict`, `NotFound`, `Duplicate`."""
        if document.version <= if_version:
            raise ValueError(
                f"version {document.version} does not follow {if_version}: raise it before saving"
            )
        values = (*self._form.row(document), _now(), if_version)
        try:
            changed = await self._file.together(self._replace, values)
        except Duplicate as error:
            raise self._taken(document.id) from error
        if not changed:
            raise await self._why_not_replaced(document.id, if_version)

    async def delete(self, doc_id: str) -> None:
        """Remove the document; it is no error when there is none."""
        await self._file.execute(f"DELETE FROM {self._table.name} WHERE id = ?", (doc_id,))

    async def clear_outbox(self, doc_id: str, event_ids: Sequence[str]) -> None:
        """Take published events out of the document's outbox; its version stays as it is."""
        await self._file.together(self._clear, (doc_id, orjson.dumps(list(event_ids)).decode()))

    async def unpublished(self, older_than: float, limit: int) -> list[D]:
        """Documents with events in their outbox, last written more than `older_than` seconds ago."""
        before = _now() - int(older_than * 1000)
        rows = (await self._file.fetch(self._unpublished, (before, max(0, limit)))).rows
        return [self._form.document(row) for row in rows]

    async def find(
        self,
        where: Filter,
        order: Order = BY_ID,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[D]:
        """A page by keyset. Raises `UndeclaredFilter`, and `Invalid` for an `after` that is not ours."""
        chosen = branches(self._table, where)
        stretches = segments(self._table, order, read_cursor(order, after))
        if limit < 1:
            return Page()
        # One more than asked for tells whether there is a next page.
        rows = await self._file.search(
            lambda connection: self._in_order(connection, chosen, order, stretches, limit + 1)
        )
        page = rows[:limit]
        last = cursor_text(order, Cursor(page[-1][-1], page[-1][0])) if len(rows) > limit else None
        return Page([self._form.document(row[:-1]) for row in page], last)

    async def count(self, where: Filter) -> int:
        """How many documents meet `where`. Raises `UndeclaredFilter`."""
        sql, values = counting(self._table, where)
        return await self._file.search(lambda connection: int(connection.execute(sql, values).fetchone()[0]))

    async def glance(self, part: type[G], where: Filter, limit: int, after: str = "") -> list[G]:
        """A part of documents behind the id `after`, in the order of ids. Raises `UndeclaredFilter`."""
        chosen = both(matching(self._table, where), Condition("id > ?", (after,)))
        sql = f"SELECT {COLUMNS} FROM {self._table.name} WHERE {chosen.sql} ORDER BY id LIMIT ?"
        values = (*chosen.values, max(0, limit))

        def parts(connection: sqlite3.Connection) -> list[G]:
            return [read_row(self._spec.name, part, row) for row in connection.execute(sql, values)]

        return await self._file.search(parts)

    async def search(self, text: str, where: Filter | None = None, limit: int = 50) -> list[D]:
        """Documents whose text fields hold all the words of `text`, best first. Raises `UndeclaredFilter`."""
        chosen, words, query = matching(self._table, where), self._table.words, words_of(text)
        if words is None or query is None:
            return []
        name = self._table.name
        columns = ", ".join(f"{name}.{column}" for column in COLUMNS.split(", "))
        sql = f"""SELECT {columns} FROM {words} JOIN {name} ON {name}.seq = {words}.rowid
            WHERE {words} MATCH ? AND ({chosen.sql}) ORDER BY {words}.rank, {name}.id LIMIT ?"""
        values = (query, *chosen.values, max(0, limit))
        rows = await self._file.search(lambda connection: connection.execute(sql, values).fetchall())
        return [self._form.document(row) for row in rows]

    async def claim(self, now: datetime, lease: float, limit: int, where: Filter | None = None) -> list[D]:
        """Give up to `limit` due documents to this caller alone. Raises `UndeclaredFilter`."""
        if not self._spec.claimable:
            raise UndeclaredFilter(f"{self._spec.name} is not declared claimable")
        chosen = both(Condition("wake_at <= ?", (instant(now),)), matching(self._table, where))
        until = instant(now + timedelta(seconds=lease))
        rows = await self._file.write(
            lambda connection: self._take_due(connection, chosen, until, max(0, limit))
        )
        return [self._form.document(row) for row in rows]

    def _in_order(
        self,
        connection: sqlite3.Connection,
        chosen: Sequence[Condition],
        order: Order,
        stretches: Sequence[Condition],
        limit: int,
    ) -> list[tuple[Any, ...]]:
        """Rows with the ordering value behind them, from each stretch in turn until there are enough."""
        found: list[tuple[Any, ...]] = []
        for stretch in stretches:
            if len(found) < limit:
                rows = in_order(self._table, chosen, stretch, order)
                found.extend(connection.execute(rows.sql, (*rows.values, limit - len(found))))
        return found

    def _take_due(
        self, connection: sqlite3.Connection, due: Condition, until: str, limit: int
    ) -> list[tuple[Any, ...]]:
        name = self._table.name
        rows = connection.execute(
            f"SELECT seq, {COLUMNS} FROM {name} WHERE {due.sql} ORDER BY wake_at, id LIMIT ?",
            (*due.values, limit),
        ).fetchall()
        connection.executemany(
            f"UPDATE {name} SET wake_at = ?, version = version + 1 WHERE seq = ?",
            [(until, row[0]) for row in rows],
        )
        return [(doc_id, version + 1, body, outbox, until) for _, doc_id, version, body, outbox, _ in rows]

    async def _why_not_replaced(self, doc_id: str, if_version: int) -> Conflict | NotFound:
        rows = (await self._file.fetch(self._get, (doc_id,))).rows
        if not rows:
            return self._missing(doc_id)
        return Conflict(f"{self._spec.name} {doc_id!r} is no longer at version {if_version}")

    def _missing(self, doc_id: str) -> NotFound:
        return NotFound(f"there is no {doc_id!r} in {self._spec.name}")

    def _taken(self, doc_id: str) -> Duplicate:
        return Duplicate(f"{self._spec.name} {doc_id!r}: its id or a unique value is taken")


def _now() -> int:
    return time.time_ns() // 1_000_000
