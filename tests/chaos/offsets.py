"""I6: samples committed offsets while a run goes on, and asks the store whether what lies before is finished.

A mail is finished when it has a ledger entry; for triage, a ticket that was opened is when it has a triage.
The offset is read first and the store after it: work that finishes in between is held against nobody.
A sample that cannot be taken, because the broker or the store is down, is no sample.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo.errors import PyMongoError

from shared.adapters.sqlite_records import OFFSETS
from tests.chaos.oracle import Store

MAIL, TICKETS = "ombud.mail.v1", "ombud.tickets.v1"
OPENED = "ombud.ticket.opened.v1"
WATCHED = {MAIL: "intake", TICKETS: "triage"}
"""A topic, and the group whose commits are looked at."""
DEAD = ".dead"
EVERY = 1.0
"""Seconds between two samples."""

Record = tuple[Mapping[str, str], bytes]


@dataclass
class Samples:
    """What was found: how many records were compared, and which were committed and not finished."""

    compared: int = 0
    ahead: list[str] = field(default_factory=list)
    taking: asyncio.Lock = field(default_factory=asyncio.Lock)


class KafkaOffsets:
    """Committed records of a broker, each given once."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._seen: dict[TopicPartition, int] = {}

    async def fresh(self) -> dict[str, list[Record]]:
        """What was committed since the last call, by topic. Raises `KafkaError`, `OSError`."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=5000)
        try:
            await admin.start()
            committed = {
                at: found.offset
                for topic, group in WATCHED.items()
                for at, found in (await admin.list_consumer_group_offsets(group)).items()
                if at.topic == topic and found.offset > self._seen.get(at, 0)
            }
        finally:
            await admin.close()
        return await self._read(committed) if committed else {}

    async def lag(self) -> dict[str, int]:
        """Records behind each group's commits, by `group on topic`; on each dead topic, all of them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=5000)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, request_timeout_ms=5000)
        found: dict[str, int] = {}
        try:
            await admin.start()
            await consumer.start()
            topics = [topic for topic in await admin.list_topics() if not topic.startswith("__")]
            described = await admin.describe_topics(topics)
            of = {one["topic"]: [part["partition"] for part in one["partitions"]] for one in described}
            ends = await consumer.end_offsets([TopicPartition(t, n) for t, many in of.items() for n in many])
            for at, end in ends.items():
                if at.topic.endswith(DEAD):
                    found[at.topic] = found.get(at.topic, 0) + end
            for group, *_ in await admin.list_consumer_groups():
                for at, done in (await admin.list_consumer_group_offsets(group)).items():
                    name = f"{group} on {at.topic}"
                    found[name] = found.get(name, 0) + ends.get(at, done.offset) - done.offset
        finally:
            await consumer.stop()
            await admin.close()
        return found

    async def _read(self, committed: Mapping[TopicPartition, int]) -> dict[str, list[Record]]:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, request_timeout_ms=5000)
        found: dict[str, list[Record]] = {}
        await consumer.start()
        try:
            consumer.assign(list(committed))
            for at in committed:
                consumer.seek(at, self._seen.get(at, 0))
            while [at for at, end in committed.items() if await consumer.position(at) < end]:
                for at, records in (await consumer.getmany(timeout_ms=1000)).items():
                    found.setdefault(at.topic, []).extend(
                        (_texts(one.headers), one.value or b"")
                        for one in records
                        if one.offset < committed[at]
                    )
        finally:
            await consumer.stop()
        self._seen.update(committed)
        return found


class SqliteOffsets:
    """Committed records of the embedded bus, each given once."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: dict[tuple[str, int], int] = {}

    async def fresh(self) -> dict[str, list[Record]]:
        """What was committed since the last call, by topic. Raises `sqlite3.Error`."""
        return await asyncio.to_thread(self._fresh)

    async def lag(self) -> dict[str, int]:
        """Records behind each group's commits, by `group on topic`; on each dead topic, all of them."""
        return await asyncio.to_thread(self._lag)

    def _lag(self) -> dict[str, int]:
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)) as connection:
            behind = connection.execute(
                """SELECT grp || ' on ' || topic, sum(next_offset - done) FROM sys_positions
                    JOIN sys_partitions ON id = partition GROUP BY grp, topic"""
            ).fetchall()
            dead = connection.execute(
                "SELECT topic, sum(next_offset) FROM sys_partitions WHERE topic LIKE '%.dead' GROUP BY topic"
            ).fetchall()
        return dict([*behind, *dead])

    def _fresh(self) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        with closing(sqlite3.connect(f"file:{self._file}?mode=ro", uri=True, timeout=30)) as connection:
            positions = connection.execute(
                "SELECT topic, grp, partition, done FROM sys_positions JOIN sys_partitions ON id = partition"
            ).fetchall()
            for topic, group, partition, done in positions:
                if WATCHED.get(topic) != group:
                    continue
                first = self._seen.get((topic, partition), 0)
                rows = connection.execute(
                    "SELECT headers, value FROM sys_records WHERE place >= ? AND place < ?",
                    (partition * OFFSETS + first, partition * OFFSETS + done),
                )
                found.setdefault(topic, []).extend((orjson.loads(headers), value) for headers, value in rows)
                self._seen[topic, partition] = done
        return found


def _texts(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """Whatever somebody wrote there."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers}


Fresh = Callable[[], Awaitable[dict[str, list[Record]]]]


async def sample(fresh: Fresh, store: Store, into: Samples) -> None:
    """Take samples until cancelled."""
    while True:
        await asyncio.sleep(EVERY)
        await sample_once(fresh, store, into)


async def sample_once(fresh: Fresh, store: Store, into: Samples) -> None:
    """Take one, if it can be taken: what keeps it from that is the fault of the scenario.

    One at a time, for each begins where the one before it ended.
    """
    async with into.taking:
        with suppress(KafkaError, OSError, PyMongoError, sqlite3.Error):
            await asyncio.to_thread(_compare, await fresh(), store, into)


def _compare(committed: Mapping[str, Sequence[Record]], store: Store, into: Samples) -> None:
    mails = [headers["ce_id"] for headers, _ in committed.get(MAIL, []) if "ce_uid" in headers]
    opened = [
        _ticket(value) for headers, value in committed.get(TICKETS, []) if headers.get("ce_type") == OPENED
    ]
    _missing(mails, _values(store, "ledger", "id"), "a mail is committed and has no ledger entry", into)
    _missing(opened, _values(store, "triages", "ticket_id"), "a ticket is committed and not triaged", into)


def _values(store: Store, collection: str, name: str) -> set[str]:
    return {one[name] for one in store.documents(collection)}


def _missing(ids: Sequence[str], done: set[str], why: str, into: Samples) -> None:
    into.compared += len(ids)
    into.ahead += [f"{one}: {why}" for one in ids if one not in done]


def _ticket(value: bytes) -> str:
    return str(orjson.loads(value)["ticket_id"])
