"""Publishing on the embedded bus: gapless, in order, and through another's lock."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.sqlite_bus import LARGEST_VALUE, SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Permanent, Unavailable
from shared.ports.bus import Message
from tests.helpers import eventually
from tests.unit.adapters.sqlite_bus.members import PARTITIONS, numbered, values


async def test_offsets_have_neither_gaps_nor_repeats_whoever_publishes(
    bus: SqliteBus, other: SqliteBus
) -> None:
    await asyncio.gather(*(each.publish([message]) for message in numbered(150) for each in (bus, other)))

    records = await bus.browse("t", 1000)

    assert len(records) == 300
    for number in range(PARTITIONS):
        offsets = [record.offset for record in records if record.partition.number == number]
        assert offsets == list(range(len(offsets)))


async def test_publishers_wait_out_a_lock_and_keep_their_order(bus: SqliteBus, path: Path) -> None:
    await bus.prepare(["t"])
    with closing(sqlite3.connect(path, isolation_level=None)) as locker, capture_logs() as lines:
        locker.execute("BEGIN IMMEDIATE")
        waiting = [asyncio.ensure_future(bus.publish([message])) for message in numbered(30, keys=1)]
        await eventually(lambda: [line for line in lines if line["event"] == "bus.waiting"])
        assert not any(publish.done() for publish in waiting)
        late = asyncio.ensure_future(bus.publish([Message("t", "k0", b"30")]))
        locker.execute("COMMIT")
        await asyncio.gather(*waiting, late)

    assert values(await bus.browse("t", 100)) == list(range(31))


async def test_a_publish_to_a_file_that_was_closed_does_not_wait_for_ever(path: Path) -> None:
    async with SqliteFile.open(path) as file:
        bus = SqliteBus(file)

    with pytest.raises(Unavailable):
        await bus.publish(numbered(1))


@pytest.mark.parametrize(
    "message",
    [
        Message("t", "k", bytes(LARGEST_VALUE + 1)),
        Message("t", "half a character \ud800", b""),
        Message("t", "k", b"", {"header": "\ud800"}),
    ],
    ids=["too large", "key", "header"],
)
async def test_a_message_that_cannot_be_stored_is_its_publishers_fault_alone(
    bus: SqliteBus, message: Message
) -> None:
    answers = await asyncio.gather(bus.publish([message]), bus.publish(numbered(3)), return_exceptions=True)

    assert isinstance(answers[0], Permanent)
    assert sorted(values(await bus.browse("t", 10))) == [0, 1, 2]


async def test_a_topic_keeps_the_partitions_it_was_made_with(bus: SqliteBus, file: SqliteFile) -> None:
    """Else a key would move, and its order be lost."""
    await bus.publish(numbered(100))
    wider = SqliteBus(file, partitions=PARTITIONS * 4)
    await wider.prepare(["t", "wide"])
    await wider.publish(numbered(100))

    records = await wider.browse("t", 1000)
    assert {record.partition.number for record in records} == set(range(PARTITIONS))
    assert all(
        len({record.partition for record in records if record.key == key}) == 1
        for key in {record.key for record in records}
    )
