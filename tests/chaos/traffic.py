"""Traffic through a bus, the consumer that reads it, and what came of it.

Each key has a publisher of its own; each event has one effect, whatever comes twice. `Scene.settled` fails
unless everything that was acknowledged has its effect, the effects of a key come in the order in which its
events were published, and the consumer that was started first is the one that reads at the end.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.ports.bus import Bus, Message, Record
from tests.helpers import eventually, unique
from tests.unit.runtime.consumers import Running, Starter, ready

KEYS = 8
CHUNK = 4
"""Events of one key that one call publishes."""
PACE = 0.01
"""Seconds between two calls of one publisher: a load, not a race."""
RECOVERED_WITHIN = 150.0
"""The peer forgets a join when it moves its coordinator, where a broker would answer: it is asked again after
40 s at the earliest, and then a member that is gone is waited for."""


class Effects:
    """A handler that makes one effect of each event, whatever comes twice."""

    def __init__(self) -> None:
        self.repeats = 0
        self.of: dict[str, list[int]] = defaultdict(list)
        self._known: set[str] = set()

    async def __call__(self, record: Record) -> None:
        id_ = record.headers["ce_id"]
        if id_ in self._known:
            self.repeats += 1
            return
        self._known.add(id_)
        self.of[record.key].append(int(record.value))


class Traffic:
    """Publishers, one a key, until they are told to stop; `acknowledged` is what `publish` returned for."""

    def __init__(self, bus: Bus, topic: str) -> None:
        self._bus = bus
        self._topic = topic
        self._stop = asyncio.Event()
        self.acknowledged: dict[str, list[int]] = defaultdict(list)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(KEYS):
                group.create_task(self._publish(f"key-{number}"))

    def stop(self) -> None:
        self._stop.set()

    def total(self) -> int:
        return sum(map(len, self.acknowledged.values()))

    async def goes_on(self) -> None:
        """Return when another event was acknowledged on every key."""
        before = {f"key-{number}": len(self.acknowledged[f"key-{number}"]) for number in range(KEYS)}
        await eventually(
            lambda: all(len(self.acknowledged[key]) > count for key, count in before.items()),
            awaited="publishing goes on",
            within=RECOVERED_WITHIN,
        )

    async def _publish(self, key: str) -> None:
        first = 0
        while not self._stop.is_set():
            numbers = range(first, first + CHUNK)
            await self._bus.publish([self._event(key, number) for number in numbers])
            self.acknowledged[key] += numbers
            first += CHUNK
            await asyncio.sleep(PACE)

    def _event(self, key: str, number: int) -> Message:
        headers = {"ce_id": f"{key}.{number}", "ce_type": "ombud.test.v1"}
        return Message(self._topic, key, str(number).encode(), headers)


class Scene:
    """Traffic, the consumer that reads it as a member of `group`, and what came of it."""

    def __init__(self, traffic: Traffic, group: str, effects: Effects, consumer: Running) -> None:
        self.traffic = traffic
        self.group = group
        self._effects = effects
        self._consumer = consumer

    async def settled(self) -> None:
        """End the traffic; then all of it must arrive, once each, in order, at the consumer of the start."""
        await self.traffic.goes_on()
        self.traffic.stop()
        published = self.traffic.acknowledged
        await eventually(
            lambda: sum(map(len, self._effects.of.values())) >= self.traffic.total(),
            awaited="an effect of every event",
            within=RECOVERED_WITHIN,
        )
        await eventually(
            lambda: ready(self._consumer), awaited="the consumer is ready", within=RECOVERED_WITHIN
        )
        assert not self._consumer.task.done()
        for key, numbers in published.items():
            assert self._effects.of[key] == numbers, f"{key}"


@asynccontextmanager
async def scene(bus: Bus, topic: str) -> AsyncIterator[Scene]:
    """Traffic on this topic that is read already, until the `with` ends."""
    group = unique("group")
    starter, effects, traffic = Starter(topic, group), Effects(), Traffic(bus, topic)
    consumer = starter(bus, effects, longest_pause=1.0)
    publishing = asyncio.create_task(traffic.run())
    try:
        await eventually(lambda: len(effects.of) == KEYS, awaited="all keys are read", within=30)
        yield Scene(traffic, group, effects, consumer)
        await asyncio.wait_for(publishing, RECOVERED_WITHIN)
        await consumer.stop()
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await starter.close()
