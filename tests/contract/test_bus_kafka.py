"""What the Kafka adapter promises beyond the contract: of members, and of what the cluster will not take."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_subscription import KafkaSubscription
from shared.domain.errors import Permanent, Refused, Unavailable
from shared.metrics import REBALANCES
from shared.ports.bus import Message, Partition, Record
from tests.contract.bus_adapters import (
    PARTITIONS,
    behind,
    has_all,
    kafka_options,
    messages,
    read,
    seen,
    values,
)
from tests.contract.bus_kafka import counted, member, raises_unavailable, read_through
from tests.contract.odd_names import ODD, STAND_IN, Raw, put_odd
from tests.helpers import eventually, unique

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic() -> str:
    return unique("topic")


# -- members


async def test_of_two_members_with_one_name_the_older_is_told_and_commits_nothing_more(
    kafka_bootstrap: str, topic: str
) -> None:
    """Two replicas started with one name would otherwise take the partitions from each other for ever."""
    group = unique("group")
    async with AsyncExitStack() as stack:
        buses = [await stack.enter_async_context(KafkaBus.open(kafka_options(kafka_bootstrap))) for _ in "12"]
        await buses[0].publish(messages(topic, 40))
        older = await stack.enter_async_context(member(buses[0], topic, group))
        records = await read(older, 40)

        newer = await stack.enter_async_context(member(buses[1], topic, group))
        mine = await read(newer, 40)
        assert sorted(seen(mine)) == sorted(seen(records))
        await eventually(lambda: raises_unavailable(older), within=20)
        with pytest.raises(Unavailable, match="another process"):
            await older.fetch(10, 0.1)
        with pytest.raises(Unavailable, match="another process"):
            await older.commit(behind(records))

        rebalances = counted(REBALANCES.labels(group))
        for _ in range(10):
            assert await newer.fetch(10, 0.1) == []
        assert sum((await newer.lag()).values()) == 40
        assert counted(REBALANCES.labels(group)) == rebalances
        assert len(newer.assignment()) == PARTITIONS


async def test_a_crashed_member_that_comes_back_soon_goes_on_without_a_rebalance(
    kafka_bootstrap: str, topic: str
) -> None:
    """What static membership is for: a restart does not make the others stand still."""
    group = unique("group")
    async with KafkaBus.open(kafka_options(kafka_bootstrap)) as bus:
        first = await bus.subscribe([topic], group, "one")
        async with member(bus, topic, group, "two") as other:
            await eventually(lambda: len(first.assignment()) == len(other.assignment()) == PARTITIONS // 2)
            rebalances = counted(REBALANCES.labels(group))
            share = first.assignment()
            await _crash(first)

            async with member(bus, topic, group, "one") as again:
                await eventually(lambda: again.assignment() == share)

                for _ in range(5):
                    await other.fetch(10, 0.1)
                assert counted(REBALANCES.labels(group)) == rebalances


async def _crash(subscription: KafkaSubscription) -> None:
    """End its connections without a word to the group, as a killed process would."""
    await subscription._end_tasks()
    await subscription._consumer.cut()


async def test_a_member_whose_background_work_died_joins_again(kafka_bootstrap: str, topic: str) -> None:
    """aiokafka#625: it stays silent for ever once its coordination has ended."""
    async with (
        KafkaBus.open(kafka_options(kafka_bootstrap)) as bus,
        member(bus, topic, unique("group")) as subscription,
    ):
        await bus.publish(messages(topic, 20))
        first = await read(subscription, 20)
        await subscription.commit(behind(first))
        subscription._consumer._coordinator._coordination_task.cancel()

        await eventually(lambda: raises_unavailable(subscription))
        await bus.publish(messages(topic, 20))
        again = await read_through(subscription, 20)

    assert set(seen(again)).isdisjoint(seen(first))
    assert sorted(values(again)) == list(range(20))


async def test_a_commit_that_was_held_up_is_not_sent_when_the_partitions_have_gone(
    kafka_bootstrap: str, topic: str
) -> None:
    """aiokafka would send it with the new generation, and the broker would move another member's mark."""
    group = unique("group")
    async with (
        KafkaBus.open(kafka_options(kafka_bootstrap)) as bus,
        member(bus, topic, group, "one") as first,
    ):
        await bus.publish(messages(topic, 40))
        records = await read(first, 40)
        async with first._consumer._coordinator._commit_lock:
            late = asyncio.create_task(first.commit(behind(records)))
            await asyncio.sleep(0)
            second = await bus.subscribe([topic], group, "two")
            await eventually(lambda: len(first.assignment()) == len(second.assignment()) == PARTITIONS // 2)
        with pytest.raises(Unavailable):
            await late

        assert sum(({**await first.lag(), **await second.lag()}).values()) == 40
        await second.close()


async def test_records_taken_before_a_pause_are_kept_until_it_ends(kafka_bootstrap: str, topic: str) -> None:
    """A fetch that was cut short may have taken some already when the caller decides to pause."""
    async with (
        KafkaBus.open(kafka_options(kafka_bootstrap)) as bus,
        member(bus, topic, unique("group")) as subscription,
    ):
        await has_all(subscription)
        fetching = asyncio.create_task(subscription.fetch(100, 10))
        await asyncio.sleep(0)
        fetching.cancel()
        await bus.publish(messages(topic, 5, keys=1))
        await eventually(lambda: bool(subscription._fetched))
        subscription.pause(subscription.assignment())

        assert await subscription.fetch(100, 0.1) == []
        assert await subscription.fetch(100, 0.1) == []
        subscription.resume(subscription.assignment())
        assert values(await read(subscription, 5)) == list(range(5))


@pytest.mark.parametrize("fault", ["fails", "hangs"])
async def test_an_on_revoked_that_fails_or_hangs_does_not_keep_the_group_standing(
    kafka_bootstrap: str, topic: str, fault: str
) -> None:
    called: list[frozenset[Partition]] = []

    async def spoil(partitions: frozenset[Partition]) -> None:
        called.append(partitions)
        if fault == "fails":
            raise ZeroDivisionError
        await asyncio.Event().wait()

    group = unique("group")
    async with KafkaBus.open(kafka_options(kafka_bootstrap, drain_seconds=0.5)) as bus:
        first = await bus.subscribe([topic], group, "one", spoil)
        await has_all(first)
        async with member(bus, topic, group, "two") as second:
            await eventually(lambda: len(first.assignment()) == len(second.assignment()) == PARTITIONS // 2)
        await first.close()

    assert len(called[0]) == PARTITIONS


# -- what others wrote


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
async def test_a_header_name_that_is_no_text_stops_no_group_and_takes_no_neighbour_along(
    kafka_bootstrap: str, topic: str, packed: bool
) -> None:
    """librdkafka writes any bytes as a name; aiokafka gives up on the whole batch, again with each fetch."""
    odd = [(STAND_IN, b"of an odd name"), ("plain", b"\xff")]
    records: list[Raw] = [(b"k", b"0", []), (b"k", b"1", odd), (b"k", b"2", [("a", b"b")])]
    async with KafkaBus.open(kafka_options(kafka_bootstrap, partitions=1)) as bus:
        await bus.prepare([topic])
        await put_odd(kafka_bootstrap, topic, records, packed=packed)
        await bus.publish(messages(topic, 5, keys=1))
        async with member(bus, topic, unique("group")) as subscription:
            found: list[Record] = []

            async def read_one_by_one() -> bool:
                found.extend(await subscription.fetch(1, 0.2))
                return len(found) >= 8

            await eventually(read_one_by_one, within=60)
            await subscription.commit(behind(found))
            assert sum((await subscription.lag()).values()) == 0

        looked_at = await bus.browse(topic, 100)
    assert [record.offset for record in found] == list(range(8))
    assert [record.value for record in found[:3]] == [b"0", b"1", b"2"]
    assert found[1].headers == {ODD.decode("utf-8", "replace"): "of an odd name", "plain": "\ufffd"}
    assert looked_at == found


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_what_somebody_else_has_compressed_is_read_with_what_lies_behind_it(
    kafka_bootstrap: str, topic: str, codec: str
) -> None:
    """A cluster may compress what Ombud writes, too (`compression.type`)."""
    async with KafkaBus.open(kafka_options(kafka_bootstrap, partitions=1)) as bus:
        await bus.prepare([topic])
        async with AIOKafkaProducer(bootstrap_servers=kafka_bootstrap, compression_type=codec) as producer:
            await producer.send_and_wait(topic, b"packed" * 100, b"k")
        await bus.publish(messages(topic, 5, keys=1))
        async with member(bus, topic, unique("group")) as subscription:
            found = await read(subscription, 6)

    assert found[0].value == b"packed" * 100


# -- what the cluster will not take


async def test_a_message_the_topic_will_not_take_is_refused_and_harms_no_other(
    kafka_bootstrap: str, topic: str
) -> None:
    """The broker judges whole batches: the innocent ones must not share the guilty one's fate."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": "50000"})])
    await admin.close()
    sizes = [9_000, 9_000, 120_000, *[9_000] * 12]
    async with KafkaBus.open(kafka_options(kafka_bootstrap)) as bus:
        await bus.prepare([topic])

        outcomes = await asyncio.wait_for(
            asyncio.gather(
                *(bus.publish([Message(topic, "key", bytes(size))]) for size in sizes), return_exceptions=True
            ),
            30,
        )

        found = [len(record.value) for record in await bus.browse(topic, 100)]
    assert [type(outcome) for outcome in outcomes] == [
        Permanent if size > 50_000 else type(None) for size in sizes
    ]
    assert found == [9_000] * 14


async def test_a_message_larger_than_the_limit_is_refused_before_anything_is_sent(
    kafka_bootstrap: str, topic: str
) -> None:
    async with KafkaBus.open(kafka_options(kafka_bootstrap)) as bus:
        with pytest.raises(Permanent):
            await bus.publish([Message(topic, "key", b"1"), Message(topic, "key", bytes(3 * 1024 * 1024))])

        assert await bus.browse(topic, 10) == []


@pytest.mark.parametrize(
    ("name", "replicas"),
    [pytest.param("not/a/topic", 1, id="name"), pytest.param("three-copies", 3, id="replicas")],
)
async def test_a_topic_that_the_cluster_will_not_make_is_refused_with_its_reason(
    kafka_bootstrap: str, name: str, replicas: int
) -> None:
    async with KafkaBus.open(kafka_options(kafka_bootstrap, replicas=replicas)) as bus:
        with pytest.raises(Refused, match=name):
            await bus.prepare([name])
        with pytest.raises(Refused, match=name):
            await bus.publish([Message(name, "key", b"")])
        await bus.ping()
