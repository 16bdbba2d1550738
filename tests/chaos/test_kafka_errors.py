"""Kafka that refuses, moves its leaders and goes away under traffic: row 3 of the test matrix.

Brokers of librdkafka's mock cluster answer with errors when they are told to. Whatever they answer, nothing
that was acknowledged is lost, each key's events keep their order, and nothing has to be started again
(`traffic.py`). What the mock cluster cannot show stands in its module; a real broker that dies is in
`test_kafka_flapping.py`, what it does with sequences in `tests/contract/test_bus_kafka_outages.py`.
"""

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from shared.adapters.kafka_bus import KafkaBus
from shared.domain.errors import Refused
from shared.metrics import BUS_PRODUCER_RESTARTS
from shared.ports.bus import Record
from tests.chaos.harness import seed_of, size
from tests.chaos.traffic import RECOVERED_WITHIN, Traffic, scene
from tests.conftest import missing
from tests.contract.bus_adapters import PARTITIONS, kafka_options, messages, values
from tests.contract.bus_kafka import counted
from tests.helpers import eventually, unique
from tests.servers.mock_kafka import Api, Fault, MockKafka, mock_kafka

BROKERS = 3
REFUSALS = size(2, 7)
"""Of those that a group may answer: after each its member has to join again."""
STEPS = size(12, 60)
"""Faults of the storm."""

PASSING = (
    Fault.NOT_LEADER_OR_FOLLOWER,
    Fault.REQUEST_TIMED_OUT,
    Fault.LEADER_NOT_AVAILABLE,
    Fault.NOT_ENOUGH_REPLICAS,
    Fault.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    Fault.KAFKA_STORAGE_ERROR,
)
"""Answers to a produce request after which the same producer may go on."""

OF_THE_GROUP = (
    Fault.COORDINATOR_LOAD_IN_PROGRESS,
    Fault.COORDINATOR_NOT_AVAILABLE,
    Fault.NOT_COORDINATOR,
    Fault.ILLEGAL_GENERATION,
    Fault.UNKNOWN_MEMBER_ID,
    Fault.REBALANCE_IN_PROGRESS,
    Fault.REQUEST_TIMED_OUT,
)

SCRIPTS = {
    Api.PRODUCE: (*PASSING, Fault.OUT_OF_ORDER_SEQUENCE_NUMBER),
    Api.FETCH: (Fault.NOT_LEADER_OR_FOLLOWER, Fault.REQUEST_TIMED_OUT, Fault.KAFKA_STORAGE_ERROR),
    Api.OFFSET_COMMIT: OF_THE_GROUP,
    Api.HEARTBEAT: OF_THE_GROUP,
    Api.OFFSET_FETCH: (Fault.NOT_COORDINATOR, Fault.COORDINATOR_LOAD_IN_PROGRESS),
    Api.FIND_COORDINATOR: (Fault.COORDINATOR_NOT_AVAILABLE,),
    Api.JOIN_GROUP: (Fault.COORDINATOR_LOAD_IN_PROGRESS, Fault.NOT_COORDINATOR, Fault.UNKNOWN_MEMBER_ID),
    Api.SYNC_GROUP: (Fault.REBALANCE_IN_PROGRESS, Fault.NOT_COORDINATOR),
    Api.INIT_PRODUCER_ID: (Fault.COORDINATOR_LOAD_IN_PROGRESS, Fault.COORDINATOR_NOT_AVAILABLE),
}
"""What the storm lets brokers answer, by the kind of request."""


@pytest.fixture
def topic() -> str:
    return unique("topic")


@pytest.fixture
def cluster(topic: str) -> Iterator[MockKafka]:
    """A mock cluster with the topic."""
    try:
        with mock_kafka(BROKERS) as cluster:
            for name in (topic, f"{topic}.dead"):
                cluster.make_topic(name, PARTITIONS)
            yield cluster
    except Refused as reason:
        missing("kafka", str(reason))


@pytest.fixture
async def bus(cluster: MockKafka) -> AsyncIterator[KafkaBus]:
    # The mock cluster keeps a member that it refused until its session has run out.
    options = kafka_options(
        cluster.bootstrap, session_seconds=1.0, answer_seconds=2.0, silent_seconds=0.5, stop_seconds=2.0
    )
    async with KafkaBus.open(options) as bus:
        yield bus


# -- a cluster that answers with errors


@pytest.mark.parametrize("fault", PASSING)
async def test_what_a_broker_refuses_for_a_moment_is_published_in_order_by_the_same_producer(
    cluster: MockKafka, bus: KafkaBus, topic: str, fault: Fault
) -> None:
    everything = messages(topic, 80, keys=4)
    await bus.publish(everything[:20])
    before = counted(BUS_PRODUCER_RESTARTS)
    cluster.refuse(Api.PRODUCE, fault, fault, fault)
    await asyncio.wait_for(bus.publish(everything[20:]), 30)

    found = await bus.browse(topic, 1000)
    assert cluster.asked(Api.PRODUCE) > 3
    assert sorted(values(found)) == list(range(80))
    assert in_order(found)
    assert counted(BUS_PRODUCER_RESTARTS) == before


async def test_a_producer_whose_sequence_is_refused_is_replaced_and_what_it_held_goes_out_in_order(
    cluster: MockKafka, bus: KafkaBus, topic: str
) -> None:
    """aiokafka#1017: it would refuse every later send, until the process is started again."""
    everything = messages(topic, 80, keys=4)
    await bus.publish(everything[:20])
    before = counted(BUS_PRODUCER_RESTARTS)
    cluster.refuse(Api.PRODUCE, Fault.OUT_OF_ORDER_SEQUENCE_NUMBER)
    await asyncio.wait_for(bus.publish(everything[20:]), 30)

    assert counted(BUS_PRODUCER_RESTARTS) == before + 1
    found = await bus.browse(topic, 1000)
    assert set(values(found)) == set(range(80))
    assert in_order(found)


@pytest.mark.parametrize("api", [Api.OFFSET_COMMIT, Api.HEARTBEAT])
async def test_a_group_that_refuses_its_member_has_it_back_without_a_restart(
    cluster: MockKafka, bus: KafkaBus, topic: str, api: Api
) -> None:
    chance = random.Random(seed_of())
    async with scene(bus, topic) as on_stage:
        for fault in chance.sample(OF_THE_GROUP, REFUSALS):
            cluster.refuse(api, fault)
            await eventually(
                lambda: cluster.asked(api), awaited=f"{fault.name} was answered", within=RECOVERED_WITHIN
            )
        await on_stage.settled()


# -- a storm of all of it


class Storm:
    """Faults one after another, by the seed; after each the traffic must go on."""

    def __init__(self, cluster: MockKafka, topic: str, group: str, seed: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._group = group
        self._chance = random.Random(f"storm {seed}")

    async def rage(self, traffic: Traffic) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [self._errors, self._leaders, self._away]
        for step in range(STEPS):
            # Each kind at least once a round: a storm without leader changes would prove nothing of them.
            await (kinds[step] if step < len(kinds) else self._chance.choice(kinds))()
            await traffic.goes_on()
        self._cluster.forgive(*SCRIPTS)

    async def _errors(self) -> None:
        for api in self._chance.sample(list(SCRIPTS), 3):
            self._cluster.refuse(api, *self._chance.choices(SCRIPTS[api], k=self._chance.randint(1, 3)))

    async def _leaders(self) -> None:
        for partition in range(PARTITIONS):
            self._cluster.lead(self._topic, partition, self._broker())
        self._cluster.coordinate(self._group, self._broker())

    async def _away(self) -> None:
        """One broker away, or all of them; the leaders stay where they were, as after a power cut."""
        away = self._chance.choice([[self._broker()], list(self._cluster.brokers)])
        for broker in away:
            self._cluster.stop_broker(broker)
        if len(away) == BROKERS:
            await asyncio.sleep(self._chance.uniform(0.1, 1.0))  # the outage itself
        for broker in away:
            self._cluster.start_broker(broker)

    def _broker(self) -> int:
        return self._chance.choice(list(self._cluster.brokers))


async def test_nothing_is_lost_or_out_of_order_in_a_storm_of_errors_leader_changes_and_outages(
    cluster: MockKafka, bus: KafkaBus, topic: str
) -> None:
    seed = seed_of()
    async with scene(bus, topic) as on_stage:
        await Storm(cluster, topic, on_stage.group, seed).rage(on_stage.traffic)
        await on_stage.settled()


# -- what was read


def first_of_each(records: list[Record]) -> dict[str, list[int]]:
    """For each key its values, each where it came first: what was not acknowledged is written again."""
    found: dict[str, dict[int, None]] = defaultdict(dict)
    for record in records:
        found[record.key].setdefault(int(record.value))
    return {key: list(numbers) for key, numbers in found.items()}


def in_order(records: list[Record]) -> bool:
    """Whether the values of each key rise."""
    return all(numbers == sorted(numbers) for numbers in first_of_each(records).values())
