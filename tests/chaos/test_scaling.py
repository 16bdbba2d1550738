"""Replicas come and go under load: nothing is lost, nothing doubled, and every key keeps its order.

The service on trial is `bench/waiting.py`: the real process, runner and bus, and a handler that asks a model
over HTTP, which answers after a while; its effect is one document a key. Row 4 of the test matrix: a storm of
rebalances (1→4→2), and handlers that take longer than a member may be silent, or than it may drain.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pymongo import MongoClient

from bench.model import SlowModel
from bench.replicas import Replicas
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_options import KafkaOptions
from shared.ports.bus import Bus, Message
from tests.chaos.harness import seed_of, size
from tests.helpers import eventually

PARTITIONS = 8
KEYS = 40
SESSION_SECONDS = 6.0
"""The least that a broker allows if nobody told it otherwise."""
IN_FLIGHT = 8
STORM = (1, 4, 2, 4, 1)
"""Replicas, one after the other."""
DONE_WITHIN = size(120, 600)
"""The long form leaves some ten thousand records to the last replica, which does 40 a second."""
SAMPLE_EVERY = 0.5

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.mongo,
    pytest.mark.timeout(size(300, 1200)),
    pytest.mark.xdist_group("cluster"),
]


@dataclass
class Load:
    """Records with a token each, numbered within their key; `sent` is written before they are published."""

    bus: Bus
    topic: str
    chance: random.Random
    sent: dict[str, list[str]] = field(default_factory=dict)

    async def publish(self, records: int) -> None:
        batch = []
        for _ in range(records):
            key = f"key-{self.chance.randrange(KEYS)}"
            tokens = self.sent.setdefault(key, [])
            tokens.append(f"{key}.{len(tokens)}")
            batch.append(Message(self.topic, key, tokens[-1].encode()))
        await self.bus.publish(batch)

    @property
    def count(self) -> int:
        return sum(len(tokens) for tokens in self.sent.values())


@dataclass
class Ground:
    """What a trial stands on; `effects` and `committed` look without the service."""

    load: Load
    model: SlowModel
    replicas: Replicas
    bootstrap: str
    collection: Any

    def effects(self) -> dict[str, list[str]]:
        return {one["_id"]: one["tokens"] for one in self.collection.find()}

    async def all_done(self) -> None:
        """Wait until every token has had its effect."""
        await eventually(
            lambda: sum(map(len, self.effects().values())) >= self.load.count,
            awaited=f"the effects of {self.load.count} tokens",
            within=DONE_WITHIN,
        )

    async def committed(self) -> int:
        """Records before the group's committed offsets."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            found = await admin.list_consumer_group_offsets(self.load.topic)
        finally:
            await admin.close()
        places = [TopicPartition(self.load.topic, number) for number in range(PARTITIONS)]
        return sum(found[place].offset for place in places if place in found)


Raise = Callable[..., AbstractAsyncContextManager[Ground]]


@pytest.fixture
def ground(
    tmp_path: Path, kafka_bootstrap: str, mongo_url: str, mongo_database: str, topic_prefix: str
) -> Raise:
    """A ground whose model takes so many seconds, with these settings of the replicas, of which none runs."""

    @asynccontextmanager
    async def raised(seconds: float, **settings: str) -> AsyncIterator[Ground]:
        environment = {
            "OMBUD_KAFKA__BOOTSTRAP": kafka_bootstrap,
            "OMBUD_KAFKA__PARTITIONS": str(PARTITIONS),
            "OMBUD_KAFKA__SESSION_SECONDS": str(SESSION_SECONDS),
            "OMBUD_MONGO__URL": mongo_url,
            "OMBUD_MONGO__DATABASE": mongo_database,
            "OMBUD_CONSUMER__CONCURRENCY": str(IN_FLIGHT),
            "OMBUD_LOG__LEVEL": "warning",
            **settings,
        }
        options = KafkaOptions(kafka_bootstrap, partitions=PARTITIONS)
        async with AsyncExitStack() as stack:
            bus = await stack.enter_async_context(KafkaBus.open(options))
            await bus.prepare([topic_prefix])
            model = await stack.enter_async_context(SlowModel(seconds))
            client = stack.enter_context(MongoClient[dict[str, Any]](mongo_url))
            arguments = {"topic": topic_prefix, "group": topic_prefix, "model": model.url}
            load = Load(bus, topic_prefix, random.Random(seed_of()))
            collection = client[mongo_database]["effects"]
            async with Replicas(tmp_path, arguments, environment) as replicas:
                yield Ground(load, model, replicas, kafka_bootstrap, collection)
            assert set(replicas.exits) == {0}, "a replica did not end in good order"

    return raised


async def test_no_token_is_lost_or_doubled_or_overtaken_while_replicas_come_and_go(ground: Raise) -> None:
    async with ground(0.2) as on:
        samples: list[tuple[int, int]] = []
        sampling = asyncio.create_task(sample(on, samples))
        for number in STORM * size(1, 4):
            await on.load.publish(size(80, 400))
            await on.replicas.scale(number)
            await eventually(on.replicas.ready, awaited=f"{number} replicas ready", within=60)
            await on.load.publish(size(40, 200))
            await eventually(partial(goes_on, on, on.model.asked), awaited="work goes on", within=60)
        await on.all_done()
        await eventually(partial(all_committed, samples, on.load), awaited="all is committed", within=60)
        sampling.cancel()

        assert on.effects() == on.load.sent, "an effect is missing, doubled, or out of its key's order"
        assert on.model.asked >= on.load.count
        assert [one for one in samples if one[0] > one[1]] == [], "committed, and not finished (I6)"


async def test_a_handler_that_takes_longer_than_the_session_keeps_its_place_in_the_group(
    ground: Raise,
) -> None:
    """The heartbeat goes on while handlers wait: nobody is evicted, so nothing is begun a second time."""
    async with ground(1.5 * SESSION_SECONDS) as on:
        await on.replicas.scale(2)
        await eventually(on.replicas.ready, awaited="both replicas ready", within=60)
        await on.load.publish(IN_FLIGHT)
        await on.all_done()

        assert on.effects() == on.load.sent
        assert on.model.asked == on.load.count


async def test_what_a_rebalance_cuts_off_is_done_by_another_and_has_one_effect(ground: Raise) -> None:
    """A handler that takes longer than a member may drain is given up, and its record goes to the next."""
    async with ground(60.0, OMBUD_CONSUMER__DRAIN="1") as on:
        await on.load.publish(60)
        await on.replicas.scale(1)
        await eventually(partial(goes_on, on, 0), awaited="the first replica is at work", within=60)
        await on.replicas.scale(3)
        await eventually(on.replicas.ready, awaited="three replicas ready", within=60)
        begun = on.model.asked
        on.model.seconds = 0.1
        await on.replicas.scale(2)
        await on.all_done()

        assert begun > 0
        assert on.model.asked > on.load.count, "nothing was cut off, so nothing is proved"
        assert on.effects() == on.load.sent


async def sample(on: Ground, into: list[tuple[int, int]]) -> None:
    """Until cancelled: what is committed, and after that how many effects there are."""
    while True:
        await asyncio.sleep(SAMPLE_EVERY)
        try:
            committed = await on.committed()
        except KafkaError:
            continue  # nobody knows of a group that has just begun
        into.append((committed, sum(map(len, (await asyncio.to_thread(on.effects)).values()))))


def goes_on(on: Ground, asked: int) -> bool:
    return on.model.asked > asked


def all_committed(samples: list[tuple[int, int]], load: Load) -> bool:
    return bool(samples) and samples[-1][0] == load.count
