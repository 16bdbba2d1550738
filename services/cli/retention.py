"""How long the embedded bus keeps what every group has done: a setting, by default as long as Kafka, 7 days.

What a group has not done yet is kept for however long that takes, and so are dead events.
"""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import structlog

from shared.adapters.sqlite_bus import SqliteBus
from shared.domain.errors import Unavailable
from shared.domain.events import TOPICS
from shared.runtime.service import Platform, Service
from shared.runtime.waiting import wait_until

DAY = 24 * 3600.0
LOOK_EVERY = 3600.0
"""Seconds."""

log = structlog.get_logger()


async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    """The task that removes old records from an embedded bus; nothing to do on Kafka."""
    bus = platform.bus
    if not isinstance(bus, SqliteBus):
        return Service("retention")
    return Service("retention", tasks={"trim": partial(_keep_trimmed, bus, settings.bus_days * DAY)})


async def _keep_trimmed(bus: SqliteBus, seconds: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await trim_all(bus, seconds)
        except Unavailable as down:
            log.warning("retention.waits", dependency=down.dependency)
        await wait_until(stop, LOOK_EVERY)


async def trim_all(bus: SqliteBus, older_than: float) -> int:
    """Remove what is older than so many seconds and done by all; return how many records went."""
    return sum([await bus.trim(topic, older_than) for topic in TOPICS])
