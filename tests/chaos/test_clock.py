"""A clock that is set forth and back while everything runs: row 12 of the matrix.

Each deadline has one outcome, never before it was due and, once the clock is past it, without a further wait;
each missed one is told to the lead once; no mail is lost or doubled by a clock (I9, I4, I2). Here on a clock
that the test moves, over the real stores of both kinds, with everything running that looks at the time: the
mailbox's lease, the consumers, two replicas' timers, letters. Whole processes: `test_clock_processes.py`.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from services.cli.serve import builder
from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.smtp_sink import SmtpSink
from services.settings import OmbudSettings
from shared.adapters.gridfs_blobs import GridfsBlobs
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.system_clock import SystemClock
from shared.runtime.consumer import Consumer
from shared.runtime.service import Service
from shared.runtime.settings import ConsumerSettings, MailboxSettings, SmtpSettings
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.chaos import oracle
from tests.chaos.evidence import Evidence
from tests.chaos.harness import seed_of, size
from tests.chaos.invariants import i4_no_letter_goes_twice, i9_each_timer_has_one_outcome_in_time
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.platforms import Ground, embedded
from tests.story.programs import mail

HOUR = 3600.0
JUMPS = size(6, 40)
MAILS = 3
"""Mails before each jump."""
LEAD = "lead@sandbox.example"
RUNNING = ("ingest", "triage", "escalation", "escalation", "notify")
"""Services of the desk: escalation in two replicas, whose timers look at the same deadlines."""

pytestmark = pytest.mark.timeout(300)


STEP = 5.0
"""Seconds that the clock moves at a time; a lease of 30 s is prolonged more rarely."""


def durations(seconds: float) -> dict[str, float]:
    """A target of so many seconds whatever the priority."""
    return dict.fromkeys(("critical", "high", "medium", "low"), seconds)


# -- a clock that the test moves


class Desk:
    """The services on one platform with a clock of its own, and what tests ask of them."""

    def __init__(self, ground: Ground, clock: FakeClock, store: oracle.Store, folder: Path) -> None:
        self.ground = ground
        self.clock = clock
        self._store = store
        self._folder = folder

    def deliver(self, token: str) -> None:
        deliver(self._folder / "mail", mail(token))

    def evidence(self) -> Evidence:
        """What the stores and the sink hold now."""
        found = Evidence(ended_at=self.clock.now())
        oracle.read_store(self._store, found)
        found.handed = oracle.handed(self._folder / "outbox")
        return found

    async def pass_time(self, seconds: float) -> None:
        """Let it pass in steps, with turns for those who work in threads."""
        for _ in range(int(seconds / STEP)):
            await self.clock.advance(STEP)
            await asyncio.sleep(0.002)

    async def all_fired(self, tickets: int) -> Evidence:
        """Wait, on a clock that stands still, until nothing that is due by it is without an outcome."""

        async def settled() -> Evidence | None:
            found = await asyncio.to_thread(self.evidence)
            overdue = [one for one in found.timers if one.state == "running" and one.due_at <= found.ended_at]  # type: ignore[operator]
            return found if not overdue and len(found.timers) >= 2 * tickets else None

        return await eventually(settled, awaited="an outcome of all that is due", within=60)  # type: ignore[no-any-return]


@pytest.fixture(params=["sqlite", pytest.param("mongo", marks=pytest.mark.mongo)])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    """All services that look at the time, running."""
    clock = FakeClock(datetime.now(UTC))  # mails in a folder bear the machine's time
    async with AsyncExitStack() as stack:
        ground = await stack.enter_async_context(embedded(tmp_path, clock))
        store: oracle.Store = oracle.SqliteStore(tmp_path / "ombud.sqlite")
        if request.param == "mongo":
            url, name = request.getfixturevalue("mongo_url"), request.getfixturevalue("mongo_database")
            ground = await on_mongo(ground, stack, url, name)
            store = oracle.MongoStore(url, name)
        sink = await stack.enter_async_context(SmtpSink("127.0.0.1", 0, tmp_path / "outbox"))
        make_maildir(tmp_path / "mail")
        await stack.enter_async_context(open_for_business(ground, clock, settings_of(tmp_path, sink)))
        yield Desk(ground, clock, store, tmp_path)


async def on_mongo(ground: Ground, stack: AsyncExitStack, url: str, name: str) -> Ground:
    """The same ground with its documents and blobs in MongoDB."""
    mongo = await stack.enter_async_context(Mongo.open(url, name))
    documents = MongoDocuments(mongo)
    await documents.prepare(COLLECTIONS)
    stores = Stores.over(documents, ground.relay)
    platform = replace(ground.platform, documents=documents, blobs=GridfsBlobs(mongo), stores=stores)
    return Ground(platform, ground.relay)


def settings_of(folder: Path, sink: SmtpSink) -> OmbudSettings:
    fixed: dict[str, Any] = {
        "mailboxes": {"support": MailboxSettings(address="support@sandbox.example", maildir=folder / "mail")},
        "smtp": SmtpSettings(host="127.0.0.1", port=sink.address[1], tls="none"),
        "escalation": {
            "first_response": durations(600.0),
            "resolution": durations(1200.0),
            "look_every": 0.02,
        },
        "notify": {"lead_address": LEAD, "poll_seconds": 0.05},
    }
    return OmbudSettings(**fixed)


@asynccontextmanager
async def open_for_business(ground: Ground, clock: FakeClock, settings: OmbudSettings) -> AsyncIterator[None]:
    """Consumers and tasks of all services until the `with` ends; one that fails fails the test."""
    stop, platform = asyncio.Event(), ground.platform
    patience = ConsumerSettings(first_pause=0.01, longest_pause=0.05)
    async with AsyncExitStack() as stack:
        services: list[Service] = [await builder(name)(platform, settings, stack) for name in RUNNING]
        readers = {reader.group: reader for service in services for reader in service.readers}
        # On a clock of the machine: what a consumer does by the clock it does by the monotonic one, which no
        # jump moves, and the test's stands still while something is waited for.
        work = [
            Consumer(reader, platform.bus, SystemClock(), patience, "one").run(stop)
            for reader in readers.values()
        ]
        work += [task(stop) for service in services for task in service.tasks.values()]
        running = [asyncio.create_task(one) for one in work]
        try:
            yield
            assert not [task for task in running if task.done()], "something ended by itself"
        finally:
            stop.set()
            while not all(task.done() for task in running):
                await clock.advance(1.0)
                await asyncio.sleep(0.01)
        await asyncio.gather(*running)


async def test_each_deadline_has_one_outcome_however_the_clock_is_set(desk: Desk) -> None:
    chance = random.Random(seed_of())
    tokens: list[str] = []
    for step in range(JUMPS):
        tokens += [f"clock-{step}-{number}" for number in range(MAILS)]
        for token in tokens[-MAILS:]:
            desk.deliver(token)
        # Forth and back at least once each; which of them comes in the midst of what is the seed's.
        hours = (1, -1)[step] if step < 2 else chance.choice((-1, 1))
        await desk.pass_time(chance.choice((5, 60, 300, 700)))
        desk.clock.jump(desk.clock.now() + timedelta(hours=hours))
    desk.clock.jump(desk.clock.now() + timedelta(hours=JUMPS))
    await desk.all_fired(len(tokens))
    await desk.pass_time(1300)
    run = await desk.all_fired(len(tokens))

    run.outage = (2 * JUMPS + 4) * HOUR  # deadlines begin with the mail's own time, which no jump moves
    assert not list(i9_each_timer_has_one_outcome_in_time(run))
    assert Counter(timer.state for timer in run.timers) == {"breached": 2 * len(tokens)}
    assert not list(i4_no_letter_goes_twice(run))
    await told_once(desk, run)
    assert len(run.tickets) == len(run.kept) == len(tokens)


async def told_once(desk: Desk, run: Evidence) -> None:
    """Each missed deadline is one event, and one letter to the lead."""
    events = Counter(
        (event.ticket_id, getattr(event, "target", ""))
        for event in {event.id: event for event in await desk.ground.events()}.values()
        if event.type == "ombud.ticket.sla_breached.v1"
    )
    assert events == {(timer.ticket, timer.target): 1 for timer in run.timers}

    async def written() -> bool:
        found = await asyncio.to_thread(desk.evidence)
        return sum(letter.kind == "sla_breached" for letter in found.letters) == len(run.timers)

    await eventually(written, awaited="a letter for each missed deadline", within=30)
