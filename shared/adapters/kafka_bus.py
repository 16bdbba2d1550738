"""The bus on Kafka: `shared/ports/bus.py` by aiokafka 0.14.

    kafka_publisher     one idempotent producer, replaced when it fails; aiokafka#1017
    kafka_subscription  one member of a group; aiokafka#625, #703, #992, #1126
    kafka_consumer      what is touched of aiokafka's inside, and why; aiokafka#512, #583
    kafka_browse        looking without a group
    kafka_admin         topics and pings
    kafka_errors        aiokafka's errors become ours

Of the other known faults: a fetch that drains one partition first, automatic and bare commits, and aiokafka's
default timeouts are dealt with in kafka_subscription, kafka_consumer and kafka_options. Heartbeats live on
the event loop: work that keeps the processor for long belongs into a pool. OpenTelemetry's instrumentation
of asyncio leaks with aiokafka (#1100): it is not installed.

While the brokers are away: `publish` waits and says so, everything else raises `Unavailable` within its time.
Nothing has to be restarted when they are back.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog

from shared.adapters.kafka_admin import KafkaAdmin
from shared.adapters.kafka_browse import browse
from shared.adapters.kafka_errors import calling
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.kafka_publisher import Publisher
from shared.adapters.kafka_subscription import KafkaSubscription
from shared.domain.errors import Unavailable
from shared.ports.bus import Message, Record, Revoked

log = structlog.get_logger()

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class KafkaBus:
    """Made by `open`, in the event loop it is used in."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._admin = KafkaAdmin(options)
        self._publisher = Publisher(options, self._admin.prepare)

    @classmethod
    @asynccontextmanager
    async def open(cls, options: KafkaOptions) -> "AsyncIterator[KafkaBus]":
        """A bus for the body of the `with`. Needs no broker yet.

        Subscriptions are closed by whoever made them. A publish still waiting at the end gets `Unavailable`.
        """
        bus = cls(options)
        try:
            yield bus
        finally:
            await bus.close()

    async def publish(self, messages: Sequence[Message]) -> None:
        """As the port says. Makes a missing topic; raises `Refused` when the cluster will not have it."""
        await self._publisher.publish(messages)

    async def subscribe(
        self, topics: Sequence[str], group: str, member: str, on_revoked: Revoked | None = None
    ) -> KafkaSubscription:
        """As the port says. Makes missing topics; returns before the partitions are known.

        `member` is of letters, digits, `.`, `_` and `-`. Tries again with back-off for `answer_seconds`, then
        raises `Unavailable`.
        """
        deadline = asyncio.get_running_loop().time() + self._options.answer_seconds
        pause = FIRST_PAUSE_SECONDS
        while True:
            subscription = KafkaSubscription(self._options, topics, group, member, on_revoked)
            try:
                await self._admin.prepare(topics)
                await subscription.open()
            except Unavailable as error:
                if asyncio.get_running_loop().time() + pause > deadline:
                    raise
                log.warning("bus.subscribe_again", group=group, reason=str(error), pause=pause)
            else:
                return subscription
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def browse(self, topic: str, limit: int, after: Mapping[int, int] | None = None) -> list[Record]:
        """As the port says. Raises `Unavailable`."""
        partitions = await self._admin.partitions(topic)
        if not partitions:
            return []
        async with calling(self._options.answer_seconds):
            return await browse(self._options, topic, partitions, limit, after or {})

    async def prepare(self, topics: Sequence[str]) -> None:
        """As the port says. Raises `Unavailable`, or `Refused` when the cluster will not make one."""
        await self._admin.prepare(topics)

    async def ping(self) -> None:
        """As the port says, within `answer_seconds`."""
        await self._admin.ping()

    async def close(self) -> None:
        """End publishing and close the connections."""
        await self._publisher.close()
        await self._admin.close()
