"""Events, letters and settings as the tests of notify need them, and a process's half of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

from services.notify.delivery import Deliverer
from services.notify.rates import Rates
from services.notify.settings import NotifySettings, RetrySettings
from services.notify.smtp_mailer import SmtpMailer
from shared.adapters.system_clock import SystemClock
from shared.domain.events import Facts, TicketOpened
from shared.domain.letters import Letter
from shared.domain.ticket import Contact
from shared.ports.clock import Clock
from shared.runtime.settings import MailboxSettings, SmtpSettings
from shared.stores.stores import Stores

SECRET = b"a secret of these tests"

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SUPPORT = "support@example.org"
MAILBOXES = {
    "main": MailboxSettings(address=SUPPORT, name="Example Support"),
    "berlin": MailboxSettings(address="hilfe@example.org", name="Hilfe", language="de"),
}
QUICK = NotifySettings(
    connections=4,
    poll_seconds=0.02,
    connect_seconds=2.0,
    answer_seconds=0.5,
    accept_seconds=0.5,
    stop_seconds=3.0,
    retry=RetrySettings(first_pause=0.05, longest_pause=0.2, greylist_pause=0.05),
    undo_seconds=0.0,
)
"""Everything as in a real process, only sooner."""


def facts(**changed: Any) -> Facts:
    return Facts(**{"status": "new", "priority": "medium", **changed})


def opened(**changed: Any) -> TicketOpened:
    """An ordinary first mail of a customer."""
    fields = {
        "ticket_id": "tkt_0000000001",
        "version": 1,
        "actor": "customer:ada@customer.example",
        "occurred_at": NOW,
        "facts": facts(),
        "number": 10_042,
        "mailbox": "main",
        "channel": "mail",
        "subject": "The printer is on fire",
        "customer": "ada@customer.example",
        "customer_name": "Ada",
        "message_id": "msg_1",
        "may_auto_respond": True,
    }
    return TicketOpened(**{**fields, **changed})


def letter(name: str = "1", *, at: datetime | None = None, **changed: Any) -> Letter:
    """A letter that is due; `name` makes its id."""
    at = at or datetime.now(UTC)
    fields = {
        "id": f"let_{name}",
        "version": 1,
        "ticket_id": "tkt_0000000001",
        "kind": "reply",
        "automatic": False,
        "to": Contact(address="ada@customer.example", name="Ada"),
        "sender": Contact(address=SUPPORT, name="Example Support"),
        "subject": "Re: The printer is on fire [#10042]",
        "text": "Have you tried water?",
        "html": "<p>Have you tried water?</p>",
        "message_id": f"let_{name}@example.org",
        "created_at": at,
        "wake_at": at,
    }
    return Letter(**{**fields, **changed})


def automatic(name: str = "1", **changed: Any) -> Letter:
    """A letter that must go out at most once."""
    return letter(name, **{"automatic": True, "kind": "acknowledgement", **changed})


def relay_at(address: tuple[str, int], **changed: Any) -> SmtpSettings:
    """The settings of a relay without TLS."""
    host, port = address
    return SmtpSettings(**{"host": host, "port": port, "tls": "none", **changed})


@asynccontextmanager
async def mailer_to(
    address: tuple[str, int], settings: NotifySettings = QUICK, **changed: Any
) -> AsyncIterator[SmtpMailer]:
    """A mailer to the relay there, closed at the end."""
    mailer = SmtpMailer(relay_at(address, **changed), settings, "client.example.org")
    try:
        yield mailer
    finally:
        await mailer.close()


@asynccontextmanager
async def delivering(
    stores: Stores,
    address: tuple[str, int],
    settings: NotifySettings = QUICK,
    clock: Clock | None = None,
) -> AsyncIterator[Deliverer]:
    """A process's delivery, running; stopped in good order at the end."""
    async with mailer_to(address, settings) as mailer:
        rates = Rates(stores.documents, settings)
        deliverer = Deliverer(stores.letters, mailer, clock or SystemClock(), settings, SECRET, rates)
        stop = asyncio.Event()
        running = asyncio.create_task(deliverer.run(stop))
        try:
            yield deliverer
        finally:
            stop.set()
            await running


@asynccontextmanager
async def dying(
    stores: Stores, address: tuple[str, int], settings: NotifySettings = QUICK
) -> AsyncIterator[Deliverer]:
    """The same, but at the end it is killed in the middle of whatever it does, as far as one loop can be."""
    async with mailer_to(address, settings) as mailer:
        deliverer = Deliverer(stores.letters, mailer, SystemClock(), settings, SECRET)
        running = asyncio.create_task(deliverer.run(asyncio.Event()))
        try:
            yield deliverer
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
