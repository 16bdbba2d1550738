"""What the tests of Kafka alone share."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_subscription import KafkaSubscription
from shared.domain.errors import Unavailable
from shared.ports.bus import Record
from tests.helpers import eventually


@asynccontextmanager
async def member(
    bus: KafkaBus, topic: str, group: str, name: str = "one"
) -> AsyncIterator[KafkaSubscription]:
    subscription = await bus.subscribe([topic], group, name)
    try:
        yield subscription
    finally:
        await subscription.close()


def counted(counter: Any) -> float:
    """A counter's value; prometheus-client has no public way to read one."""
    return float(counter._value.get())


async def raises_unavailable(subscription: KafkaSubscription) -> bool:
    try:
        await subscription.fetch(10, 0.1)
    except Unavailable:
        return True
    return False


async def read_through(subscription: KafkaSubscription, count: int) -> list[Record]:
    records: list[Record] = []

    async def enough() -> bool:
        try:
            records.extend(await subscription.fetch(100, 0.2))
        except Unavailable:
            return False
        return len(records) >= count

    await eventually(enough, within=30)
    return records
