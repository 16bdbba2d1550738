"""A platform on the embedded adapters in a temporary folder, for tests of what stands on it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from shared.adapters.sqlite_blobs import SqliteBlobs
from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.events import MAIL_TOPIC, TICKETS_TOPIC, Event, parse_event
from shared.ports.bus import Message, Record
from shared.ports.clock import Clock
from shared.runtime.outbox import Relay
from shared.runtime.service import Handle, Platform
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores

SECRET = b"a secret of the tests, and nobody else's"


@dataclass
class Ground:
    """A platform, and what tests look at."""

    platform: Platform
    relay: Relay
    seen: dict[int, int] = field(default_factory=dict)

    async def settled(self) -> None:
        """Wait until all that was recorded is on the bus."""
        await self.relay.drain(10.0)

    async def records(self, topic: str = TICKETS_TOPIC) -> list[Record]:
        """Everything on a topic, oldest first in each partition."""
        await self.settled()
        return await self.platform.bus.browse(topic, 100_000)

    async def events(self) -> list[Event]:
        """Every ticket event on the bus."""
        parsed = [parse_event(r.headers["ce_type"], r.value) for r in await self.records()]
        return [event for event in parsed if event is not None]

    async def feed(self, handle: Handle, topic: str = TICKETS_TOPIC) -> int:
        """Give a handler every record of a topic from the start, as a replay does; return how many."""
        records = await self.records(topic)
        for record in records:
            await handle(record)
        return len(records)

    async def publish(
        self, key: str, value: bytes, headers: Mapping[str, str], topic: str = MAIL_TOPIC
    ) -> None:
        """Put one record on a topic."""
        await self.platform.bus.publish([Message(topic, key, value, headers)])


@asynccontextmanager
async def embedded(
    folder: Path, clock: Clock, topics: Sequence[str] = (MAIL_TOPIC, TICKETS_TOPIC)
) -> AsyncIterator[Ground]:
    """A platform on one SQLite file in `folder`, with a running relay."""
    async with SqliteFile.open(folder / "ombud.sqlite") as file:
        bus, documents = SqliteBus(file), SqliteDocuments(file)
        await documents.prepare(COLLECTIONS)
        await bus.prepare([*topics, *(f"{topic}.dead" for topic in topics)])
        relay = Relay(bus, sweep_after=0.0)
        running = asyncio.create_task(relay.run())
        stores = Stores.over(documents, relay)
        try:
            yield Ground(Platform(clock, bus, documents, SqliteBlobs(file), stores, "test", SECRET), relay)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
