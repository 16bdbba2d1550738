"""Intake of a mail again, cut off, or from many mailboxes at once: one message on one ticket."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.events import CameToMailbox, CustomerReplied, TicketOpened
from shared.domain.ledger import Outcome
from tests.unit.ingest.desk import Helpdesk, events_of
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, answer, fetched, mail


async def test_a_mail_handled_again_changes_nothing(helpdesk: Helpdesk) -> None:
    event = fetched(mail())
    await helpdesk.handle(event)
    before = await helpdesk.all()
    for _ in range(3):
        await helpdesk.handle(event)

    assert await helpdesk.all() == before


STEPS = ["ledger", "tickets", "messages"]


@pytest.mark.parametrize("lost", [STEPS[:1], STEPS[:2], STEPS, ["ledger", "messages"]])
@pytest.mark.parametrize("raw", [mail(), mail(message_id=""), answer("two@x", "unknown@x")])
async def test_a_mail_cut_off_between_two_steps_is_finished_by_the_next_try(
    helpdesk: Helpdesk, raw: bytes, lost: list[str]
) -> None:
    """What is deleted here is what a process killed before those steps had not written."""
    event = fetched(raw)
    await helpdesk.handle(event)
    (ticket,), (message,), (entry,) = await helpdesk.all()
    for name, doc_id in (("ledger", entry.id), ("tickets", ticket.id), ("messages", message.id)):
        if name in lost:
            await getattr(helpdesk.stores, name).collection.delete(doc_id)

    await helpdesk.handle(event)
    (again,), (message_again,), (entry_again,) = await helpdesk.all()

    assert (again.id, events_of(again)) == (ticket.id, [TicketOpened.type])
    assert (message_again.id, message_again.ticket_id) == (message.id, ticket.id)
    assert (entry_again.ticket_id, entry_again.outcome) == (ticket.id, Outcome.INGESTED)


async def test_a_reply_cut_off_before_its_ticket_was_told_is_told_once(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    before = await helpdesk.ticket_of(first)
    event = fetched(answer("two@x", "one@example.org"), uid=2)
    await helpdesk.handle(event)
    told = await helpdesk.ticket_of(first)
    await helpdesk.stores.ledger.collection.delete(event.entry)
    await helpdesk.handle(event)

    assert await helpdesk.ticket_of(first) == told
    assert told.version == before.version + 1
    assert events_of(told) == [TicketOpened.type, CustomerReplied.type]


async def test_the_same_mail_in_two_mailboxes_is_one_message_and_two_entries(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail(), "support")
    second = await helpdesk.take(b"Delivered-To: sales@example.com\r\n" + mail(), "sales")
    tickets, messages, entries = await helpdesk.all()

    assert (len(tickets), len(messages), len(entries)) == (1, 1, 2)
    assert (second.outcome, second.ticket_id) == (Outcome.INGESTED, first.ticket_id)
    assert second.reason == f"the same mail as {first.id}"
    assert events_of(tickets[0]) == [TicketOpened.type, CameToMailbox.type]
    assert (tickets[0].mailbox, tickets[0].also_in) == ("support", ["sales"])


@pytest.mark.parametrize("raw", [mail(), mail(message_id=""), answer("two@x", "unknown@x")])
async def test_the_same_mail_from_many_mailboxes_at_once_is_one_message(
    helpdesk: Helpdesk, raw: bytes
) -> None:
    """Each mailbox got it at another second, so each would name the ticket differently."""
    copies = [
        fetched(
            b"X-Relay: %d\r\n" % number + raw, number, f"box{number}", RECEIVED + timedelta(seconds=number)
        )
        for number in range(1, 9)
    ]
    await asyncio.gather(*(helpdesk.handle(one) for one in copies))
    tickets, messages, entries = await helpdesk.all()

    assert (len(tickets), len(messages), len(entries)) == (1, 1, 8)
    assert {one.ticket_id for one in entries} == {tickets[0].id}
    assert events_of(tickets[0]) == [TicketOpened.type] + [CameToMailbox.type] * 7
    assert {tickets[0].mailbox, *tickets[0].also_in} == {f"box{number}" for number in range(1, 9)}


async def test_a_second_mailbox_finishes_what_the_first_left_undone(helpdesk: Helpdesk) -> None:
    first = fetched(mail(), 1, "support")
    await helpdesk.handle(first)
    (ticket,), _, _ = await helpdesk.all()
    await helpdesk.stores.ledger.collection.delete(first.entry)
    await helpdesk.stores.tickets.collection.delete(ticket.id)
    await helpdesk.handle(fetched(mail(), 2, "sales", RECEIVED + timedelta(seconds=9)))
    await helpdesk.handle(first)
    (again,), (message,), entries = await helpdesk.all()

    assert again.id == ticket.id == message.ticket_id
    assert events_of(again) == [TicketOpened.type]
    assert {one.ticket_id for one in entries} == {ticket.id}


async def test_cancelling_a_mail_at_any_moment_and_trying_again_leaves_one_ticket(helpdesk: Helpdesk) -> None:
    for pause in range(12):
        event = fetched(mail(f"c{pause}@x", body=f"number {pause}"), uid=pause + 1)
        await cut_off(helpdesk.handle(event), pause * 0.0007)
        await helpdesk.handle(event)
    tickets, messages, entries = await helpdesk.all()

    assert (len(tickets), len(messages), len(entries)) == (12, 12, 12)
    assert all(events_of(ticket) == [TicketOpened.type] for ticket in tickets)
    assert {one.customer_address for one in tickets} == {CUSTOMER}


async def cut_off(handling: Awaitable[Any], after: float) -> None:
    task = asyncio.ensure_future(handling)
    await asyncio.wait([task], timeout=after)
    task.cancel()
    await asyncio.wait([task])
