"""The contract of `shared/ports/bus.py`, on every adapter.

Members here read on by themselves (`Reader`), as consumers do: their calls are the sign of life.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from shared.ports.bus import Bus, Message, Partition, Record, Subscription
from tests.contract.bus_adapters import (
    PARTITIONS,
    SESSION_SECONDS,
    Station,
    behind,
    by_partition,
    has_all,
    messages,
    read,
    seen,
    shared_out,
    values,
)
from tests.helpers import eventually, unique


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
async def station(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Station]:
    if request.param == "kafka":
        address = request.getfixturevalue("kafka_bootstrap")
    else:
        address = str(tmp_path / "bus.sqlite")
    async with AsyncExitStack() as stack:
        yield Station(request.param, address, stack)


@pytest.fixture
async def bus(station: Station) -> Bus:
    return await station.open()


# -- publishing


async def test_what_publish_returned_for_is_there_for_a_process_that_comes_later(
    station: Station, bus: Bus
) -> None:
    await bus.publish(messages(station.topic, 10))

    later = await station.open()

    assert sorted(values(await read(await station.join(later, "one"), 10))) == list(range(10))


async def test_publishing_nothing_returns(bus: Bus) -> None:
    await asyncio.wait_for(bus.publish([]), 5)


async def test_records_of_one_key_keep_the_order_of_many_publishers_that_do_not_wait(
    station: Station, bus: Bus
) -> None:
    """Order holds for publishes that overlap, not only for those that were awaited one by one."""
    everything = messages(station.topic, 1000, keys=10)

    async with asyncio.TaskGroup() as publishers:
        for message in everything:
            publishers.create_task(bus.publish([message]))

    records = await read(await station.join(bus, "one"), 1000)
    for key in {record.key for record in records}:
        own = values(record for record in records if record.key == key)
        assert own == sorted(own)
    assert sorted(values(records)) == list(range(1000))


async def test_messages_published_together_keep_their_order_for_each_key(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 300, keys=7))

    records = await read(await station.join(bus, "one"), 300)

    for key in {record.key for record in records}:
        own = values(record for record in records if record.key == key)
        assert own == sorted(own)


async def test_records_of_one_key_lie_in_one_partition_whoever_publishes_them(
    station: Station, bus: Bus
) -> None:
    other = await station.open()

    await bus.publish(messages(station.topic, 20))
    await other.publish(messages(station.topic, 20))

    places: dict[str, set[Partition]] = {}
    for record in await read(await station.join(bus, "one"), 40):
        places.setdefault(record.key, set()).add(record.partition)
    assert [len(partitions) for partitions in places.values()] == [1] * 20


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Message("", "", b""), id="all empty"),
        pytest.param(
            Message("", "Schlüssel ☃", b"\x00\xff", {"fröhlich": "Grüße ☃", "leer": ""}), id="not ASCII"
        ),
        pytest.param(Message("", "large", bytes(range(256)) * 2400), id="600 KB"),
    ],
)
async def test_a_message_comes_back_as_it_was_published(station: Station, bus: Bus, message: Message) -> None:
    before = time.time()
    await bus.publish([Message(station.topic, message.key, message.value, message.headers)])

    (record,) = await read(await station.join(bus, "one"), 1)

    assert (record.key, record.value, dict(record.headers)) == (message.key, message.value, message.headers)
    assert record.partition.topic == station.topic
    assert before - 1 <= record.published_at.timestamp() <= time.time() + 1


async def test_a_publish_that_was_cancelled_does_not_hold_up_the_next(station: Station, bus: Bus) -> None:
    cancelled = asyncio.create_task(bus.publish(messages(station.topic, 50)))
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.wait({cancelled})

    await asyncio.wait_for(bus.publish([Message(station.topic, "after", b"999")]), 20)

    subscription = await station.join(bus, "one")
    records: list[Record] = []
    await eventually(lambda: _holds_the_last(subscription.fetch(100, 0.1), records))


async def _holds_the_last(fetching: Awaitable[list[Record]], records: list[Record]) -> bool:
    records += await fetching
    return 999 in values(records)


# -- groups


async def test_each_group_sees_every_record(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 30))

    for group in ("first", "second"):
        subscription = await bus.subscribe([station.topic], unique(group), "one")
        assert sorted(values(await read(subscription, 30))) == list(range(30))
        await subscription.close()


async def test_members_share_the_partitions_and_each_record_goes_to_one_of_them(
    station: Station, bus: Bus
) -> None:
    members = [await station.join(bus, "one"), await station.join(await station.open(), "two")]
    readers = [await station.read_on(member) for member in members]
    await shared_out(members)

    await bus.publish(messages(station.topic, 200, keys=50))

    await eventually(lambda: sum(len(reader.records) for reader in readers) >= 200)
    assert sorted(values(readers[0].records + readers[1].records)) == list(range(200))
    for member, reader in zip(members, readers, strict=True):
        assert {record.partition for record in reader.records} <= member.assignment()


async def test_one_member_reads_two_topics(station: Station, bus: Bus) -> None:
    topics = [unique("topic"), unique("topic")]
    subscription = await bus.subscribe(topics, station.group, "one")
    await bus.publish([Message(topic, str(n), b"7") for topic in topics for n in range(20)])

    records = await read(subscription, 40)

    assert [sum(record.partition.topic == topic for record in records) for topic in topics] == [20, 20]
    await subscription.close()


async def test_members_of_two_topics_share_both(station: Station, bus: Bus) -> None:
    """No assignor may forget a topic, or let two groups of one process know of each other."""
    topics = [unique("topic"), unique("topic")]
    members = [await bus.subscribe(topics, station.group, name) for name in ("one", "two", "three")]
    stranger = await bus.subscribe(topics[:1], unique("group"), "one")
    for member in [*members, stranger]:
        await station.read_on(member)

    def shared() -> bool:
        shares = [member.assignment() for member in members]
        return sum(map(len, shares)) == 2 * PARTITIONS == len(frozenset().union(*shares))

    await eventually(shared, within=20)
    await eventually(lambda: len(stranger.assignment()) == PARTITIONS)
    for member in [*members, stranger]:
        await member.close()


# -- what comes again, and what does not


async def test_a_member_that_comes_back_begins_exactly_behind_what_it_committed(
    station: Station, bus: Bus
) -> None:
    await bus.publish(messages(station.topic, 100))
    subscription = await station.join(bus, "one")
    records = await read(subscription, 100)
    halves = {place: share[: len(share) // 2] for place, share in by_partition(records).items()}
    done = [record for half in halves.values() for record in half]
    await subscription.commit(behind(done))
    await subscription.close()

    again = await read(await station.join(await station.open(), "one"), 100 - len(done))

    assert sorted(seen(again)) == sorted(set(seen(records)) - set(seen(done)))


async def test_records_that_nobody_committed_all_come_again(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 50))
    first = await station.join(bus, "one")
    before = await read(first, 50)
    await first.close()

    after = await read(await station.join(bus, "one"), 50)

    assert sorted(seen(after)) == sorted(seen(before))


async def test_when_a_member_leaves_another_gets_what_it_did_not_commit_and_nothing_else(
    station: Station, bus: Bus
) -> None:
    leaving, staying = await station.join(bus, "one"), await station.join(await station.open(), "two")
    reader, heir = await station.read_on(leaving), await station.read_on(staying, commit=True)
    await shared_out([leaving, staying])
    await bus.publish(messages(station.topic, 200, keys=50))
    await eventually(lambda: len(reader.records) + len(heir.records) >= 200)
    mine = by_partition(reader.records)
    rest = {partition: records[len(records) // 2 :] for partition, records in mine.items()}
    await leaving.commit({partition: records[0].offset for partition, records in rest.items()})

    await leaving.close()

    await has_all(staying, within=0.6 * SESSION_SECONDS[station.kind])  # at once: no session had to run out
    expected = sorted(seen(record for records in rest.values() for record in records))
    await eventually(lambda: sorted(_from(heir.records, set(mine))) == expected)
    await bus.publish(messages(station.topic, 20, keys=50))
    await eventually(lambda: len(set(seen(heir.records))) >= 20 + 200 - len(reader.records) + len(expected))
    assert len(seen(heir.records)) == len(set(seen(heir.records)))


@pytest.mark.parametrize("orders", ["half", "half paused"])
async def test_when_a_member_is_killed_another_gets_what_it_did_not_commit_and_nothing_else(
    station: Station, bus: Bus, orders: str
) -> None:
    """Nobody says goodbye in a crash, and a pause, of the dead or of the heir, must not keep the records."""
    heir = await station.join(bus, "heir")
    reader = await station.read_on(heir, commit=True)
    await has_all(heir)
    doomed = await station.spawn("doomed")
    await eventually(lambda: len(heir.assignment()) == PARTITIONS // 2, within=20)
    kept = heir.assignment()
    await bus.publish(messages(station.topic, 200, keys=50))
    rest = await doomed.ask(orders)
    if "paused" in orders:
        await eventually(lambda: _lag_of(heir.lag(), 0))
        heir.pause(kept)

    await doomed.kill()

    await eventually(
        lambda: len(heir.assignment()) == PARTITIONS, within=10 + 2 * SESSION_SECONDS[station.kind]
    )
    lost = {Partition(station.topic, int(number)): offsets for number, offsets in rest.items()}
    expected = sorted((partition, offset) for partition, offsets in lost.items() for offset in offsets)
    await eventually(lambda: len(_from(reader.records, set(lost))) >= len(expected))
    assert sorted(_from(reader.records, set(lost))) == expected
    assert kept.isdisjoint(lost)


async def _lag_of(lag: Awaitable[dict[Partition, int]], expected: int) -> bool:
    return sum((await lag).values()) == expected


def _from(records: list[Record], partitions: set[Partition]) -> list[tuple[Partition, int]]:
    return [(record.partition, record.offset) for record in records if record.partition in partitions]


async def test_partitions_go_to_another_member_only_after_on_revoked_and_its_commit_counts(
    station: Station, bus: Bus
) -> None:
    """What is in flight when a member joins is finished by the old reader, and not given to the new one."""
    revoking, may_go = asyncio.Event(), asyncio.Event()
    taken: set[Partition] = set()

    async def finish(partitions: frozenset[Partition]) -> None:
        taken.update(partitions)
        revoking.set()
        await may_go.wait()
        await old.commit(behind(record for record in reader.records if record.partition in partitions))

    old = await station.join(bus, "old", finish)
    reader = await station.read_on(old)
    await bus.publish(messages(station.topic, 100))
    await eventually(lambda: len(reader.records) == 100)

    new = await station.join(await station.open(), "new")
    successor = await station.read_on(new)
    await asyncio.wait_for(revoking.wait(), 20)
    seen_by_new = await asyncio.wait_for(_watch(new, taken), 5)
    may_go.set()
    await shared_out([old, new])
    await bus.publish(messages(station.topic, 40))

    assert not seen_by_new
    await eventually(lambda: len(reader.records) + len(successor.records) >= 140)
    all_seen = seen(reader.records) + seen(successor.records)
    assert len(all_seen) == len(set(all_seen)) == 140
    assert new.assignment() <= taken


async def _watch(member: Subscription, partitions: set[Partition]) -> frozenset[Partition]:
    """What of these the member owned at any of fifty moments."""
    owned: frozenset[Partition] = frozenset()
    for _ in range(50):
        owned |= member.assignment() & partitions
        await asyncio.sleep(0.01)
    return owned


async def test_a_commit_for_a_partition_of_another_member_changes_nothing(station: Station, bus: Bus) -> None:
    """A reader that was too slow must not move the new one's mark."""
    members = [await station.join(bus, "one"), await station.join(await station.open(), "two")]
    readers = [await station.read_on(member) for member in members]
    await shared_out(members)
    await bus.publish(messages(station.topic, 100, keys=50))
    await eventually(lambda: sum(len(reader.records) for reader in readers) >= 100)
    lag = await members[1].lag()

    await members[0].commit(behind(readers[1].records))

    assert await members[1].lag() == lag
    assert sum(lag.values()) == len(readers[1].records)


# -- fetching


async def test_a_fetch_without_records_waits_as_long_as_it_was_told_and_returns_none(
    station: Station, bus: Bus
) -> None:
    subscription = await station.join(bus, "one")
    await eventually(lambda: _settled(subscription.fetch(10, 0.1), subscription.assignment()), within=20)
    start = time.monotonic()

    records = await subscription.fetch(10, 0.4)

    assert records == []
    assert 0.35 <= time.monotonic() - start < 2


async def _settled(fetching: Awaitable[list[Record]], assignment: frozenset[Partition]) -> bool:
    await fetching
    return len(assignment) == PARTITIONS


async def test_a_waiting_fetch_returns_as_soon_as_a_record_is_published(station: Station, bus: Bus) -> None:
    subscription = await station.join(bus, "one")
    await eventually(lambda: _settled(subscription.fetch(10, 0.1), subscription.assignment()), within=20)
    waiting = asyncio.create_task(subscription.fetch(10, 30))
    await asyncio.sleep(0)

    await bus.publish([Message(station.topic, "key", b"1")])

    assert values(await asyncio.wait_for(waiting, 5)) == [1]


async def test_a_fetch_that_is_cancelled_loses_no_record(station: Station, bus: Bus) -> None:
    """Cancelled at any moment: what it had taken already must come with the next one."""
    subscription = await station.join(bus, "one")
    await eventually(lambda: _settled(subscription.fetch(10, 0.1), subscription.assignment()), within=20)
    records: list[Record] = []
    publishing = asyncio.create_task(bus.publish(messages(station.topic, 300)))
    for turns in range(60):
        fetching = asyncio.create_task(subscription.fetch(5, 0.2))
        for _ in range(turns):
            await asyncio.sleep(0)
        fetching.cancel()
        await asyncio.wait({fetching})
        records += [] if fetching.cancelled() else fetching.result()
    await publishing

    records += await read(subscription, 300 - len(records))

    assert sorted(values(records)) == list(range(300))
    for share in by_partition(records).values():
        assert all(left.offset < right.offset for left, right in pairwise(share))


async def test_a_paused_partition_gives_nothing_and_goes_on_without_loss(station: Station, bus: Bus) -> None:
    subscription = await station.join(bus, "one")
    await bus.publish(messages(station.topic, 40))
    before = await read(subscription, 40)
    paused = frozenset(sorted(by_partition(before))[:2])
    subscription.pause(paused)
    await bus.publish(messages(station.topic, 100))

    meanwhile: list[Record] = []
    for _ in range(8):
        meanwhile += await subscription.fetch(100, 0.1)
    subscription.resume(paused)
    afterwards = await read(subscription, 100 - len(meanwhile))

    assert {record.partition for record in meanwhile}.isdisjoint(paused)
    assert {record.partition for record in afterwards} == paused
    assert sorted(values(meanwhile + afterwards)) == list(range(100))
    for share in by_partition(before + meanwhile + afterwards).values():
        assert all(left.offset < right.offset for left, right in pairwise(share))


async def test_a_member_whose_partitions_are_all_paused_stays_in_the_group(
    station: Station, bus: Bus
) -> None:
    """Its calls are its sign of life; a full window must not cost it its partitions."""
    revoked: list[frozenset[Partition]] = []

    async def note(partitions: frozenset[Partition]) -> None:
        revoked.append(partitions)

    subscription = await station.join(bus, "one", note)
    await bus.publish(messages(station.topic, 20))
    await read(subscription, 20)
    subscription.pause(subscription.assignment())
    until = time.monotonic() + 1.3 * min(SESSION_SECONDS[station.kind], 2)
    while time.monotonic() < until:
        assert await subscription.fetch(10, 0.1) == []

    assert len(subscription.assignment()) == PARTITIONS
    assert revoked == []


async def test_a_partition_with_little_is_not_starved_by_one_with_much(station: Station, bus: Bus) -> None:
    much = [Message(station.topic, "much", str(number).encode()) for number in range(5000)]
    await bus.publish(much)
    subscription = await station.join(bus, "one")
    (busy,) = by_partition(await read(subscription, 1))
    await subscription.close()
    little = await _key_elsewhere(bus, busy)
    await bus.publish([Message(station.topic, little, b"-1")] * 4)
    fresh = await bus.subscribe([station.topic], unique("group"), "one")

    fetches: list[list[Record]] = []
    while len(fetches) < 5:
        records = await fresh.fetch(100, 0.5)
        fetches += [records] if records else []
    await fresh.close()

    first = [record for records in fetches for record in records]
    assert sum(record.key == little for record in first) == 5
    assert sum(map(len, fetches)) < 1500


async def _key_elsewhere(bus: Bus, busy: Partition) -> str:
    """A key of another partition; one record with it is published."""
    for number in range(50):
        key = f"little-{number}"
        await bus.publish([Message(busy.topic, key, b"-1")])
        everything = await bus.browse(busy.topic, 10_000)
        if next(record for record in everything if record.key == key).partition != busy:
            return key
    raise AssertionError("every key falls into one partition")


async def test_a_fetch_gives_about_as_many_records_as_asked_for(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 1000))
    subscription = await station.join(bus, "one")

    records: list[Record] = []
    while len(records) < 1000:
        fetched = await subscription.fetch(50, 0.2)
        assert len(fetched) <= 100
        records += fetched

    assert sorted(values(records)) == list(range(1000))


async def test_lag_counts_the_records_behind_the_committed_offset(station: Station, bus: Bus) -> None:
    subscription = await station.join(bus, "one")
    await bus.publish(messages(station.topic, 60))
    records = await read(subscription, 60)
    place, share = next(iter(by_partition(records).items()))
    lag = await subscription.lag()
    await subscription.commit({place: share[3].offset})

    after = await subscription.lag()

    assert sum(lag.values()) == 60
    assert set(lag) == subscription.assignment()
    assert after == {**lag, place: lag[place] - 3}


# -- looking at topics


async def test_browsing_a_topic_that_does_not_exist_gives_nothing_and_makes_nothing(bus: Bus) -> None:
    topic = unique("nowhere")

    assert await bus.browse(topic, 10) == []
    assert await bus.browse(topic, 10) == []


async def test_browsing_gives_all_records_oldest_first_and_joins_no_group(station: Station, bus: Bus) -> None:
    for number in range(12):
        await bus.publish([Message(station.topic, str(number), str(number).encode())])
        await asyncio.sleep(0.002)  # records of one millisecond have no order among partitions

    assert values(await bus.browse(station.topic, 100)) == list(range(12))
    assert values(await bus.browse(station.topic, 5)) == list(range(5))


async def test_browsing_goes_on_behind_the_last_offsets_seen(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 100))
    found: list[Record] = []
    after: dict[int, int] = {}

    while records := await bus.browse(station.topic, 7, after):
        assert len(records) <= 7
        found += records
        after |= {record.partition.number: record.offset for record in records}

    assert sorted(values(found)) == list(range(100))


async def test_preparing_makes_topics_once_however_many_ask_at_once(station: Station, bus: Bus) -> None:
    other = await station.open()
    topics = [station.topic, unique("topic")]

    await asyncio.gather(*(each.prepare(topics) for each in (bus, other) * 3))
    await bus.publish(messages(station.topic, 3))
    await bus.prepare(topics)

    assert sorted(values(await bus.browse(station.topic, 10))) == [0, 1, 2]


async def test_ping_returns_while_the_bus_answers(bus: Bus) -> None:
    await asyncio.wait_for(bus.ping(), 10)
