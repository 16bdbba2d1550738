"""What a part of Ombud stands on in a bench: a platform on SQLite, or on Kafka and MongoDB of its own."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.kafka import Kafka
from deploy.local.mongo import Mongo
from services.settings import OmbudSettings
from shared.runtime.consumer import Consumer
from shared.runtime.service import Service
from shared.runtime.wiring import Wired, open_platform

ADDRESS = "support@example.org"
KINDS = ("SQLite", "Kafka and MongoDB")


@dataclass(frozen=True)
class Stage:
    """A platform that is prepared, and the settings that it was opened by."""

    wired: Wired
    settings: OmbudSettings
    folder: Path


@asynccontextmanager
async def stage(kind: str, folder: Path, **more: Any) -> AsyncIterator[Stage]:
    """A platform of this kind in a folder; `more` settings go beside those that name its servers."""
    async with AsyncExitStack() as stack:
        settings = OmbudSettings.model_validate(
            {
                "data": folder,
                "secret": "only for this bench, it signs nothing",
                "mailboxes": {"support": {"address": ADDRESS, "host": "127.0.0.1"}},
                **(await _servers(folder, stack) if kind != "SQLite" else {}),
                **more,
            }
        )
        wired = await open_platform(settings, stack, "bench")
        await wired.prepare()
        yield Stage(wired, settings, folder)


async def _servers(folder: Path, stack: AsyncExitStack) -> dict[str, Any]:
    kafka, mongo = Kafka(folder / "kafka", None), Mongo(folder / "mongo", None)
    for server in (kafka, mongo):
        stack.push_async_callback(asyncio.to_thread, server.stop)
        await asyncio.to_thread(server.start)
    return {"kafka": {"bootstrap": kafka.bootstrap, "partitions": 8}, "mongo": {"url": mongo.url}}


@asynccontextmanager
async def running(on: Stage, service: Service) -> AsyncIterator[None]:
    """The service as its process would run it, and the relay; in good order stopped at the end."""
    platform, stop = on.wired.platform, asyncio.Event()
    relay = asyncio.create_task(on.wired.relay.run())
    consumers = [
        Consumer(reader, platform.bus, platform.clock, on.settings.consumer, platform.instance)
        for reader in service.readers
    ]
    works = [consumer.run(stop) for consumer in consumers]
    works += [task(stop) for task in service.tasks.values()]
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        await on.wired.relay.drain(20.0)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
