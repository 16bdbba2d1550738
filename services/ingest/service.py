"""Ingest as a process runs it: a collector for each folder of a mailbox, and intake."""

from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from services.ingest.authentication import policy_of
from services.ingest.collect import Collector
from services.ingest.handlers import Intake
from services.ingest.mailboxes import open_mailbox, place_of, tokens_of
from services.ingest.parse_workers import ParseWorkers
from services.ingest.settings import IngestSettings
from shared.domain.events import MAIL_TOPIC
from shared.runtime.service import Platform, Reader, Service
from shared.runtime.settings import MailboxSettings


async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    """Bind the handlers to the configured mailboxes, a collector to each folder.

    Raises `Refused` for a mailbox that has no place, or that asks for an authentication that nobody does.
    """
    own: IngestSettings = settings.ingest
    mailboxes: dict[str, MailboxSettings] = settings.mailboxes
    policies = {name: policy_of(name, mailbox) for name, mailbox in mailboxes.items()}
    workers = ParseWorkers(own.limits, own.parse_workers)
    stack.push_async_callback(workers.close)
    addresses = [mailbox.address.lower() for mailbox in mailboxes.values()]
    intake = Intake(platform, own, addresses, policies, workers)
    collectors = {}
    for name, mailbox in mailboxes.items():
        tokens = tokens_of(name, mailbox)
        for folder in mailbox.read_folders:
            place = place_of(name, mailbox, folder)
            connect = partial(open_mailbox, name, mailbox, own, folder, tokens)
            connect()  # here, so that one without a place is refused at the start
            collectors[place.label] = Collector(platform, own, name, connect, place.folder)
    return Service(
        "ingest",
        readers=[Reader(MAIL_TOPIC, "intake", intake.handle)],
        tasks={f"mailbox {name}": collector.run for name, collector in collectors.items()},
        pings={f"mailbox {name}": collector.ping for name, collector in collectors.items()},
    )
