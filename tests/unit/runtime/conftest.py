"""A real bus for the consumer's tests, and consumers that end with their test."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from shared.ports.bus import Bus
from tests.contract.bus_adapters import Station
from tests.fakes.clock import FakeClock
from tests.helpers import unique
from tests.unit.runtime.buses import ScriptedBus
from tests.unit.runtime.consumers import Starter


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


@pytest.fixture
def clock() -> FakeClock:
    """Moved by the test."""
    return FakeClock()


@pytest.fixture
def peer() -> ScriptedBus:
    """A bus that fails as the test says."""
    return ScriptedBus()


@pytest.fixture
async def begin() -> AsyncIterator[Starter]:
    """Starts consumers on the peer's topic."""
    starter = Starter("t", unique("group"))
    yield starter
    await starter.close()
