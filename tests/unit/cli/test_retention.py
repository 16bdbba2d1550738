"""The embedded file does not grow for ever: what all groups have done goes, what one has not done stays."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from services.cli.retention import build, trim_all
from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.events import MAIL_TOPIC, TICKETS_TOPIC
from shared.ports.bus import Bus, Message, Partition, Record, Subscription
from shared.runtime.settings import Settings
from shared.runtime.wiring import open_platform
from tests.helpers import eventually


async def test_what_every_group_has_done_is_removed_and_what_one_has_not_is_kept(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        bus = SqliteBus(file, partitions=1)
        await bus.prepare([MAIL_TOPIC, TICKETS_TOPIC])
        await bus.publish([Message(TICKETS_TOPIC, "key", str(number).encode()) for number in range(10)])
        for group, done in (("fast", 10), ("slow", 6)):
            member = await bus.subscribe([TICKETS_TOPIC], group, "me")
            (partition,) = await eventually(partial(joined, member))
            await member.commit({partition: done})
            await member.close()
        nothing = await trim_all(bus, 3600.0)
        gone = await trim_all(bus, -1.0)
        left = await bus.browse(TICKETS_TOPIC, 100)

    assert (nothing, gone) == (0, 6)
    assert [record.value for record in left] == [b"6", b"7", b"8", b"9"]


async def joined(member: Subscription) -> frozenset[Partition]:
    await member.fetch(1, 0.1)
    return member.assignment()


async def test_how_many_days_events_are_kept_is_a_setting(tmp_path: Path) -> None:
    """What every service has dealt with stays for a week, and goes when it is to be kept for an instant."""
    async with AsyncExitStack() as stack:
        settings = Settings(data=tmp_path)
        wired = await open_platform(settings, stack, "test")
        await wired.prepare()
        bus = wired.platform.bus
        await bus.publish([Message(TICKETS_TOPIC, "key", b"an event")])
        member = await bus.subscribe([TICKETS_TOPIC], "readers", "me")
        (done,) = await eventually(partial(fetched, member))
        await member.commit({done.partition: done.offset + 1})
        await member.close()
        left = []
        for days in (settings.bus_days, 1e-9):
            kept = settings.model_copy(update={"bus_days": days})
            service = await build(wired.platform, kept, stack)
            stop = asyncio.Event()
            trimming = asyncio.create_task(service.tasks["trim"](stop))
            if days < 1:
                await eventually(partial(is_empty, bus))
            stop.set()
            await trimming
            left.append(len(await bus.browse(TICKETS_TOPIC, 10)))

    assert left == [1, 0]


async def fetched(member: Subscription) -> Sequence[Record]:
    return await member.fetch(1, 0.1)


async def is_empty(bus: Bus) -> bool:
    return not await bus.browse(TICKETS_TOPIC, 10)
