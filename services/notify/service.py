"""Notify as a process runs it: one group on the tickets' topic, one task that delivers."""

import asyncio
import socket
from contextlib import AsyncExitStack
from typing import Any

import structlog

from services.notify.brake import Brake
from services.notify.composer import Composer
from services.notify.delivery import Deliverer
from services.notify.handlers import NotifyHandlers
from services.notify.rates import Rates
from services.notify.rendering import Templates
from services.notify.settings import NotifySettings
from services.notify.smtp_mailer import SmtpMailer
from shared.domain.events import TICKETS_TOPIC
from shared.runtime.service import Platform, Service, reader_of

log = structlog.get_logger()


async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    """Bind handlers and delivery to the relay of the settings. Raises `Refused` for broken templates."""
    own: NotifySettings = settings.notify
    stores = platform.stores
    mailer = SmtpMailer(settings.smtp, own, own.hello or await asyncio.to_thread(_own_name))
    stack.push_async_callback(mailer.close)
    deliverer = Deliverer(
        stores.letters, mailer, platform.clock, own, platform.secret, Rates(platform.documents, own)
    )
    handlers = NotifyHandlers(
        stores,
        platform.clock,
        Composer(Templates(own.templates), settings.mailboxes, platform.secret),
        Brake(platform.documents, own),
        deliverer,
        ours=[mailbox.address for mailbox in settings.mailboxes.values()],
        lead_address=own.lead_address,
    )
    if not own.lead_address:
        log.warning("notify.no_lead", meaning="nobody is written to when a deadline is missed")
    return Service(
        "notify",
        readers=[reader_of(TICKETS_TOPIC, "notify", handlers.routes())],
        tasks={"delivery": deliverer.run},
        pings={"smtp": deliverer.ping},
    )


def _own_name() -> str:
    """This machine's name as EHLO wants it: fully qualified, else an address (RFC 5321 §4.1.4)."""
    name = socket.getfqdn()
    return name if "." in name and name.isascii() and name.isprintable() else "[127.0.0.1]"
