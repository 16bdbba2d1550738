"""What the Kafka adapter promises while the broker is away, killed, standing still, or without what it had.

These tests have a broker of their own, for they kill it.
"""

import asyncio
import os
import time

import pytest

from deploy.local.kafka import Kafka
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_subscription import KafkaSubscription
from shared.domain.errors import Unavailable
from shared.metrics import BUS_PRODUCER_RESTARTS, BUS_WAITS
from shared.ports.bus import Message, Record
from tests.contract.bus_adapters import (
    behind,
    has_all,
    kafka_options,
    messages,
    read,
    values,
)
from tests.contract.bus_kafka import counted, member, raises_unavailable, read_through
from tests.helpers import eventually, free_port, standing_still, unique

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic() -> str:
    return unique("topic")


def in_first_order(records: list[Record]) -> dict[str, list[int]]:
    """For each key its values in the order of their first appearance."""
    found: dict[str, dict[int, None]] = {}
    for record in records:
        found.setdefault(record.key, {}).setdefault(int(record.value))
    return {key: list(numbers) for key, numbers in found.items()}


async def test_publishing_through_a_killed_broker_waits_says_so_and_loses_nothing(
    broker: Kafka, topic: str
) -> None:
    """Neither what was acknowledged before, nor what waits: an outage of any length only delays."""
    everything = messages(topic, 600, keys=12)
    async with KafkaBus.open(kafka_options(broker.bootstrap, answer_seconds=1.0)) as bus:
        await bus.publish(everything[:100])
        publishing = [asyncio.create_task(bus.publish([message])) for message in everything[100:300]]
        await asyncio.wait(publishing, return_when=asyncio.FIRST_COMPLETED)
        before = counted(BUS_WAITS.labels("publish"))
        broker.kill()
        publishing += [asyncio.create_task(bus.publish([message])) for message in everything[300:]]
        await eventually(
            lambda: counted(BUS_WAITS.labels("publish")) > before, awaited="the metric for waiting publishes"
        )
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
            await eventually(lambda: raises_unavailable(subscription), within=20)
            with pytest.raises(Unavailable):
                await subscription.commit(behind(before))
            with pytest.raises(Unavailable):
                await subscription.lag()

            await asyncio.to_thread(broker.start)
            await bus.publish([Message(topic, message.key, b"1000") for message in messages(topic, 50)])
            after = await read_through(subscription, 50)
            await eventually(lambda: _commits(subscription, after), within=20)
        async with member(bus, topic, group) as again:
            await has_all(again)
            assert sum((await again.lag()).values()) == 0
    assert [int(record.value) for record in after] == [1000] * 50


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
        with standing_still(broker.pid):
            with pytest.raises(Unavailable):
                await bus.ping()
            start = time.monotonic()
            await subscription.close()
            assert time.monotonic() - start < 4
