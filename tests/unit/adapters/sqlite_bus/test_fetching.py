"""Fetching from the embedded bus: soon, in portions that fit, and everything once."""

import asyncio

from shared.adapters import sqlite_records
from shared.adapters.sqlite_bus import SqliteBus
from shared.ports.bus import Message, Record
from tests.unit.adapters.sqlite_bus.members import PARTITIONS, numbered, values


async def test_what_another_process_publishes_wakes_a_waiting_fetch(bus: SqliteBus, other: SqliteBus) -> None:
    member = await bus.subscribe(["t"], "g", "m")
    await member.fetch(1, 0)
    waiting = asyncio.ensure_future(member.fetch(1, 30))
    await asyncio.sleep(0)

    await other.publish(numbered(1))

    assert values(await asyncio.wait_for(waiting, 5)) == [0]


async def test_a_fetch_stops_at_a_number_of_bytes_and_goes_on_from_there(
    bus: SqliteBus,
) -> None:
    """A thousand records of half a megabyte do not fit into memory at once."""
    size = sqlite_records.FETCH_BYTES // 4
    await bus.publish([Message("t", f"k{number}", bytes(size)) for number in range(12)])
    member = await bus.subscribe(["t"], "g", "m")

    fetched = [await member.fetch(100, 1) for _ in range(3)]

    assert [len(records) for records in fetched] == [5, 5, 2]
    assert len({(record.partition, record.offset) for records in fetched for record in records}) == 12


async def test_with_small_fetches_every_partition_gets_its_turn(bus: SqliteBus) -> None:
    await bus.publish(numbered(200, keys=50))
    member = await bus.subscribe(["t"], "g", "m")

    first = [record for _ in range(3) for record in await member.fetch(1, 1)]

    assert {record.partition.number for record in first} == set(range(PARTITIONS))


async def test_many_members_in_two_processes_read_everything_once(bus: SqliteBus, other: SqliteBus) -> None:
    """Joining while it is published, each committing as it goes."""
    everything: list[Record] = []

    async def read_on(bus: SqliteBus, name: str) -> None:
        member = await bus.subscribe(["t"], "g", name)
        while len(everything) < 600:
            records = await member.fetch(20, 0.02)
            everything.extend(records)
            await member.commit({record.partition: record.offset + 1 for record in records})
        await member.close()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(read_on((bus, other)[number % 2], f"m{number}"))
        for message in numbered(600):
            await (bus, other)[len(everything) % 2].publish([message])

    assert sorted(values(everything)) == list(range(600))
