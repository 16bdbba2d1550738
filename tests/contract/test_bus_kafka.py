"""What the Kafka adapter promises beyond the contract: outages, killed brokers, lost data, names taken twice.

The tests that kill a broker have one of their own, shared by this file.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.kafka import Kafka
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_subscription import KafkaSubscription
from shared.domain.errors import Permanent, Refused, Unavailable
from shared.metrics import BUS_PRODUCER_RESTARTS, BUS_WAITS, REBALANCES
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
from tests.helpers import eventually, free_port, unique

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def _own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def broker(_own_broker: Kafka) -> Kafka:
    """A broker that may be killed; it runs at the start of each test."""
    try:
        _own_broker.start()
    except Refused as reason:
        pytest.skip(f"no local Kafka: {reason}")
    return _own_broker


@pytest.fixture
def topic() -> str:
    return unique("topic")


@asynccontextmanager
async def member(
    bus: KafkaBus, topic: str, group: str, name: str = "one"
) -> AsyncIterator[KafkaSubscription]:
    subscription = await bus.subscribe([topic], group, name)
    try:
        yield subscription
    finally:
        await subscription.close()


def waits() -> float:
    return counted(BUS_WAITS.labels("publish"))


def counted(counter: Any) -> float:
    """A counter's value; prometheus-client has no public way to read one."""
    return float(counter._value.get())


def in_first_order(records: list[Record]) -> dict[str, list[int]]:
    """For each key its values in the order of their first appearance."""
    found: dict[str, dict[int, None]] = {}
    for record in records:
        found.setdefault(record.key, {}).setdefault(int(record.value))
    return {key: list(numbers) for key, numbers in found.items()}


# -- the broker goes away


async def test_publishing_through_a_killed_broker_waits_says_so_and_loses_nothing(
    broker: Kafka, topic: str
) -> None:
    """Neither what was acknowledged before, nor what waits: an outage of any length only delays."""
    everything = messages(topic, 600, keys=12)
    async with KafkaBus.open(kafka_options(broker.bootstrap, answer_seconds=1.0)) as bus:
        await bus.publish(everything[:100])
        publishing = [asyncio.create_task(bus.publish([message])) for message in everything[100:300]]
        await asyncio.wait(publishing, return_when=asyncio.FIRST_COMPLETED)
        before = waits()
        broker.kill()
        publishing += [asyncio.create_task(bus.publish([message])) for message in everything[300:]]
        await eventually(lambda: waits() > before, awaited="the metric for waiting publishes")
        assert not all(task.done() for task in publishing)

        await asyncio.to_thread(broker.start)
        await asyncio.wait_for(asyncio.gather(*publishing), 30)

        records = await bus.browse(topic, 5000)
    assert set(values(records)) == set(range(600))
    for numbers in in_first_order(records).values():
        assert numbers == sorted(numbers)


async def test_a_broker_that_lost_records_does_not_stop_publishing(broker: Kafka, topic: str) -> None:
    """aiokafka#1017: the sequence the broker remembers is behind ours; every send would fail for ever.

    Many are under way when it shows: they too keep their order.
    """
    async with KafkaBus.open(kafka_options(broker.bootstrap, partitions=1)) as bus:
        for message in messages(topic, 20):
            await bus.publish([message])
        broker.kill()
        _cut_in_half(broker, topic)
        before = counted(BUS_PRODUCER_RESTARTS)
        large = [Message(topic, "key", str(number).encode().ljust(60_000)) for number in range(100, 120)]
        publishing = [asyncio.create_task(bus.publish([message])) for message in large]
        await asyncio.to_thread(broker.start)

        await asyncio.wait_for(asyncio.gather(*publishing), 30)

        found = values(await bus.browse(topic, 100))
    assert counted(BUS_PRODUCER_RESTARTS) == before + 1
    assert [number for number in found if number >= 100] == list(range(100, 120))
    assert 0 < len(found) - 20 < 20


def _cut_in_half(broker: Kafka, topic: str) -> None:
    """Lose the later half of the topic's only partition, as a disk that lied about its flushes would."""
    folder = broker.folder / "data" / f"{topic}-0"
    for file in folder.iterdir():
        if file.suffix == ".log":
            os.truncate(file, file.stat().st_size // 2)
        elif file.suffix in {".index", ".timeindex", ".snapshot"}:
            file.unlink()


async def test_a_member_is_told_of_an_outage_and_goes_on_by_itself_afterwards(
    broker: Kafka, topic: str
) -> None:
    """aiokafka itself only logs that the brokers are gone (#992)."""
    options = kafka_options(broker.bootstrap, answer_seconds=1.0, silent_seconds=0.3)
    group = unique("group")
    async with KafkaBus.open(options) as bus:
        await bus.publish(messages(topic, 50))
        async with member(bus, topic, group) as subscription:
            before = await read(subscription, 50)
            await subscription.commit(behind(before))
            broker.kill()
            await eventually(lambda: _raises_unavailable(subscription), within=20)
            with pytest.raises(Unavailable):
                await subscription.commit(behind(before))
            with pytest.raises(Unavailable):
                await subscription.lag()

            await asyncio.to_thread(broker.start)
            await bus.publish([Message(topic, message.key, b"1000") for message in messages(topic, 50)])
            after = await _read_through(subscription, 50)
            await eventually(lambda: _commits(subscription, after), within=20)
        async with member(bus, topic, group) as again:
            await has_all(again)
            assert sum((await again.lag()).values()) == 0
    assert [int(record.value) for record in after] == [1000] * 50


async def _raises_unavailable(subscription: KafkaSubscription) -> bool:
    try:
        await subscription.fetch(10, 0.1)
    except Unavailable:
        return True
    return False


async def _read_through(subscription: KafkaSubscription, count: int) -> list[Record]:
    records: list[Record] = []

    async def enough() -> bool:
        try:
            records.extend(await subscription.fetch(100, 0.2))
        except Unavailable:
            return False
        return len(records) >= count

    await eventually(enough, within=30)
    return records


async def _commits(subscription: KafkaSubscription, records: list[Record]) -> bool:
    try:
        await subscription.commit(behind(records))
    except Unavailable:
        return False
    return True


async def test_without_a_broker_nothing_hangs_but_publishing_and_all_of_it_recovers(
    broker: Kafka, topic: str
) -> None:
    """A service may be started before its broker."""
    broker.stop()
    async with KafkaBus.open(kafka_options(broker.bootstrap, answer_seconds=0.5)) as bus:
        publishing = asyncio.create_task(bus.publish(messages(topic, 10)))
        for attempt in (
            bus.ping(),
            bus.prepare([topic]),
            bus.browse(topic, 1),
            bus.subscribe([topic], unique("group"), "one"),
        ):
            with pytest.raises(Unavailable):
                await asyncio.wait_for(attempt, 5)
        assert not publishing.done()

        await asyncio.to_thread(broker.start)

        await asyncio.wait_for(publishing, 20)
        await bus.ping()


async def test_closing_gives_unavailable_to_publishers_that_still_wait(topic: str) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    async with KafkaBus.open(kafka_options(nobody, answer_seconds=0.5)) as bus:
        publishing = asyncio.create_task(bus.publish(messages(topic, 3)))
        await asyncio.sleep(0)

    with pytest.raises(Unavailable):
        await publishing
    with pytest.raises(Unavailable):
        await bus.publish(messages(topic, 1))


async def test_a_broker_that_stands_still_keeps_neither_a_close_nor_a_ping_for_ever(
    broker: Kafka, topic: str
) -> None:
    """A stopped process keeps its connections and answers nothing: deadlines alone help (aiokafka#512)."""
    options = kafka_options(broker.bootstrap, answer_seconds=0.5, stop_seconds=1.0)
    async with KafkaBus.open(options) as bus:
        await bus.publish(messages(topic, 5))
        subscription = await bus.subscribe([topic], unique("group"), "one")
        await read(subscription, 5)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable):
                await bus.ping()
            start = time.monotonic()
            await subscription.close()
            assert time.monotonic() - start < 4
        finally:
            os.kill(broker.pid, signal.SIGCONT)


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
        await eventually(lambda: _raises_unavailable(older), within=20)
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

        await eventually(lambda: _raises_unavailable(subscription))
        await bus.publish(messages(topic, 20))
        again = await _read_through(subscription, 20)

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
