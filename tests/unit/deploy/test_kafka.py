"""The local Kafka is a real broker: it keeps its data through SIGKILL and makes no topic unasked."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.kafka import Kafka, jars, serves
from shared.domain.errors import Refused
from tests.helpers import free_port, unique
from tests.unit.deploy.started import started

pytestmark = pytest.mark.kafka


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[Kafka]:
    with started(Kafka(tmp_path / "kafka"), "kafka") as server:
        yield server


async def create(bootstrap: str, topic: str, partitions: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, partitions, 1)])
    finally:
        await admin.close()


async def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True) as producer:
        for value in values:
            await producer.send_and_wait(topic, value)


async def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return [(await asyncio.wait_for(consumer.getone(), 20.0)).value for _ in range(count)]
    finally:
        await consumer.stop()


async def test_acknowledged_records_are_there_after_the_broker_was_killed_and_started_again(
    kafka: Kafka,
) -> None:
    """Chaos tests kill the broker; were its data lost by that, they would prove nothing."""
    await create(kafka.bootstrap, "mail")
    await produce(kafka.bootstrap, "mail", [b"one", b"two"])
    bootstrap, first_pid = kafka.bootstrap, kafka.pid
    kafka.kill()

    assert not kafka.running

    kafka.start()

    assert kafka.bootstrap == bootstrap
    assert kafka.pid != first_pid
    assert await consume(kafka.bootstrap, "mail", 2) == [b"one", b"two"]


async def test_a_stopped_broker_answers_nobody(kafka: Kafka) -> None:
    assert await serves(kafka.bootstrap)

    kafka.stop()

    assert not kafka.running
    assert not await serves(kafka.bootstrap)


async def test_nobody_serves_on_a_free_port() -> None:
    assert not await serves(f"127.0.0.1:{free_port()}")


async def test_a_topic_that_was_not_created_is_not_made_by_asking_for_it(kafka_bootstrap: str) -> None:
    """`prepare` makes the topics with their partitions; one made in passing would have the wrong ones."""
    name = unique("never")
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        await admin.describe_topics([name])

        assert name not in await admin.list_topics()
    finally:
        await admin.close()


async def test_the_shared_broker_makes_topics_with_the_partitions_asked_for(
    kafka_bootstrap: str, topic_prefix: str
) -> None:
    await create(kafka_bootstrap, f"{topic_prefix}.mail", partitions=3)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    try:
        (topic,) = await admin.describe_topics([f"{topic_prefix}.mail"])

        assert len(topic["partitions"]) == 3
    finally:
        await admin.close()


def test_the_jars_are_fetched_once_and_hold_the_broker() -> None:
    folder = jars()

    assert folder == jars()
    assert list(folder.glob("kafka_2.13-*.jar"))
    assert list(folder.glob("slf4j-simple-*.jar"))


def test_a_broker_that_was_not_started_has_no_pid(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was not started"):
        _ = Kafka(tmp_path).pid
