"""A real bus for the consumer's tests, and consumers that end with their test."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.system_clock import SystemClock
from shared.ports.bus import Bus
from shared.ports.clock import Clock
from shared.runtime.consumer import Consumer
from shared.runtime.service import Handle, Reader
from shared.runtime.settings import ConsumerSettings
from tests.contract.bus_adapters import Station

IMPATIENT: dict[str, Any] = {"first_pause": 0.01, "longest_pause": 0.05, "commit_every": 0.01, "drain": 5.0}


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
        self, bus: Bus, handle: Handle, member: str = "one", clock: Clock | None = None, **settings: Any
    ) -> Running:
        reader = Reader(self.topic, self.group, handle)
        chosen = ConsumerSettings(**{**IMPATIENT, **settings})
        self.running.append(Running(Consumer(reader, bus, clock or SystemClock(), chosen, member)))
        return self.running[-1]

    async def close(self) -> None:
        for running in self.running:
            await running.kill()


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
async def station(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Station]:
    """One real bus on disk."""
    if request.param == "kafka":
        address = request.getfixturevalue("kafka_bootstrap")
    else:
        address = str(tmp_path / "bus.sqlite")
    async with AsyncExitStack() as stack:
        yield Station(request.param, address, stack)


@pytest.fixture
async def bus(station: Station) -> Bus:
    """That bus, open."""
    return await station.open()


@pytest.fixture
async def start(station: Station) -> AsyncIterator[Starter]:
    """Starts consumers on the station's topic."""
    starter = Starter(station.topic, station.group)
    yield starter
    await starter.close()
