"""The contract of `shared/ports/bus.py`, on every adapter: publishing, fetching, looking at topics.

What members of a group owe each other stands in `test_bus_groups.py`.
"""

import asyncio
import time
from collections.abc import Awaitable
from itertools import pairwise

import pytest

from shared.ports.bus import Bus, Message, Partition, Record
from tests.contract.bus_adapters import (
    PARTITIONS,
    SESSION_SECONDS,
    Station,
    by_partition,
    messages,
    read,
    values,
)
from tests.helpers import eventually, unique

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


# -- fetching


async def test_a_fetch_without_records_waits_as_long_as_it_was_told_and_returns_none(
    station: Station, bus: Bus
) -> None:
    subscription = await station.join(bus, "one")
    await eventually(lambda: _settled(subscription.fetch(10, 0.1), subscription.assignment()), within=20)
    start = time.monotonic()

    records = await subscription.fetch(10, 0.4)

    assert records == []
    assert 0.35 <= time.monotonic() - start < 5


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
