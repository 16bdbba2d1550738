"""Many rows written, or looked up, by one statement.

Python's lock is given away and taken back at each step of a statement, and a thread gets it back late while
the event loop is busy. So a batch that is one statement is done far sooner than one that is a hundred, at the
same work for SQLite.

On failure: SQLite's error, or `Missed`, for all of them; the worker then tries with fewer.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, TypeVar

import orjson

from shared.adapters.sqlite_worker import Value

SIZES = (128, 16, 4, 1)
"""Rows in one statement. SQLite keeps the statement of each size prepared, so there are few of them."""

T = TypeVar("T")


class Missed(Exception):
    """Of rows that were written together not all changed something, and nobody knows which did."""


class BulkWrite:
    """A writing statement that takes any number of rows of `width` values; a `Bulk` of the worker.

    `sql` holds `{rows}` where `VALUES (…), (…)` goes, and changes at most one row of its table for each row
    it is given. The answer to each is what it changed: 1 or 0.
    """

    def __init__(self, sql: str, width: int) -> None:
        places = "(" + ", ".join("?" * width) + ")"
        self._sql = {size: sql.format(rows="VALUES " + ", ".join([places] * size)) for size in SIZES}

    def __call__(self, connection: sqlite3.Connection, rows: Sequence[Sequence[Value]]) -> list[int]:
        """Write the rows. Raises `Missed`, unless there is but one."""
        changed = sum(
            connection.execute(self._sql[len(part)], list(chain.from_iterable(part))).rowcount
            for part in _parts(rows)
        )
        if changed == len(rows):
            return [1] * changed
        if len(rows) > 1:
            raise Missed
        return [changed]


def found(connection: sqlite3.Connection, sql: str, asked: Sequence[Any]) -> Any:
    """What a query finds for a list of values.

    The query has the list as a JSON text in its only parameter, and makes one JSON text of all that it finds.
    """
    (text,) = connection.execute(sql, (orjson.dumps(asked).decode(),)).fetchone()
    return orjson.loads(text)


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """The rows in their order, cut into parts of the sizes there are statements for."""
    start = 0
    for size in SIZES:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size
