"""The buses that the contract suite runs on, and what the tests need around them.

`Station` stands for one bus on disk: each `open()` of it is a process of its own as far as the bus can tell.
`Reader` is a member that reads on and on, as a consumer does.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_options import KafkaOptions
from shared.domain.errors import Unavailable
from shared.ports.bus import Bus, Message, Partition, Record, Revoked, Subscription
from tests.helpers import eventually, unique

BUSES = ["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)]
PARTITIONS = 4
SESSION_SECONDS = {"kafka": 6.0, "sqlite": 1.5}  # a broker's least, if nobody told it otherwise, is 6 s
CHECKOUT = Path(__file__).resolve().parents[2]


def kafka_options(bootstrap: str, **changes: Any) -> KafkaOptions:
    """Options for tests: few partitions, and nothing waited for longer than need be."""
    impatient: dict[str, Any] = {
        "partitions": PARTITIONS,
        "session_seconds": SESSION_SECONDS["kafka"],
        "heartbeat_seconds": 0.2,
        "drain_seconds": 5.0,
    }
    return KafkaOptions(bootstrap, **{**impatient, **changes})


@asynccontextmanager
async def open_bus(kind: str, address: str) -> AsyncIterator[Bus]:
    """The bus of this kind at this address: a bootstrap server, or a file."""
    if kind == "kafka":
        async with KafkaBus.open(kafka_options(address)) as bus:
            yield bus
    else:
        from shared.adapters.sqlite_bus import SqliteBus
        from shared.adapters.sqlite_file import SqliteFile

        async with SqliteFile.open(Path(address)) as file:
            yield SqliteBus(file, partitions=PARTITIONS, session=SESSION_SECONDS["sqlite"])


@asynccontextmanager
async def station_of(request: pytest.FixtureRequest, folder: Path) -> AsyncIterator["Station"]:
    """The station of the adapter that the fixture's parameter names; a file bus lies in `folder`."""
    kafka = request.param == "kafka"
    address = request.getfixturevalue("kafka_bootstrap") if kafka else str(folder / "bus.sqlite")
    async with AsyncExitStack() as stack:
        yield Station(request.param, address, stack)


class Station:
    """One bus on disk, with a topic and a group that no other test uses."""

    def __init__(self, kind: str, address: str, stack: AsyncExitStack) -> None:
        self.kind = kind
        self.address = address
        self.topic = unique("topic")
        self.group = unique("group")
        self._stack = stack

    async def open(self) -> Bus:
        """A bus that shares nothing with the others but what lies on disk; closed with the test."""
        return await self._stack.enter_async_context(open_bus(self.kind, self.address))

    async def join(self, bus: Bus, member: str, on_revoked: Revoked | None = None) -> Subscription:
        """A subscription that is closed with the test, if the test does not close it itself."""
        subscription = await bus.subscribe([self.topic], self.group, member, on_revoked)
        self._stack.push_async_callback(subscription.close)
        return subscription

    async def read_on(self, subscription: Subscription, *, commit: bool = False) -> "Reader":
        """A reader that ends with the test."""
        return await self._stack.enter_async_context(Reader(subscription, commit=commit))

    async def spawn(self, member: str) -> "Process":
        """A member in a process of its own, killed with the test at the latest."""
        process = await Process.start(self, member)
        self._stack.push_async_callback(process.kill)
        return process


class Reader:
    """Fetches in a task of its own until the `with` ends; `records` is what came so far."""

    def __init__(self, subscription: Subscription, *, commit: bool) -> None:
        self.records: list[Record] = []
        self._subscription = subscription
        self._commit = commit
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Reader":
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _read(self) -> None:
        while True:
            with contextlib.suppress(Unavailable):
                records = await self._subscription.fetch(100, 0.1)
                self.records += records
                if self._commit:
                    await self._subscription.commit(behind(records))
            await asyncio.sleep(0)


class Process:
    """A member that runs `tests.contract.bus_member`: it talks JSON lines, and can be killed."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, station: Station, member: str) -> "Process":
        order = [station.kind, station.address, station.topic, station.group, member]
        command = [sys.executable, "-m", "tests.contract.bus_member", *order]
        pipe = asyncio.subprocess.PIPE
        return cls(await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=CHECKOUT))

    async def ask(self, order: str, within: float = 20.0) -> dict[str, list[int]]:
        """Give the order and wait for the answer: each of its partitions with what it is asked for."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{order}\n".encode())
        line = await asyncio.wait_for(self._process.stdout.readline(), within)
        answer: dict[str, list[int]] = json.loads(line)
        return answer

    async def kill(self) -> None:
        """SIGKILL: it leaves no word to the group."""
        if self._process.returncode is None:
            os.kill(self._process.pid, 9)
            await self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()


class Seen(NamedTuple):
    """What identifies a record."""

    partition: Partition
    offset: int


def seen(records: Iterable[Record]) -> list[Seen]:
    return [Seen(record.partition, record.offset) for record in records]


def behind(records: Iterable[Record]) -> dict[Partition, int]:
    """The offsets to commit when all of these are done."""
    offsets: dict[Partition, int] = {}
    for record in records:
        offsets[record.partition] = max(offsets.get(record.partition, 0), record.offset + 1)
    return offsets


def by_partition(records: Iterable[Record]) -> dict[Partition, list[Record]]:
    found: dict[Partition, list[Record]] = defaultdict(list)
    for record in records:
        found[record.partition].append(record)
    return found


def messages(topic: str, count: int, keys: int = 20) -> list[Message]:
    """Numbered messages, spread over so many keys."""
    return [Message(topic, f"key-{number % keys}", str(number).encode()) for number in range(count)]


def values(records: Iterable[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def read(subscription: Subscription, count: int, within: float = 20.0) -> list[Record]:
    """The next records, at least so many."""
    records: list[Record] = []

    async def enough() -> bool:
        records.extend(await subscription.fetch(500, 0.2))
        return len(records) >= count

    await eventually(enough, awaited=f"{count} records", within=within)
    return records


async def has_all(subscription: Subscription, within: float = 20.0) -> None:
    """Wait until this member has all partitions; records may be fetched only afterwards."""
    await shared_out([subscription], within)


async def shared_out(members: Sequence[Subscription], within: float = 20.0) -> None:
    """Wait until these members have all partitions between them, each at least one."""

    def settled() -> bool:
        shares = [member.assignment() for member in members]
        return all(shares) and sum(map(len, shares)) == PARTITIONS == len(frozenset().union(*shares))

    await eventually(settled, awaited="partitions shared out", within=within)
