"""The bus on the embedded file; the promises are those of shared/ports/bus.py, for one machine.

A record lies in the partition that the CRC-32 of its key tells, of as many as its topic was made with. What
publishers in this process hand in goes into the file in one line, in their order, many in one transaction.
Several processes may use the same file; a member that dies is replaced after `session` seconds.

On failure: while the file is locked or the disk full, publishers wait; `bus.waiting` is logged once and the
metric counts every try. Reading raises `Unavailable`. Nothing that was published is lost.
"""

import asyncio
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from heapq import merge
from typing import NamedTuple

import orjson
import structlog

from shared.adapters import sqlite_groups as groups
from shared.adapters.gather import Gatherer
from shared.adapters.sqlite_bell import Bell
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_groups import Member
from shared.adapters.sqlite_records import (
    Entry,
    Stretch,
    append,
    make_topics,
    partition_ids,
    read_stretches,
    record_of,
    trim,
)
from shared.adapters.sqlite_subscription import SqliteSubscription
from shared.domain.errors import Permanent, Unavailable
from shared.metrics import BUS_WAITS
from shared.ports.bus import Message, Partition, Record, Revoked

PARTITIONS = 8
"""How many partitions a new topic gets: what may be read side by side."""

SESSION_SECONDS = 10.0
"""Without a sign of life for so long, a member's partitions go to others."""

DRAIN_SECONDS = 25.0
"""What `on_revoked` may take."""

LARGEST_VALUE = 64 * 1024 * 1024
"""Bytes; larger things belong into the blobs."""

PUBLISHES_AT_ONCE = 500
TRIM_AT_ONCE = 1_000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0  # seconds between tries of a publish

log = structlog.get_logger()


class Checked(NamedTuple):
    """A message that can be stored."""

    topic: str
    key: str
    value: bytes
    headers: bytes
    hash: int


class SqliteBus:
    """The bus in one file."""

    def __init__(
        self,
        file: SqliteFile,
        partitions: int = PARTITIONS,
        session: float = SESSION_SECONDS,
        drain: float = DRAIN_SECONDS,
    ) -> None:
        self._file = file
        self._partitions = partitions
        self._session = session
        self._drain = drain
        self._bell = Bell(file)
        self._topics: dict[str, list[int]] = {}
        # One batch at a time, tried until it is in: so no publish overtakes an earlier one.
        self._line: Gatherer[list[Checked], None] = Gatherer(self._publish_all, PUBLISHES_AT_ONCE, parallel=1)

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when all are durable; waits while the file cannot be written. Raises `Permanent`."""
        if messages:
            await self._line.ask([_checked(message) for message in messages])

    async def subscribe(
        self, topics: Sequence[str], group: str, member: str, on_revoked: Revoked | None = None
    ) -> SqliteSubscription:
        """Join `group` as `member`. Raises `Unavailable`."""
        await self._know(topics)
        joining = Member(group, uuid.uuid4().hex, member, tuple(dict.fromkeys(topics)))
        await self._file.write(lambda connection: groups.join(connection, joining))
        partitions = {
            partition: Partition(topic, number)
            for topic in joining.topics
            for number, partition in enumerate(self._topics[topic])
        }
        subscription = SqliteSubscription(
            self._file, self._bell, joining, partitions, self._session, self._drain, on_revoked
        )
        self._bell.changed(group)
        return subscription

    async def browse(self, topic: str, limit: int, after: Mapping[int, int] | None = None) -> list[Record]:
        """Look at records without joining a group, oldest first. Raises `Unavailable`."""
        ids = await self._ids(topic)
        names = {partition: Partition(topic, number) for number, partition in enumerate(ids)}
        seen = after or {}
        stretches = [
            Stretch(partition, seen.get(name.number, -1) + 1, max(0, limit))
            for partition, name in names.items()
        ]
        shares = await asyncio.gather(*(self._browse_one(stretch, names) for stretch in stretches))
        # Each partition's records stay in their order, whatever the clock did.
        return list(merge(*shares, key=lambda record: record.published_at))[: max(0, limit)]

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make the topics that are missing. Raises `Unavailable`."""
        await self._know(topics)

    async def trim(self, topic: str, older_than: float) -> int:
        """Remove records older than so many seconds that every group of the topic has done; how many went.

        What nobody reads, as a dead topic, is kept. Raises `Unavailable`.
        """
        before = int((time.time() - older_than) * 1000)
        removed = 0
        while True:
            some = await self._file.write(lambda connection: trim(connection, topic, before, TRIM_AT_ONCE))
            removed += some
            if some < TRIM_AT_ONCE:
                return removed

    async def ping(self) -> None:
        """Return if the file takes writes. Raises `Unavailable`."""
        await self._file.ping()

    async def _publish_all(self, publishes: list[list[Checked]]) -> list[BaseException | None]:
        messages = [message for publish in publishes for message in publish]
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._append(messages)
                return [None] * len(publishes)
            except Unavailable as error:
                if self._file.closed:
                    raise
                if pause == _FIRST_PAUSE:
                    log.warning("bus.waiting", publishes=len(publishes), reason=str(error))
            BUS_WAITS.labels("publish").inc(len(publishes))
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _append(self, messages: Sequence[Checked]) -> None:
        await self._know({message.topic for message in messages})
        now = time.time_ns() // 1_000_000
        entries = [
            Entry(self._partition(message), message.key, message.value, message.headers, now)
            for message in messages
        ]
        self._bell.grew(await self._file.write(lambda connection: append(connection, entries)))

    async def _know(self, topics: Iterable[str]) -> None:
        """Have the partitions of these topics at hand, made where they are missing."""
        missing = [topic for topic in topics if topic not in self._topics]
        if missing:
            await self._file.write(lambda connection: make_topics(connection, missing, self._partitions))
            for topic in missing:
                self._topics[topic] = await self._ids(topic)

    async def _ids(self, topic: str) -> list[int]:
        return await self._file.read(lambda connection: partition_ids(connection, topic))

    def _partition(self, message: Checked) -> int:
        ids = self._topics[message.topic]
        return ids[message.hash % len(ids)]

    async def _browse_one(self, stretch: Stretch, names: Mapping[int, Partition]) -> list[Record]:
        rows = await self._file.search(lambda connection: read_stretches(connection, [stretch]))
        return [record_of(row, names) for row in rows]


def _checked(message: Message) -> Checked:
    """The message as it can be stored. Raises `Permanent`."""
    if len(message.value) > LARGEST_VALUE:
        raise Permanent(
            f"a message of {len(message.value)} bytes is too large for {message.topic}: put it into a blob"
        )
    try:
        hashed = zlib.crc32(message.key.encode())
        headers = orjson.dumps(dict(message.headers))
    except (UnicodeEncodeError, TypeError) as error:
        raise Permanent(f"a key or a header of a message for {message.topic} is no text: {error}") from error
    return Checked(message.topic, message.key, message.value, headers, hashed)
