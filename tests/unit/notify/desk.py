"""Tickets that things happen to, and notify's handlers that hear of it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from services.notify.brake import Brake
from services.notify.commands import list_letters
from services.notify.composer import Composer
from services.notify.delivery import Deliverer
from services.notify.handlers import NotifyHandlers
from services.notify.rendering import Templates
from services.notify.settings import NotifySettings
from services.notify.smtp_mailer import SmtpMailer
from shared.domain.cause import Cause
from shared.domain.events import parse_event
from shared.domain.letters import Letter, LetterState
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.domain.ticket import Contact, Ticket
from shared.runtime.settings import MailboxSettings
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import MAILBOXES, NOW, QUICK, SECRET, opened, relay_at

LEAD = "lead@example.org"


TEMPLATES = Templates()


def handlers_on(
    stores: Stores,
    clock: FakeClock | None = None,
    settings: NotifySettings = QUICK,
    lead: str = LEAD,
    mailboxes: Mapping[str, MailboxSettings] = MAILBOXES,
) -> NotifyHandlers:
    """The handlers over a delivery that does not run: letters stay as they were written."""
    clock = clock or FakeClock(NOW)
    mailer = SmtpMailer(relay_at(("", 25)), settings, "client.example.org")
    return NotifyHandlers(
        stores,
        clock,
        Composer(TEMPLATES, mailboxes, SECRET),
        Brake(stores.documents, settings),
        Deliverer(stores.letters, mailer, clock, settings, SECRET),
        ours=[mailbox.address for mailbox in MAILBOXES.values()],
        lead_address=lead,
    )


def message(doc_id: str, direction: Direction, minutes: int = 0, **changed: Any) -> Message:
    fields: dict[str, Any] = {
        "id": doc_id,
        "ticket_id": "tkt_1",
        "direction": direction,
        "author": "agent" if direction is Direction.OUTBOUND else "customer",
        "at": NOW + timedelta(minutes=minutes),
    }
    return Message(**{**fields, **changed})


async def ticket_in(stores: Stores, **changed: Any) -> Ticket:
    """A customer's ticket with its first mail."""
    first = message(
        "msg_1",
        Direction.INBOUND,
        text="Help! http://spam.example",
        message_id="q2@customer.example",
        references=["q1@customer.example"],
    )
    await stores.messages.add(first)
    fields: dict[str, Any] = {
        "mailbox": "main",
        "subject": "The printer is on fire",
        "channel": "mail",
        "customer": Contact(address="ada@customer.example", name="Ada"),
        "message_id": "msg_1",
        "may_auto_respond": True,
        "cause": Cause("ingest:1", "customer:ada@customer.example", NOW, "corr_1", "00-trace"),
    }
    ticket = Ticket.open("tkt_1", 10_042, **{**fields, **changed})
    return await stores.tickets.add(ticket)


async def replied_in(stores: Stores, text: str = "Try water.\n\nYours, Bob", **changed: Any) -> None:
    """An agent answers the ticket."""
    await stores.messages.add(message("msg_2", Direction.OUTBOUND, 5, text=text, **changed))
    cause = Cause("api:reply", "user:bob", NOW + timedelta(minutes=5), "corr_2")
    await stores.tickets.change("tkt_1", lambda ticket: ticket.agent_replied("msg_2", cause))


async def breached_in(stores: Stores) -> None:
    cause = Cause("escalation:1", "service:escalation", NOW + timedelta(hours=1))
    await stores.tickets.change(
        "tkt_1", lambda ticket: ticket.breach("resolution", NOW + timedelta(minutes=30), "standard", cause)
    )


async def tell(handlers: NotifyHandlers, published: Published) -> None:
    """Give the handlers every event there is, from the start."""
    known = handlers.routes()
    for envelope in published.envelopes:
        event = parse_event(envelope.type, envelope.data)
        if event is not None and type(event) in known:
            await known[type(event)](Received(event, envelope.traceparent))


async def all_letters(stores: Stores) -> list[Letter]:
    return (await list_letters(stores)).items


async def only_letter(stores: Stores) -> Letter:
    (found,) = await all_letters(stores)
    return found


async def acknowledge(handlers: NotifyHandlers, number: int, at: datetime = NOW, **changed: Any) -> None:
    event = opened(ticket_id=f"tkt_{number}", number=number, occurred_at=at, **changed)
    await handlers.acknowledge(Received(event))


async def states(stores: Stores) -> dict[LetterState, int]:
    found: dict[LetterState, int] = {}
    for one in (await list_letters(stores, limit=500)).items:
        found[one.state] = found.get(one.state, 0) + 1
    return found
