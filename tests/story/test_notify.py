"""The way of a letter: from what happened on the bus to what the customer's server has taken.

Real bus, real store, real SMTP; the service as a process builds it. What was asked for arrives once, also
when everything is heard again, and also when the relay was away meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.notify.service import build
from services.notify.settings import NotifySettings, RetrySettings
from services.sandbox.smtp_sink import SmtpSink
from shared.adapters.system_clock import SystemClock
from shared.domain.cause import Cause
from shared.domain.errors import Unavailable
from shared.domain.events import LetterSent
from shared.domain.ids import thread_id_for
from shared.domain.letters import LetterState
from shared.domain.messages import Direction, Message
from shared.domain.ticket import Contact, Ticket
from shared.ports.documents import Order
from shared.runtime.consumer import Consumer
from shared.runtime.service import Service
from shared.runtime.settings import ConsumerSettings, MailboxSettings, SmtpSettings
from tests.helpers import eventually, free_port
from tests.platforms import Ground, embedded

QUICK = NotifySettings(
    lead_address="lead@example.org",
    connections=4,
    poll_seconds=0.05,
    undo_seconds=0.0,
    retry=RetrySettings(first_pause=0.1, longest_pause=0.2),
)


@asynccontextmanager
async def notify_on(ground: Ground, port: int, group: str = "notify") -> AsyncIterator[Service]:
    """The service, running on the ground's platform; stopped in good order at the end."""
    settings = SimpleNamespace(
        notify=QUICK,
        smtp=SmtpSettings(host="127.0.0.1", port=port, tls="none"),
        mailboxes={"main": MailboxSettings(address="support@example.org", name="Example Support")},
    )
    stop = asyncio.Event()
    platform = ground.platform
    async with AsyncExitStack() as stack:
        service = await build(platform, settings, stack)
        (reader,) = service.readers
        heard = type(reader)(reader.topic, group, reader.handle)
        consumer = Consumer(heard, platform.bus, platform.clock, ConsumerSettings(), platform.instance)
        running = asyncio.gather(consumer.run(stop), service.tasks["delivery"](stop))
        try:
            yield service
        finally:
            stop.set()
            await running


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, SystemClock()) as ground:
        yield ground


async def a_customer_writes(ground: Ground, number: int) -> Ticket:
    stores, now = ground.platform.stores, ground.platform.clock.now()
    ticket_id, message_id = f"tkt_{number}", f"msg_{number}"
    await stores.messages.add(
        Message(
            id=message_id,
            ticket_id=ticket_id,
            direction=Direction.INBOUND,
            author="customer",
            text="It is on fire.",
            message_id=f"q{number}@customer.example",
            at=now,
        )
    )
    ticket = Ticket.open(
        ticket_id,
        10_000 + number,
        mailbox="main",
        subject="=?utf-8?q?=0ABcc:_victim=40example.org?=\r\nBcc: victim@example.org",
        channel="mail",
        customer=Contact(address=f"person{number}@customer.example", name='P\r\nBcc: v@w.x"'),
        message_id=message_id,
        may_auto_respond=True,
        cause=Cause(f"ingest:{number}", "customer:x", now, f"corr_{number}"),
    )
    return await stores.tickets.add(ticket)


async def an_agent_answers(ground: Ground, ticket: Ticket) -> None:
    stores, now = ground.platform.stores, ground.platform.clock.now()
    doc_id = f"msg_reply_{ticket.id}"
    await stores.messages.add(
        Message(
            id=doc_id,
            ticket_id=ticket.id,
            direction=Direction.OUTBOUND,
            author="agent",
            text="Water!",
            at=now,
        )
    )
    cause = Cause(f"api:{ticket.id}", "user:bob", now)
    await stores.tickets.change(ticket.id, lambda changed: changed.agent_replied(doc_id, cause))


async def a_deadline_is_missed(ground: Ground, ticket: Ticket) -> None:
    now = ground.platform.clock.now()
    cause = Cause(f"escalation:{ticket.id}", "service:escalation", now)
    due = now - timedelta(minutes=1)
    await ground.platform.stores.tickets.change(
        ticket.id, lambda changed: changed.breach("first_response", due, "standard", cause)
    )


async def sent(ground: Ground, number: int) -> bool:
    page = await ground.platform.stores.letters.find(
        {"state": LetterState.SENT.value}, Order("created_at"), limit=500
    )
    return len(page.items) == number


def read(sink: SmtpSink) -> list[EmailMessage]:
    parser = BytesParser(policy=policy.default)
    return [parser.parsebytes(path.read_bytes()) for path in sink.letters()]


async def test_what_happened_arrives_as_letters_and_each_once_however_often_it_is_heard(
    ground: Ground, smtp_sink: SmtpSink
) -> None:
    async with notify_on(ground, smtp_sink.address[1]):
        for number in range(5):
            ticket = await a_customer_writes(ground, number)
            await an_agent_answers(ground, ticket)
        await a_deadline_is_missed(ground, ticket)
        await eventually(lambda: sent(ground, 11), within=20)

    async with notify_on(ground, smtp_sink.address[1], group="notify-again") as again:
        await ground.feed(again.readers[0].handle)
        await a_customer_writes(ground, 99)
        await eventually(lambda: sent(ground, 12), within=20)

    letters = read(smtp_sink)
    assert Counter(one["Message-ID"] for one in letters).most_common(1)[0][1] == 1
    assert Counter(one["X-Envelope-To"] for one in letters) == {
        **{f"person{number}@customer.example": 2 for number in range(5)},
        "person99@customer.example": 1,
        "lead@example.org": 1,
    }
    assert all("Bcc" not in one for one in letters)
    assert len([event for event in await ground.events() if isinstance(event, LetterSent)]) == 12


async def test_a_letter_answers_the_mail_it_is_about_and_is_known_to_threading(
    ground: Ground, smtp_sink: SmtpSink
) -> None:
    async with notify_on(ground, smtp_sink.address[1]):
        ticket = await a_customer_writes(ground, 7)
        await eventually(lambda: sent(ground, 1))

    (letter,) = read(smtp_sink)
    assert letter["Subject"] == "We have received your message [#10007]"
    assert letter["In-Reply-To"] == letter["References"] == "<q7@customer.example>"
    assert letter["Auto-Submitted"] == "auto-replied"
    assert letter["From"].addresses[0].addr_spec == "support@example.org"
    known = await ground.platform.stores.thread_ids.get(thread_id_for(letter["Message-ID"]))
    assert known.ticket_id == ticket.id


async def test_while_the_relay_is_away_letters_wait_and_then_all_go_without_a_restart(
    ground: Ground, tmp_path: Path
) -> None:
    port = free_port()
    async with notify_on(ground, port) as service:
        for number in range(20):
            await a_customer_writes(ground, number)
        await eventually(lambda: waiting(ground, 20), within=20)
        with pytest.raises(Unavailable):
            await service.pings["smtp"]()

        async with SmtpSink("127.0.0.1", port, tmp_path / "outbox") as sink:
            await eventually(lambda: sent(ground, 20), within=20)
            await service.pings["smtp"]()
            assert len(sink.letters()) == 20


async def waiting(ground: Ground, number: int) -> bool:
    page = await ground.platform.stores.letters.find({"state": LetterState.QUEUED.value}, limit=500)
    return len(page.items) == number
