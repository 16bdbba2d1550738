"""Groups on the embedded bus: who has which partition, and what a lost member's word is worth."""

import asyncio
import time

from structlog.testing import capture_logs

from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_subscription import SqliteSubscription
from shared.ports.bus import Partition, Record
from tests.helpers import eventually
from tests.unit.adapters.sqlite_bus.members import PARTITIONS, SESSION, numbered, shared_out, turn, values


async def test_a_member_without_a_sign_of_life_loses_its_partitions_and_its_commits(
    bus: SqliteBus, other: SqliteBus
) -> None:
    await bus.publish(numbered(40))
    lost: list[frozenset[Partition]] = []

    async def note(partitions: frozenset[Partition]) -> None:
        lost.append(partitions)

    frozen = await bus.subscribe(["t"], "g", "frozen", note)
    records = await frozen.fetch(100, 1)
    alive = await other.subscribe(["t"], "g", "alive")
    taken: list[Record] = []

    async def took_all() -> bool:
        taken.extend(await alive.fetch(100, 0.02))
        return len(alive.assignment()) == PARTITIONS

    await eventually(took_all)
    await frozen.commit({record.partition: record.offset + 1 for record in records})

    await eventually(lambda: _read_into(taken, alive, 40))
    assert sorted(values(taken)) == list(range(40)), "the commit of a member that was expelled counted"
    held = frozen.assignment()
    with capture_logs() as lines:
        await shared_out(frozen, alive)
    assert lost[0] == held, "it was not told what it had lost"
    assert "bus.lost" in {line["event"] for line in lines}


async def _read_into(records: list[Record], member: SqliteSubscription, count: int) -> bool:
    records.extend(await member.fetch(100, 0.02))
    return len(records) >= count


async def test_a_restarted_member_takes_over_from_itself_at_once(bus: SqliteBus, other: SqliteBus) -> None:
    """The killed process said no goodbye; nobody has to wait for its session to end."""
    await bus.publish(numbered(10))
    killed = await bus.subscribe(["t"], "g", "pod-0")
    await killed.fetch(100, 1)

    restarted = await other.subscribe(["t"], "g", "pod-0")
    records = await restarted.fetch(100, 0.2)

    assert len(records) == 10
    assert len(restarted.assignment()) == PARTITIONS


async def test_of_two_under_one_name_the_newer_reads_and_the_older_is_told_in_the_log(
    bus: SqliteBus, other: SqliteBus
) -> None:
    older = await bus.subscribe(["t"], "g", "pod-0")
    await older.fetch(1, 0)
    newer = await other.subscribe(["t"], "g", "pod-0")

    with capture_logs() as lines:
        await eventually(lambda: _gave_up(older, newer))

    assert [line["event"] for line in lines].count("bus.fenced") == 1
    assert len(newer.assignment()) == PARTITIONS
    await newer.close()
    await eventually(lambda: _owns_all(older))


async def _gave_up(older: SqliteSubscription, newer: SqliteSubscription) -> bool:
    await turn(older, newer)
    return not older.assignment()


async def _owns_all(member: SqliteSubscription) -> bool:
    await member.fetch(1, 0)
    return len(member.assignment()) == PARTITIONS


async def test_draining_longer_than_a_session_costs_no_membership(bus: SqliteBus, other: SqliteBus) -> None:
    may_go = asyncio.Event()

    async def drain(partitions: frozenset[Partition]) -> None:
        await may_go.wait()

    old = await bus.subscribe(["t"], "g", "old", drain)
    await old.fetch(1, 0)
    new = await other.subscribe(["t"], "g", "new")
    draining = asyncio.ensure_future(old.fetch(1, 2 * SESSION))
    until = time.monotonic() + 2 * SESSION
    while time.monotonic() < until:
        await new.fetch(1, 0.05)
        assert not new.assignment()

    may_go.set()
    await draining
    await shared_out(old, new)


async def test_draining_longer_than_allowed_ends_it_and_is_logged(file: SqliteFile, other: SqliteBus) -> None:
    ended = asyncio.Event()

    async def drain(partitions: frozenset[Partition]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    bus = SqliteBus(file, partitions=PARTITIONS, session=SESSION, drain=0.1)
    old = await bus.subscribe(["t"], "g", "old", drain)
    await old.fetch(1, 0)
    new = await other.subscribe(["t"], "g", "new")

    with capture_logs() as lines:
        await shared_out(old, new)

    assert ended.is_set()
    assert "bus.drain_overran" in {line["event"] for line in lines}


async def test_no_partition_moves_that_need_not(bus: SqliteBus, other: SqliteBus) -> None:
    first, second = await bus.subscribe(["t"], "g", "b"), await other.subscribe(["t"], "g", "c")
    await shared_out(first, second)
    before = first.assignment(), second.assignment()

    third = await bus.subscribe(["t"], "g", "a")

    async def settled() -> bool:
        await turn(first, second, third)
        return [len(member.assignment()) for member in (first, second, third)] == [1, 1, 2]

    await eventually(settled, awaited="the first by name has the odd one")
    assert first.assignment() < before[0]
    assert second.assignment() < before[1]


async def test_a_member_gets_partitions_of_its_own_topics_alone(bus: SqliteBus) -> None:
    both, one = await bus.subscribe(["t", "u"], "g", "both"), await bus.subscribe(["t"], "g", "one")

    async def settled() -> bool:
        await turn(both, one)
        return len(both.assignment()) == 6 and len(one.assignment()) == 2

    await eventually(settled)
    assert {partition.topic for partition in one.assignment()} == {"t"}


async def test_more_members_than_partitions_leave_some_with_none(bus: SqliteBus) -> None:
    members = [await bus.subscribe(["t"], "g", f"m{number}") for number in range(PARTITIONS + 2)]

    async def settled() -> bool:
        await turn(*members)
        return sorted(len(member.assignment()) for member in members) == [0, 0, 1, 1, 1, 1]

    await eventually(settled)
