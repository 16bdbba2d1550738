"""What triage does to tickets, once however often it is told."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.triage.handlers import TriageHandlers
from services.triage.rules_model import RulesModel
from shared.domain.cause import Cause
from shared.domain.events import TicketTriaged
from shared.domain.messages import Direction, Message
from shared.domain.priority import Priority
from shared.domain.ticket import Contact, Ticket
from shared.runtime.service import Handle, routed
from tests.fakes.clock import FakeClock
from tests.platforms import Ground, embedded


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, FakeClock()) as ground:
        yield ground


def handler(ground: Ground) -> Handle:
    platform = ground.platform
    handlers = TriageHandlers(platform.stores, RulesModel(), platform.clock, 20_000)
    return routed(handlers.routes())


async def opened(ground: Ground, text: str) -> str:
    platform = ground.platform
    at = platform.clock.now()
    await platform.stores.messages.add(
        Message(
            id="msg_1", ticket_id="tkt_1", direction=Direction.INBOUND, author="customer", text=text, at=at
        )
    )
    ticket = Ticket.open(
        "tkt_1",
        10_001,
        mailbox="support",
        subject="Question",
        channel="mail",
        customer=Contact(address="eve@example.org"),
        message_id="msg_1",
        may_auto_respond=True,
        cause=Cause("ingest:msg_1", "customer:eve", at, "corr", "00-trace"),
    )
    await platform.stores.tickets.add(ticket)
    return ticket.id


async def test_a_new_ticket_is_classified_by_its_first_message(ground: Ground) -> None:
    ticket_id = await opened(ground, "Production outage, urgent!")
    await ground.feed(handler(ground))
    ticket = await ground.platform.stores.tickets.get(ticket_id)

    assert (ticket.triage_state, ticket.priority) == ("done", Priority.CRITICAL)
    triaged = [event for event in await ground.events() if isinstance(event, TicketTriaged)]
    assert [event.priority_before for event in triaged] == ["medium"]
    assert triaged[0].correlation_id == "corr"


async def test_hearing_of_a_ticket_again_changes_nothing(ground: Ground) -> None:
    ticket_id = await opened(ground, "Production outage, urgent!")
    for _ in range(3):
        await ground.feed(handler(ground))
    ticket = await ground.platform.stores.tickets.get(ticket_id)

    assert ticket.version == 2
    assert len(await ground.records()) == 2


async def test_a_triage_stored_before_a_crash_is_put_on_the_ticket_after_it(ground: Ground) -> None:
    ticket_id = await opened(ground, "Production outage, urgent!")
    await ground.feed(handler(ground))
    stores = ground.platform.stores
    triage = (await stores.triages.find({"ticket_id": ticket_id})).items[0]
    await stores.tickets.collection.delete(ticket_id)
    await opened(ground, "words that the repeat must not read anew")
    await ground.feed(handler(ground))
    ticket = await stores.tickets.get(ticket_id)

    assert ticket.triage_id == triage.id
    assert ticket.priority is Priority.CRITICAL
