"""From the port's filters, orders and cursors to SQL.

Every value travels as a bound parameter, every name has been checked against the Spec: nothing that a person
typed becomes SQL. Raises `UndeclaredFilter` for a field without an index, `Invalid` for a cursor of others.
"""

# ruff: noqa: S608 (SQL is put together from names that `Table` has checked; values are bound)

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from shared.adapters.sqlite_row import COLUMNS
from shared.adapters.sqlite_table import Table
from shared.adapters.sqlite_text import escaped, instant
from shared.adapters.sqlite_worker import Value
from shared.domain.errors import Invalid, UndeclaredFilter
from shared.ports.documents import AnyOf, Either, Filter, Order, Range, Scalar
from shared.ports.documents import Condition as Asked


class Condition(NamedTuple):
    """A piece of a WHERE clause, and its parameters."""

    sql: str
    values: tuple[Value, ...] = ()


class Cursor(NamedTuple):
    """The last document of a page: its value of the ordering field, and its id."""

    value: Value
    doc_id: str


ALWAYS = Condition("1")


def stored(value: Scalar) -> str | int | None:
    """A value as it stands in the columns."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, str):
        return escaped(value)
    return int(value) if isinstance(value, bool) else value


def both(*conditions: Condition) -> Condition:
    """All of them."""
    return Condition(
        " AND ".join(f"({condition.sql})" for condition in conditions),
        tuple(value for condition in conditions for value in condition.values),
    )


def matching(table: Table, where: Filter | None) -> Condition:
    """The documents that meet every condition of `where`."""
    if not where:
        return ALWAYS
    return both(*(_one(table, field, asked) for field, asked in where.items()))


def branches(table: Table, where: Filter) -> list[Condition]:
    """Conditions of which each document that meets `where` meets one, and each can be answered from an index.

    One with `Either` is two: their rows come in order from an index each, and SQLite merges them. As one
    condition it would have to read and sort all.
    """
    for field, asked in where.items():
        if isinstance(asked, Either):
            same, also = _one(table, field, asked.value), _one(table, asked.also, asked.value)
            others = matching(table, {name: one for name, one in where.items() if name != field})
            return [
                both(same, others),
                both(also, Condition(f"({same.sql}) IS NOT TRUE", same.values), others),
            ]
    return [matching(table, where)]


def must_be_declared(table: Table, field: str) -> None:
    """Raise `UndeclaredFilter` unless an index names the field."""
    if field not in table.declared:
        raise UndeclaredFilter(f"{table.name} has no index on {field!r}: declare it in the collection's Spec")


def _one(table: Table, field: str, asked: Asked) -> Condition:
    must_be_declared(table, field)
    if isinstance(asked, Either):
        same, also = _one(table, field, asked.value), _one(table, asked.also, asked.value)
        return Condition(f"{same.sql} OR {also.sql}", (*same.values, *also.values))
    column = table.column(field)
    if field not in table.lists:
        return _holds(column, asked)
    nothing = Condition(f"{column} IS NULL")
    if asked is None:
        return nothing
    inside = _holds("value", asked)
    found = Condition(f"id IN (SELECT id FROM {table.side(field)} WHERE {inside.sql})", inside.values)
    if isinstance(asked, AnyOf) and None in asked.values:
        return Condition(f"{found.sql} OR {nothing.sql}", found.values)
    return found


def _holds(column: str, asked: Scalar | AnyOf | Range) -> Condition:
    if isinstance(asked, Range):
        return _in_range(column, asked)
    if isinstance(asked, AnyOf):
        return _any_of(column, asked.values)
    if asked is None:
        return Condition(f"{column} IS NULL")
    return Condition(f"{column} = ?", (stored(asked),))


def _any_of(column: str, values: Sequence[Scalar]) -> Condition:
    # As one JSON parameter, so that the statement is the same however many values there are.
    listed = orjson.dumps([stored(value) for value in values if value is not None]).decode()
    condition = Condition(f"{column} IN (SELECT value FROM json_each(?))", (listed,))
    if None in values:
        return Condition(f"{condition.sql} OR {column} IS NULL", condition.values)
    return condition


def _in_range(column: str, asked: Range) -> Condition:
    ends = [(sign, end) for sign, end in ((">=", asked.at_least), ("<", asked.below)) if end is not None]
    if not ends:
        return ALWAYS
    return both(*(Condition(f"{column} {sign} ?", (stored(end),)) for sign, end in ends))


def segments(table: Table, order: Order, after: Cursor | None) -> list[Condition]:
    """The stretches of the order that come behind `after`, first to last.

    Documents without a value stand before all others, the other way round behind them. They are a stretch of
    their own because one condition over both could not be answered from an index.
    """
    if order.by in table.lists:
        raise UndeclaredFilter(f"{table.name} cannot be ordered by the list field {order.by!r}")
    must_be_declared(table, order.by)
    column, sign = table.column(order.by), "<" if order.descending else ">"
    if order.by == "id":
        return [Condition(f"id {sign} ?", (after.doc_id,)) if after else ALWAYS]
    missing, present = Condition(f"{column} IS NULL"), Condition(f"{column} IS NOT NULL")
    if after is None:
        stretches = [missing, present]
    elif after.value is None:
        rest = both(missing, Condition(f"id {sign} ?", (after.doc_id,)))
        return [rest] if order.descending else [rest, present]
    else:
        rest = Condition(f"({column}, id) {sign} (?, ?)", (after.value, after.doc_id))
        return [rest, missing] if order.descending else [rest]
    return stretches[::-1] if order.descending else stretches


def in_order(table: Table, chosen: Sequence[Condition], stretch: Condition, order: Order) -> Condition:
    """The statement for the rows of a stretch that meet one of `chosen`, and of what stands for its LIMIT.

    Each row has the value that it is ordered by behind its other columns.
    """
    by, way = table.column(order.by), "DESC" if order.descending else "ASC"
    conditions = [both(branch, stretch) for branch in chosen]
    rows = " UNION ALL ".join(
        f"SELECT {COLUMNS}, {by} FROM {table.name} WHERE {one.sql}" for one in conditions
    )
    values = tuple(value for one in conditions for value in one.values)
    return Condition(f"{rows} ORDER BY {by} {way}, id {way} LIMIT ?", values)


def counting(table: Table, where: Filter) -> Condition:
    """The statement for how many documents meet `where`."""
    chosen = matching(table, where)
    return Condition(f"SELECT count(*) FROM {table.name} WHERE {chosen.sql}", chosen.values)


def cursor_text(order: Order, last: Cursor) -> str:
    """What `Page.after` holds: the order, so that no cursor is taken for another's, and the place in it."""
    listed = [order.by, order.descending, last.value, last.doc_id]
    return base64.urlsafe_b64encode(orjson.dumps(listed)).decode()


def read_cursor(order: Order, after: str | None) -> Cursor | None:
    """The place behind which to go on. Raises `Invalid` for a text that we did not make for this order."""
    if after is None:
        return None
    try:
        by, descending, value, doc_id = orjson.loads(base64.b64decode(after, altchars=b"-_", validate=True))
    except (ValueError, TypeError, binascii.Error) as error:
        raise _not_ours() from error
    if (by, descending) != (order.by, order.descending) or not isinstance(doc_id, str):
        raise _not_ours()
    if not isinstance(value, str | int | float | None):
        raise _not_ours()
    return Cursor(value, doc_id)


def _not_ours() -> Invalid:
    return Invalid("this cursor is not of this list", {"after": "take it from the page before, unchanged"})


def words_of(text: str) -> str | None:
    """An FTS5 query for all the words of `text`, quoted so that none is an operator; None without any."""
    letters = (letter if _in_word(letter) else " " for letter in unicodedata.normalize("NFC", text))
    return " ".join(f'"{word}"' for word in "".join(letters).split()) or None


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter).startswith("M")
