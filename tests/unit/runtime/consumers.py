"""Consumers that run in tests, and a handler that can be held up."""

import asyncio
from typing import Any

from shared.adapters.system_clock import SystemClock
from shared.domain.errors import Unavailable
from shared.ports.bus import Bus, Record
from shared.ports.clock import Clock
from shared.runtime.consumer import Consumer
from shared.runtime.service import Handle, Reader
from shared.runtime.settings import ConsumerSettings
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.unit.runtime.buses import ScriptedBus

DOWN = Unavailable("Kafka", "no broker answers")
LONG: dict[str, Any] = {"first_pause": 1.0, "longest_pause": 30.0, "commit_every": 1.0}
IMPATIENT: dict[str, Any] = {"first_pause": 0.01, "longest_pause": 0.05, "commit_every": 0.01, "drain": 5.0}


class Handled:
    """A handler that keeps what it was given; records whose key is held wait until it is let go."""

    def __init__(self, *held: str) -> None:
        self.begun: list[Record] = []
        self.done: list[Record] = []
        self.let_go = asyncio.Event()
        self._held = held

    async def __call__(self, record: Record) -> None:
        self.begun.append(record)
        if record.key in self._held:
            await self.let_go.wait()
        self.done.append(record)


class Running:
    """A consumer that runs."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.stopping = asyncio.Event()
        self.task = asyncio.create_task(consumer.run(self.stopping))

    async def stop(self) -> None:
        """In good order; raises what `run` raised."""
        self.stopping.set()
        await asyncio.wait_for(self.task, 20)

    async def kill(self) -> None:
        """As a process dies: nothing is finished, nothing committed."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


class Starter:
    """Starts consumers of one topic and group; those that still run at the end of the test are stopped."""

    def __init__(self, topic: str, group: str) -> None:
        self.topic = topic
        self.group = group
        self.running: list[Running] = []

    def __call__(
        self,
        bus: Bus,
        handle: Handle,
        member: str = "one",
        clock: Clock | None = None,
        ignored: frozenset[str] = frozenset(),
        **settings: Any,
    ) -> Running:
        reader = Reader(self.topic, self.group, handle, ignored)
        chosen = ConsumerSettings(**{**IMPATIENT, **settings})
        self.running.append(Running(Consumer(reader, bus, clock or SystemClock(), chosen, member)))
        return self.running[-1]

    async def close(self) -> None:
        for running in self.running:
            await running.kill()


async def joined(peer: ScriptedBus, times: int = 1, clock: FakeClock | None = None) -> None:
    """Wait for the consumer's subscription number so many to be read; `clock` goes on meanwhile."""

    async def reads() -> bool:
        if clock is not None:
            await clock.advance(0.5)
        return len(peer.subscriptions) >= times and peer.subscriptions[-1].fetches > 1

    await eventually(reads)


async def pass_time(clock: FakeClock, seconds: float, step: float = 0.5) -> None:
    """Let time pass in small steps, so that the reading loop turns in between as it does in life."""
    for _ in range(int(seconds / step)):
        await clock.advance(step)
        await asyncio.sleep(0.001)


async def ready(running: Running) -> bool:
    try:
        await running.consumer.ping()
    except Unavailable:
        return False
    return True
