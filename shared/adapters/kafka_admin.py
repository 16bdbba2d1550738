"""Topics and pings: what is asked of the cluster as a whole.

One client, made when it is first needed, and anew after each call that failed: aiokafka closes a connection
when its own patience with a request ends, and ours ends first, so one that went silent for good (a router
forgot it) would be asked again and again. Every call is bounded by `answer_seconds`, then it is
`Unavailable`. A fresh cluster has topics before they have leaders, and a controller that is not ready yet:
both pass, and `prepare` waits for them within its time.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    BrokerResponseError,
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    NoError,
    PolicyViolationError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from shared.adapters.kafka_errors import calling
from shared.adapters.kafka_options import KafkaOptions
from shared.domain.errors import Refused, Unavailable

PAUSE_SECONDS = 0.05

_TO_BE_MENDED = (
    ClusterAuthorizationFailedError,
    InvalidReplicationFactorError,
    InvalidTopicError,
    PolicyViolationError,
    TopicAuthorizationFailedError,
)


class KafkaAdmin:
    """Asks the cluster; for any number of tasks at once."""

    def __init__(self, options: KafkaOptions) -> None:
        self._options = options
        self._client: Any = None
        self._opening = asyncio.Lock()

    async def ping(self) -> None:
        """Return if a broker answers. Raises `Unavailable`."""
        async with self._asking() as client:
            await client.describe_cluster()

    async def partitions(self, topic: str) -> list[int]:
        """The numbers of a topic's partitions; none when there is no such topic. Raises `Unavailable`."""
        async with self._asking() as client:
            # Asking for it by its name could make it, where the broker allows that.
            if topic not in await client.list_topics():
                return []
            (described,) = await client.describe_topics([topic])
            return sorted(partition["partition"] for partition in described["partitions"])

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make the missing ones and wait until all have leaders.

        Raises `Unavailable`, or `Refused` with the broker's reason when it will not make one.
        """
        async with self._asking() as client:
            missing = set(topics) - set(await client.list_topics())
            while missing or not await self._led(client, topics):
                missing = await self._make(client, missing)
                await asyncio.sleep(PAUSE_SECONDS)

    async def close(self) -> None:
        """Close the connection; a later call would open it again."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[Any]:
        """The client, for `answer_seconds`. Raises `Unavailable`; the client is then not used again."""
        used: Any = None
        try:
            async with calling(self._options.answer_seconds):
                used = await self._open()
                yield used
        except Unavailable:
            if used is not None and used is self._client:
                await self.close()
            raise

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                client = AIOKafkaAdminClient(**self._options.connection("ombud-admin"))
                try:
                    await client.start()
                except BaseException:
                    await client.close()
                    raise
                self._client = client
            return self._client

    async def _make(self, client: Any, missing: set[str]) -> set[str]:
        """Ask for these topics; those to ask for again."""
        if not missing:
            return missing
        wanted = [
            NewTopic(
                name=topic,
                num_partitions=self._options.partitions,
                replication_factor=self._options.replicas,
                topic_configs={"max.message.bytes": str(self._options.largest_message)},
            )
            for topic in sorted(missing)
        ]
        answer = await client.create_topics(wanted)
        again = set()
        for topic, code, reason in answer.topic_errors:
            error = for_code(code)
            if error in _TO_BE_MENDED:
                raise Refused(f"Kafka does not make the topic {topic}: {reason or error.__name__}")
            if error not in (NoError, TopicAlreadyExistsError):
                again.add(topic)
        return again

    async def _led(self, client: Any, topics: Sequence[str]) -> bool:
        """Whether every partition has a leader, as all brokers will soon know."""
        described = await client.describe_topics(list(topics))
        return all(
            for_code(topic["error_code"]) is NoError
            and all(_has_leader(partition) for partition in topic["partitions"])
            for topic in described
        )


def _has_leader(partition: Any) -> bool:
    error: type[BrokerResponseError] = for_code(partition["error_code"])
    # A replica that is away (error 9) does not keep the leader from serving.
    return error.errno in (0, 9) and partition["leader"] >= 0
