"""The embedded bus: what lies behind the port's contract, which has a suite of its own."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters import sqlite_records
from shared.adapters.sqlite_bus import LARGEST_VALUE, SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_subscription import SqliteSubscription
from shared.domain.errors import Permanent, Unavailable
from shared.ports.bus import Message, Partition, Record
from tests.helpers import eventually

SESSION = 0.5
PARTITIONS = 4

Open = Callable[[], "asyncio.Future[SqliteBus]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ombud.sqlite"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def file(path: Path, stack: AsyncExitStack) -> SqliteFile:
    return await stack.enter_async_context(SqliteFile.open(path, patience=0.1))


@pytest.fixture
def bus(file: SqliteFile) -> SqliteBus:
    return SqliteBus(file, partitions=PARTITIONS, session=SESSION, drain=5)


@pytest.fixture
async def other(path: Path, stack: AsyncExitStack) -> SqliteBus:
    """The bus of another process, as far as SQLite can tell."""
    file = await stack.enter_async_context(SqliteFile.open(path))
    return SqliteBus(file, partitions=PARTITIONS, session=SESSION, drain=5)


def numbered(count: int, topic: str = "t", keys: int = 20) -> list[Message]:
    return [Message(topic, f"k{number % keys}", str(number).encode()) for number in range(count)]


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def turn(*members: SqliteSubscription) -> list[list[Record]]:
    """One fetch of each, as their consumers would do side by side."""
    return list(await asyncio.gather(*(member.fetch(100, 0.02) for member in members)))


async def shared_out(*members: SqliteSubscription) -> None:
    async def settled() -> bool:
        await turn(*members)
        shares = [member.assignment() for member in members]
        return all(shares) and sum(map(len, shares)) == PARTITIONS == len(frozenset().union(*shares))

    await eventually(settled, awaited="partitions shared out")


# -- publishing


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


# -- groups


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


async def test_a_group_change_wakes_a_waiting_member_of_this_process(bus: SqliteBus) -> None:
    """It need not wait for its next beat: joining and leaving are noticed at once."""
    first = await bus.subscribe(["t"], "g", "first")
    await first.fetch(1, 0)
    waiting = asyncio.ensure_future(first.fetch(1, 5))
    second = await bus.subscribe(["t"], "g", "second")

    start = time.monotonic()
    await eventually(lambda: _owns_some(second))
    assert time.monotonic() - start < 1
    await second.close()
    await eventually(lambda: len(first.assignment()) == PARTITIONS)
    await bus.publish(numbered(1))
    assert values(await waiting) == [0]


async def _owns_some(member: SqliteSubscription) -> bool:
    await member.fetch(1, 0)
    return bool(member.assignment())


async def test_a_commit_never_takes_back_what_was_done(bus: SqliteBus) -> None:
    await bus.publish(numbered(10, keys=1))
    member = await bus.subscribe(["t"], "g", "m")
    (*_, last) = await member.fetch(100, 1)
    await member.commit({last.partition: 8})
    await member.commit({last.partition: 3})
    await member.commit({Partition("elsewhere", 0): 3})

    assert (await member.lag())[last.partition] == 2


async def test_a_closed_subscription_reads_no_more_and_may_be_closed_again(bus: SqliteBus) -> None:
    member = await bus.subscribe(["t"], "g", "m")
    await member.close()
    await member.close()

    assert member.assignment() == frozenset()
    with pytest.raises(Unavailable):
        await member.fetch(1, 0)


async def test_closing_after_the_file_is_gone_is_logged_and_nothing_more(path: Path) -> None:
    async with SqliteFile.open(path) as file:
        member = await SqliteBus(file).subscribe(["t"], "g", "m")

    with capture_logs() as lines:
        await member.close()

    assert [line["event"] for line in lines] == ["bus.left_without_a_word"]


async def test_a_locked_file_makes_fetch_unavailable_and_it_goes_on_afterwards(
    bus: SqliteBus, path: Path
) -> None:
    await bus.publish(numbered(5))
    member = await bus.subscribe(["t"], "g", "m")
    with closing(sqlite3.connect(path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await member.fetch(10, 0)
        locker.execute("COMMIT")

    assert len(await member.fetch(10, 1)) == 5


# -- fetching


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


# -- keeping and removing


async def test_only_old_records_that_every_group_has_done_are_removed(
    bus: SqliteBus, file: SqliteFile
) -> None:
    await bus.publish(numbered(20, keys=1))
    await file.execute(
        "UPDATE sys_records SET published_at = published_at - 60000 WHERE CAST(value AS TEXT) < '16'"
    )
    fast, slow = await bus.subscribe(["t"], "fast", "m"), await bus.subscribe(["t"], "slow", "m")
    partition = (await fast.fetch(100, 1))[0].partition
    await slow.fetch(100, 1)
    await fast.commit({partition: 20})

    assert await bus.trim("t", 30) == 0, "a group had not done them"
    await slow.commit({partition: 12})
    assert await bus.trim("t", 30) == 4, "0, 1, 10, 11 are old; 2 to 9 are not; 12 to 15 are not done"
    assert await bus.trim("nowhere", 30) == 0

    assert values(await bus.browse("t", 100)) == [*range(2, 10), *range(12, 20)]


async def test_what_nobody_reads_is_kept(bus: SqliteBus) -> None:
    """A dead topic has no group: its records wait for a person."""
    await bus.publish(numbered(3))

    assert await bus.trim("t", -60) == 0


async def test_a_new_group_begins_at_the_oldest_record_left_and_its_lag_says_so(bus: SqliteBus) -> None:
    await bus.publish(numbered(20, keys=1))
    first = await bus.subscribe(["t"], "first", "m")
    partition = (await first.fetch(100, 1))[0].partition
    await first.commit({partition: 15})
    await bus.trim("t", -60)

    late = await bus.subscribe(["t"], "late", "m")
    records = await late.fetch(100, 1)

    assert values(records) == list(range(15, 20))
    assert (await late.lag())[partition] == 5
