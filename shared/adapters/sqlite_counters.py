"""Counters as rows: many increments in a handful of statements. Everything here runs inside a transaction.

A counter remembers its last `TOKENS_KEPT` tokens, in the order in which they came; `seq` tells it.

Counters that have expired are forgotten by those that come: an increment of one that is to be forgotten
itself removes up to `FORGOTTEN_AT_ONCE`, so there are never many more than are in use.
"""

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from shared.adapters.sqlite_bulk import BulkWrite, found

TOKENS_KEPT = 2_000
"""How many `once` tokens of one counter are remembered."""

FORGOTTEN_AT_ONCE = 50
"""How many expired counters are removed by one transaction."""

_Token = tuple[str, str]


class Increment(NamedTuple):
    """Add `by` to the numbers of a counter, but not if it knows the token `once`."""

    counter: str
    by: Mapping[str, int]
    once: str | None
    kept_for: float | None = None


def increment_all(connection: sqlite3.Connection, increments: Sequence[Increment]) -> list[dict[str, int]]:
    """Do the increments one after the other; the numbers after each."""
    _keep_and_forget(connection, increments)
    counters = list({increment.counter for increment in increments})
    numbers = _numbers(connection, counters)
    known = _known_tokens(connection, increments)
    fresh: dict[_Token, None] = {}
    answers = []
    for counter, by, once, _ in increments:
        repeated = once is not None and ((counter, once) in known or (counter, once) in fresh)
        if once is not None and not repeated:
            fresh[counter, once] = None
        values = numbers[counter]
        for name, number in by.items():
            values[name] = values.get(name, 0) + (0 if repeated else number)
        answers.append({name: values[name] for name in by})
    _ADD_NUMBERS(
        connection,
        [
            (counter, name, numbers[counter][name])
            for counter, name in {
                (increment.counter, name) for increment in increments for name in increment.by
            }
        ],
    )
    _remember(connection, list(fresh))
    return answers


def set_counter(connection: sqlite3.Connection, counter: str, to: Mapping[str, int]) -> None:
    """Make a counter hold these numbers and no others; its tokens are kept."""
    connection.execute("DELETE FROM sys_counters WHERE counter = ?", (counter,))
    _ADD_NUMBERS(connection, [(counter, name, number) for name, number in to.items()])


_ADD_NUMBERS = BulkWrite(
    """INSERT INTO sys_counters (counter, name, value) {rows}
        ON CONFLICT DO UPDATE SET value = excluded.value""",
    width=3,
)
_KEEP = BulkWrite(
    """INSERT INTO sys_expiries (counter, at) {rows}
        ON CONFLICT DO UPDATE SET at = max(at, excluded.at)""",
    width=2,
)
_ADD_TOKENS = BulkWrite("INSERT INTO sys_tokens (counter, seq, token) {rows}", width=3)


def _keep_and_forget(connection: sqlite3.Connection, increments: Sequence[Increment]) -> None:
    """Note until when counters are kept, and remove those whose time is over."""
    now = time.time_ns() // 1_000_000
    until = {one.counter: now + int(one.kept_for * 1000) for one in increments if one.kept_for is not None}
    if not until:
        return
    _KEEP(connection, list(until.items()))
    expired = connection.execute(
        "SELECT counter FROM sys_expiries WHERE at < ? ORDER BY at LIMIT ?", (now, FORGOTTEN_AT_ONCE)
    ).fetchall()
    for table in ("sys_counters", "sys_tokens", "sys_expiries") if expired else ():
        connection.executemany(f"DELETE FROM {table} WHERE counter = ?", expired)  # noqa: S608 (our tables)


def _numbers(connection: sqlite3.Connection, counters: Sequence[str]) -> dict[str, dict[str, int]]:
    numbers: dict[str, dict[str, int]] = {counter: {} for counter in counters}
    rows = found(
        connection,
        """SELECT json_group_array(json_array(counter, name, value)) FROM sys_counters
            WHERE counter IN (SELECT value FROM json_each(?))""",
        counters,
    )
    for counter, name, value in rows:
        numbers[counter][name] = value
    return numbers


def _known_tokens(connection: sqlite3.Connection, increments: Sequence[Increment]) -> set[_Token]:
    rows = found(
        connection,
        """SELECT json_group_array(json_array(counter, token)) FROM sys_tokens
            WHERE (counter, token) IN (
                SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?))""",
        [(increment.counter, increment.once) for increment in increments if increment.once is not None],
    )
    return {(counter, token) for counter, token in rows}


def _remember(connection: sqlite3.Connection, tokens: Sequence[_Token]) -> None:
    """Note the tokens, and forget the oldest."""
    newest: dict[str, int] = dict(
        found(
            connection,
            """SELECT json_group_array(json_array(
                    value, (SELECT coalesce(max(seq), 0) FROM sys_tokens WHERE counter = value)
                )) FROM json_each(?)""",
            list({counter for counter, _ in tokens}),
        )
    )
    rows = []
    for counter, token in tokens:
        newest[counter] += 1
        rows.append((counter, newest[counter], token))
    _ADD_TOKENS(connection, rows)
    connection.executemany(
        "DELETE FROM sys_tokens WHERE counter = ? AND seq <= ?",
        [(counter, seq - TOKENS_KEPT) for counter, seq in newest.items() if seq > TOKENS_KEPT],
    )
