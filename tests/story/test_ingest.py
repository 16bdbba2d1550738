"""The way of a mail: from a real IMAP server to its ticket.

Real server, real bus, real store; the service as a process builds it. Each mail is one message on one ticket,
also when the server dies, when the password is wrong for a while, and when the reading process changes.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import SecretStr

from services.ingest.service import build
from services.ingest.settings import IngestSettings
from services.sandbox.dovecot import Dovecot
from shared.adapters.system_clock import SystemClock
from shared.domain.errors import Unavailable
from shared.domain.events import CustomerReplied, TicketOpened
from shared.domain.ledger import LedgerEntry
from shared.domain.messages import Message
from shared.domain.ticket import Ticket
from shared.runtime.consumer import Consumer
from shared.runtime.service import Platform, Service
from shared.runtime.settings import ConsumerSettings
from tests.helpers import eventually
from tests.platforms import Ground, embedded
from tests.servers.mailbox import ImapBox, Login, settings_of

pytestmark = pytest.mark.dovecot

QUICK = IngestSettings(
    connect_seconds=2, answer_seconds=5, lease_seconds=3, retry_first=0.1, retry_longest=0.5, poll_seconds=30
)
SUPPORT = "support@example.com"


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path / "data", SystemClock()) as made:
        yield made


@pytest.fixture
def own_server(tmp_path: Path, dovecot_server: Dovecot) -> Iterator[ImapBox]:
    """A mailbox on a server of the test's own, to be killed."""
    server = Dovecot(tmp_path / "dovecot", users={})
    server.start()
    yield ImapBox.on(server)
    server.stop()


@asynccontextmanager
async def ingesting(
    platform: Platform,
    box: Login,
    password: str = "",
    own: IngestSettings = QUICK,
    **changed: object,
) -> AsyncIterator[Service]:
    """The service at work; stopped in good order at the end. `changed`: settings of the mailbox."""
    secret = SecretStr(password or box.password)
    mailbox = settings_of(box, address=SUPPORT, password=secret, **changed)
    settings = SimpleNamespace(ingest=own, mailboxes={"support": mailbox})
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        service = await build(platform, settings, stack)
        (reader,) = service.readers
        consumer = Consumer(reader, platform.bus, platform.clock, ConsumerSettings(), platform.instance)
        tasks = [asyncio.ensure_future(task(stop)) for task in (consumer.run, *service.tasks.values())]
        try:
            yield service
        finally:
            stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), 20)


class Seen:
    """What was made of the mails."""

    def __init__(self, ground: Ground) -> None:
        self._stores = ground.platform.stores

    async def tickets(self) -> list[Ticket]:
        return (await self._stores.tickets.find({}, limit=1000)).items

    async def messages(self) -> list[Message]:
        return (await self._stores.messages.find({}, limit=1000)).items

    async def ledger(self) -> list[LedgerEntry]:
        return (await self._stores.ledger.find({}, limit=1000)).items

    async def has(self, mails: int, within: float = 20.0) -> None:
        """Wait until the ledger has an entry for so many mails."""

        async def are_there() -> bool:
            return len(await self.ledger()) >= mails

        await eventually(are_there, within=within)


@pytest.fixture
def seen(ground: Ground) -> Seen:
    return Seen(ground)


def letter(name: str, answers: str = "", sender: str = "ada@example.org") -> bytes:
    """A customer's mail; its subject and text are its name."""
    thread = f"In-Reply-To: <{answers}@x>\r\nReferences: <{answers}@x>\r\n" if answers else ""
    return (
        f"From: Ada <{sender}>\r\nTo: {SUPPORT}\r\nSubject: {name}\r\nMessage-ID: <{name}@x>\r\n"
        f"{thread}\r\n{name}\r\n"
    ).encode()


def append(box: ImapBox, *mails: bytes) -> None:
    with box.client() as client:
        for mail in mails:
            client.append("INBOX", mail)


async def test_mails_put_into_the_mailbox_become_tickets_and_replies(
    ground: Ground, seen: Seen, dovecot: ImapBox
) -> None:
    append(dovecot, *(letter(f"m{number}") for number in range(30)), letter("r1", answers="m1"))
    async with ingesting(ground.platform, dovecot) as service:
        await seen.has(31)
        await service.pings["mailbox support"]()
    tickets = await seen.tickets()
    events = await ground.events()

    assert {ticket.subject for ticket in tickets} == {f"m{number}" for number in range(30)}
    assert len({ticket.number for ticket in tickets}) == 30
    assert sum(isinstance(event, TicketOpened) for event in events) == 30
    assert [event.sender for event in events if isinstance(event, CustomerReplied)] == ["ada@example.org"]
    assert len(await seen.messages()) == 31


async def test_a_mail_that_comes_while_nothing_happens_is_a_ticket_within_two_seconds(
    ground: Ground, seen: Seen, dovecot: ImapBox
) -> None:
    append(dovecot, letter("first"))
    async with ingesting(ground.platform, dovecot):
        await seen.has(1)
        for mails, name in enumerate(("second", "third"), start=2):
            append(dovecot, letter(name))
            await seen.has(mails, within=2.0)


async def test_when_the_server_dies_and_comes_back_nothing_is_lost_or_doubled(
    ground: Ground, seen: Seen, own_server: ImapBox
) -> None:
    append(own_server, *(letter(f"a{number}") for number in range(20)))
    async with ingesting(ground.platform, own_server) as service:
        await seen.has(1)
        own_server.server.kill()
        for number in range(20):
            own_server.deliver(letter(f"b{number}"))
        await eventually(lambda: is_named(service, "mailbox support does not answer"))
        own_server.server.start()
        await seen.has(40)
        await eventually(lambda: is_ready(service))
    messages = await seen.messages()

    assert sorted(message.subject for message in messages) == sorted(
        f"{series}{number}" for series in "ab" for number in range(20)
    )
    assert len(await seen.tickets()) == 40


async def test_a_wrong_password_is_named_by_readiness_and_forgotten_when_it_is_right(
    ground: Ground, seen: Seen, dovecot: ImapBox
) -> None:
    append(dovecot, letter("first"))
    async with ingesting(ground.platform, dovecot, password="the-new-one") as service:
        await eventually(lambda: is_named(service, "OMBUD_MAILBOXES__SUPPORT__PASSWORD"))
        assert await seen.ledger() == []
        dovecot.server.add_user(dovecot.user, "the-new-one")
        await seen.has(1)
        await eventually(lambda: is_ready(service))


async def test_of_two_processes_that_share_a_mailbox_one_takes_over_when_the_other_stops(
    ground: Ground, seen: Seen, dovecot: ImapBox
) -> None:
    first = replace(ground.platform, instance="first")
    second = replace(ground.platform, instance="second")
    append(dovecot, *(letter(f"a{number}") for number in range(20)))
    async with ingesting(second, dovecot) as standby:
        async with ingesting(first, dovecot):
            await seen.has(20)
            await eventually(lambda: is_ready(standby))
        append(dovecot, *(letter(f"b{number}") for number in range(20)))
        await seen.has(40)

    assert len(await seen.tickets()) == len(await seen.messages()) == len(await seen.ledger()) == 40


async def is_named(service: Service, reason: str) -> bool:
    try:
        await service.pings["mailbox support"]()
    except Unavailable as trouble:
        return reason in str(trouble)
    return False


async def is_ready(service: Service) -> bool:
    return not await is_named(service, "")
