"""Topics and records of the embedded bus as rows; everything here runs inside a transaction of the file.

A record's `place` is its partition's id times 2^40 plus its offset. Offsets are given out in the transaction
that stores the record, so within a partition they have no gap and follow the order of the commits.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from shared.ports.bus import Partition, Record

OFFSETS = 1 << 40
"""Offsets that a partition has room for."""

FETCH_BYTES = 8 * 1024 * 1024
"""Where one read stops, however few records it holds: they are all in memory at once."""

_COLUMNS = "place, key, value, headers, published_at"
Row = tuple[int, str, bytes, bytes, int]


class Entry(NamedTuple):
    """A message on its way to its partition."""

    partition: int
    key: str
    value: bytes
    headers: bytes
    published_at: int


class Stretch(NamedTuple):
    """What to read of a partition: from this offset on, at most so many records."""

    partition: int
    offset: int
    limit: int


def make_topics(connection: sqlite3.Connection, topics: Iterable[str], partitions: int) -> None:
    """Make the topics that are missing; one that is there keeps the number of its partitions."""
    for topic in topics:
        if not partition_ids(connection, topic):
            connection.executemany(
                "INSERT INTO sys_partitions (topic, number, next_offset) VALUES (?, ?, 0)",
                [(topic, number) for number in range(partitions)],
            )


def partition_ids(connection: sqlite3.Connection, topic: str) -> list[int]:
    """The ids of a topic's partitions, by number; none for a topic that does not exist."""
    rows = connection.execute("SELECT id FROM sys_partitions WHERE topic = ? ORDER BY number", (topic,))
    return [partition for (partition,) in rows]


def append(connection: sqlite3.Connection, entries: Sequence[Entry]) -> dict[int, int]:
    """Store the entries in their order; the next offset of each partition that got some."""
    ends: dict[int, int] = {}
    placed = []
    for partition, *rest in entries:
        if partition not in ends:
            ends[partition] = _next_offset(connection, partition)
        placed.append((partition * OFFSETS + ends[partition], *rest))
        ends[partition] += 1
    connection.executemany(
        "INSERT INTO sys_records (place, key, value, headers, published_at) VALUES (?, ?, ?, ?, ?)", placed
    )
    connection.executemany(
        "UPDATE sys_partitions SET next_offset = ? WHERE id = ?",
        [(end, partition) for partition, end in ends.items()],
    )
    return ends


def _next_offset(connection: sqlite3.Connection, partition: int) -> int:
    (offset,) = connection.execute(
        "SELECT next_offset FROM sys_partitions WHERE id = ?", (partition,)
    ).fetchone()
    return int(offset)


def ends_of_all(connection: sqlite3.Connection) -> dict[int, int]:
    """The next offset of every partition there is."""
    return dict(connection.execute("SELECT id, next_offset FROM sys_partitions").fetchall())


def read_stretches(connection: sqlite3.Connection, stretches: Iterable[Stretch]) -> list[Row]:
    """The records of the stretches, one stretch after the other, until `FETCH_BYTES` are exceeded."""
    rows: list[Row] = []
    size = 0
    for partition, offset, limit in stretches:
        start = partition * OFFSETS
        found = connection.execute(
            f"SELECT {_COLUMNS} FROM sys_records WHERE place >= ? AND place < ? ORDER BY place LIMIT ?",  # noqa: S608
            (start + offset, start + OFFSETS, limit),
        )
        for row in found:
            rows.append(row)
            size += len(row[2])
            if size > FETCH_BYTES:
                return rows
    return rows


def record_of(row: Row, partitions: Mapping[int, Partition]) -> Record:
    """The record that a row holds."""
    place, key, value, headers, published_at = row
    partition, offset = divmod(place, OFFSETS)
    at = datetime.fromtimestamp(published_at / 1000, UTC)
    return Record(partitions[partition], offset, key, value, orjson.loads(headers), at)


def trim(connection: sqlite3.Connection, topic: str, before: int, limit: int) -> int:
    """Remove up to `limit` records of a topic published before this (Unix ms) that all its groups have done.

    Returns how many went. A topic that no group reads keeps everything.
    """
    removed = 0
    for partition in partition_ids(connection, topic):
        (done,) = connection.execute(
            "SELECT coalesce(min(done), 0) FROM sys_positions WHERE partition = ?", (partition,)
        ).fetchone()
        start = partition * OFFSETS
        removed += connection.execute(
            """DELETE FROM sys_records WHERE place IN (
                SELECT place FROM sys_records WHERE place >= ? AND place < ? AND published_at < ? LIMIT ?)""",
            (start, start + done, before, limit - removed),
        ).rowcount
    return removed
