"""The replay test: every topic read again from its start changes no document and sends no letter.

All five services' handlers stand on one platform; a pump gives each reader what it has not had yet, until
nothing moves. Then everything is given to everybody once more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.api.overview import read_overview
from services.cli.serve import VERBS, builder
from services.sandbox.samples import samples
from services.sandbox.smtp_sink import SmtpSink
from services.settings import OmbudSettings
from shared.domain.cause import Cause
from shared.domain.ids import digest
from shared.domain.mail_fetched import MailFetched, thread_key, trace_of
from shared.domain.priority import Priority
from shared.domain.status import Status
from shared.ports.bus import Message
from shared.runtime.service import Reader, Service
from shared.runtime.settings import MailboxSettings, SmtpSettings
from shared.stores.collections import COLLECTIONS
from shared.stores.users import add_user
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.platforms import Ground, embedded

ADDRESS = "support@sandbox.example"


class House:
    """All services on one platform, moved by hand."""

    def __init__(self, ground: Ground, services: list[Service], sink: SmtpSink) -> None:
        self.ground = ground
        self.sink = sink
        self.readers = [reader for service in services for reader in service.readers]
        self._had: dict[str, int] = {}

    async def pump(self) -> None:
        """Give every reader what it has not had yet, until nothing is new."""
        moved = True
        while moved:
            moved = any([await self._give(reader) for reader in self.readers])

    async def replay(self) -> int:
        """Give every reader everything again; return how many records that were."""
        given = 0
        for reader in self.readers:
            given += await self.ground.feed(reader.handle, reader.topic)
        await self.ground.settled()
        return given

    async def _give(self, reader: Reader) -> bool:
        records = await self.ground.records(reader.topic)
        fresh = records[self._had.get(reader.group, 0) :]
        for record in fresh:
            await reader.handle(record)
        self._had[reader.group] = len(records)
        return bool(fresh)

    async def documents(self) -> dict[str, list[dict[str, Any]]]:
        """Every document there is, by collection."""
        await self.ground.settled()
        found = {}
        for spec in COLLECTIONS:
            page = await self.ground.platform.documents.collection(spec).find({}, limit=10_000)
            found[spec.name] = [document.model_dump() for document in page.items]
        overview = await read_overview(self.ground.platform.stores)
        return found | {"overview": [dict(overview)]}

    async def letters_settled(self) -> None:
        """Wait until no letter is on its way."""

        async def none_waits() -> bool:
            page = await self.ground.platform.stores.letters.find({}, limit=10_000)
            return all(letter.wake_at is None for letter in page.items)

        await eventually(none_waits)
        await self.ground.settled()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock()
    async with (
        embedded(tmp_path, clock) as ground,
        SmtpSink("127.0.0.1", 0, tmp_path / "outbox") as sink,
        AsyncExitStack() as stack,
    ):
        settings = OmbudSettings(
            mailboxes={
                "support": MailboxSettings(
                    address=ADDRESS, maildir=tmp_path / "maildir", authserv_id="mx.sandbox.example"
                )
            },
            smtp=SmtpSettings(host="127.0.0.1", port=sink.address[1], tls="none"),
        )
        services = [await builder(name)(ground.platform, settings, stack) for name in VERBS]
        stop = asyncio.Event()
        delivery = next(service for service in services if service.name == "notify").tasks["delivery"]
        delivering = asyncio.create_task(delivery(stop))
        try:
            yield House(ground, services, sink)
        finally:
            stop.set()
            await clock.advance(60)
            await delivering


async def arrive(house: House, uid: int, raw: bytes) -> None:
    now = house.ground.platform.clock.now()
    name = digest(raw)
    fetched = MailFetched("support", 1, uid, name, now, now, trace_of(name), raw)
    message = Message("ombud.mail.v1", thread_key(raw, name), raw, fetched.headers())
    await house.ground.platform.bus.publish([message])


async def test_every_topic_read_again_from_its_start_changes_no_document_and_sends_no_letter(
    house: House,
) -> None:
    for uid, (_, raw) in enumerate(samples(), start=1):
        await arrive(house, uid, raw)
    await house.pump()
    tickets = house.ground.platform.stores.tickets
    at = house.ground.platform.clock.now()
    first, second, *_ = [ticket.id for ticket in (await tickets.find({})).items]
    await tickets.change(first, lambda t: t.set_priority(Priority.CRITICAL, Cause("api:1", "user:ada", at)))
    await tickets.change(second, lambda t: t.change_status(Status.RESOLVED, Cause("api:2", "user:ada", at)))
    await house.pump()
    await house.letters_settled()
    await house.pump()

    assert len(house.sink.letters()) == 5
    assert await replay_changes_nothing(house) > 50


async def replay_changes_nothing(house: House) -> int:
    """Read every topic again, compare all documents and letters, and return how many records were read."""
    before, sent = await house.documents(), len(house.sink.letters())
    given = await house.replay()
    await house.letters_settled()
    after = await house.documents()

    assert before.keys() == after.keys()
    for name in before:
        assert before[name] == after[name], f"{name} changed"
    assert len(house.sink.letters()) == sent
    return given


async def test_what_agents_are_told_and_command_by_mail_comes_once_when_all_is_read_again(
    house: House,
) -> None:
    (_, raw), *_ = samples()
    await arrive(house, 1, raw)
    await house.pump()
    stores, at = house.ground.platform.stores, house.ground.platform.clock.now()
    bob = await add_user(stores, "Bob", ["bob@agents.example"], [ADDRESS], at)
    (ticket,) = (await stores.tickets.find({})).items
    await stores.tickets.change(ticket.id, lambda t: t.assign(bob.id, None, Cause("api:1", "user:ada", at)))
    await house.pump()
    await house.letters_settled()
    told = next(one for one in (await stores.letters.find({})).items if one.kind == "assigned")
    for uid, text in enumerate(("#snooze 2d", "#close", "#assign nobody\r\n#note\r\nNot mine."), start=2):
        await arrive(house, uid, answer_of_bob(told.message_id, uid, text))
    await house.pump()
    await house.letters_settled()
    await house.pump()
    (ticket,) = (await stores.tickets.find({})).items

    assert (ticket.status, ticket.assignee) == (Status.ON_HOLD, None)
    assert len(house.sink.letters()) == 3, "acknowledgement, assignment, and one mail given back"
    await replay_changes_nothing(house)


def answer_of_bob(letter: str, uid: int, text: str) -> bytes:
    return (
        "Authentication-Results: mx.sandbox.example; dmarc=pass header.from=agents.example\r\n"
        f"From: bob@agents.example\r\nTo: {ADDRESS}\r\nSubject: Re: yours\r\n"
        "Date: Fri, 20 Nov 2026 12:00:00 +0000\r\n"
        f"Message-ID: <{uid}@agents.example>\r\nIn-Reply-To: <{letter}>\r\n\r\n{text}\r\n"
    ).encode()


async def test_a_mail_that_is_fetched_twice_is_one_message_on_one_ticket(house: House) -> None:
    (_, raw), *_ = samples()
    for _ in range(3):
        await arrive(house, 1, raw)
    await arrive(house, 2, raw)
    await house.pump()
    found = await house.documents()

    assert len(found["tickets"]) == len(found["messages"]) == 1
    assert len(found["ledger"]) == 2
