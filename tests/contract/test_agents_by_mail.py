"""Agents by mail on every store: two processes take one mail in at once, and its commands are done once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.system_clock import SystemClock
from shared.domain.documents import Document
from shared.domain.events import AgentReplied, CommandRefused, TicketAssigned
from shared.domain.messages import Direction
from shared.domain.status import Status
from shared.ports.documents import Collection
from shared.runtime.service import Platform
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.contract.conftest import Store as Adapter
from tests.unit.ingest.agents_desk import AgentsDesk, told
from tests.unit.ingest.mails import fetched


class NoPublisher:
    """Leaves events in the outboxes, to be looked at."""

    def offer(self, collection: Collection[Any], document: Document) -> None:
        """See `Publisher`."""


@pytest.fixture
async def desks(store: Adapter, tmp_path: Path) -> AsyncIterator[list[AgentsDesk]]:
    """Two processes' helpdesks on one store; intake publishes nothing itself, so the bus is any."""
    async with AsyncExitStack() as stack:
        bus = SqliteBus(await stack.enter_async_context(SqliteFile.open(tmp_path / "bus.sqlite")))
        made = []
        for name in ("first", "second"):
            documents, blobs = await store.documents(), await store.blobs()
            await documents.prepare(COLLECTIONS)
            stores = Stores.over(documents, NoPublisher())
            platform = Platform(SystemClock(), bus, documents, blobs, stores, name, secret=b"s" * 32)
            made.append(AgentsDesk(platform))
        yield made


async def test_a_mail_that_two_processes_take_in_at_once_is_carried_out_once(desks: list[AgentsDesk]) -> None:
    first_desk, second_desk = desks
    user, first = await first_desk.user(), await first_desk.ticket()
    for number in range(5):
        raw = first_desk.answer(first, f"#assign me\r\n#reply\r\nNumber {number}\r\n", f"c{number}@x")
        event = fetched(raw, uid=number + 2)
        await asyncio.gather(*(desk.handle(event) for desk in desks), first_desk.handle(event))
        await second_desk.stores.ledger.collection.delete(event.entry)
        await second_desk.handle(event)
    ticket = await second_desk.ticket_of(first)
    _, messages, _ = await first_desk.all()
    sent = [one.text for one in messages if one.direction is Direction.OUTBOUND]

    assert sorted(sent) == [f"Number {number}" for number in range(5)]
    assert [type(one) for one in told(ticket)][1:] == [TicketAssigned, *[AgentReplied] * 5]
    assert (ticket.assignee, ticket.status) == (user.id, Status.WAITING)


async def test_a_mail_that_two_processes_refuse_at_once_is_refused_once(desks: list[AgentsDesk]) -> None:
    user, first = await desks[0].user(), await desks[0].ticket()
    event = fetched(desks[0].answer(first, "#assign me\r\n#snooze 2020-01-01\r\n"), uid=2)
    await asyncio.gather(*(desk.handle(event) for desk in desks))
    ticket = await desks[1].ticket_of(first)

    assert [type(one) for one in told(ticket)][1:] == [CommandRefused]
    assert ticket.assignee is None
    assert user.enabled
