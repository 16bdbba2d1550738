"""A collector at work on a mailbox, and what it put on the bus."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from services.ingest.collect import Collector
from services.ingest.cursor import cursor_id
from services.ingest.handlers import Intake
from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.ports import Mailbox
from services.ingest.settings import IngestSettings
from shared.domain.events import MAIL_TOPIC
from shared.domain.ledger import LedgerEntry
from shared.domain.mail_fetched import MailFetched
from shared.runtime.service import Platform
from tests.helpers import eventually
from tests.unit.ingest.mails import SUPPORT

QUICK = IngestSettings(batch=10, lease_seconds=2.0, retry_first=0.02, retry_longest=0.1, fetch_tries=3)


@asynccontextmanager
async def collecting(
    platform: Platform,
    folder: Path,
    settings: IngestSettings = QUICK,
    connect: Callable[[], Mailbox] | None = None,
    named: str = "",
) -> AsyncIterator[Collector]:
    """A collector at work on the folder; stopped in good order. `named`: empty for the main folder."""
    connect = connect or partial(MaildirMailbox, "support", folder)
    collector = Collector(platform, settings, "support", connect, named)
    stopping = asyncio.Event()
    running = asyncio.create_task(collector.run(stopping))
    try:
        yield collector
    finally:
        stopping.set()
        await asyncio.wait_for(running, 10)


async def published(platform: Platform) -> list[MailFetched]:
    """What is on the bus, in the order of UIDs (each as often as it was published)."""
    records = await platform.bus.browse(MAIL_TOPIC, 10_000)
    mails = [MailFetched.parse(record.headers, record.value) for record in records]
    return sorted(mails, key=lambda one: one.uid)


async def cursor_uid(platform: Platform, named: str = "") -> int:
    found = (await platform.stores.cursors.get_many([cursor_id("support", named)])).values()
    return next((cursor.uid for cursor in found), 0)


async def read_up_to(platform: Platform, uid: int, named: str = "") -> None:
    async def is_there() -> bool:
        return await cursor_uid(platform, named) == uid

    await eventually(is_there)


async def entries(platform: Platform) -> dict[int, LedgerEntry]:
    return {one.uid: one for one in (await platform.stores.ledger.find({}, limit=500)).items}


async def take_all_in(platform: Platform, settings: IngestSettings = QUICK) -> None:
    """Handle everything that is on the bus, from the start."""
    intake = Intake(platform, settings, [SUPPORT])
    for record in await platform.bus.browse(MAIL_TOPIC, 10_000):
        await intake.handle(record)
