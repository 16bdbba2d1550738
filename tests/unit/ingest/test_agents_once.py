"""An agent's mail again, cut off anywhere, or from two mailboxes: its commands are done once or never."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from services.ingest.agent_orders import REFUSED
from shared.domain.events import AgentReplied, CommandRefused, NoteAdded
from shared.domain.ledger import LedgerEntry
from shared.domain.messages import Direction
from shared.domain.status import Status
from shared.domain.ticket import Ticket
from shared.runtime.service import Platform
from shared.stores.users import set_enabled
from tests.unit.ingest.agents_desk import AgentsDesk, moved, told
from tests.unit.ingest.desk import cause
from tests.unit.ingest.mails import fetched

ORDER = "#assign me\r\n#status resolved\r\n#reply\r\nTry water.\r\n"
REFUSABLE = "#status done\r\n#reply\r\nTry water.\r\n"


@pytest.fixture
def desk(platform: Platform) -> AgentsDesk:
    return AgentsDesk(platform)


async def put_back(desk: AgentsDesk, ticket: Ticket) -> None:
    """The ticket as it was: what a process killed before it had not saved."""
    await desk.stores.tickets.collection.delete(ticket.id)
    await desk.stores.tickets.collection.insert(ticket)


def told_of(ticket: Ticket, *kinds: type) -> int:
    return sum(isinstance(one, kinds) for one in told(ticket))


@pytest.mark.parametrize("text", [ORDER, REFUSABLE, "#status closed\r\n", "#note\r\nHm.\r\n"])
async def test_an_agents_mail_handled_again_changes_nothing(desk: AgentsDesk, text: str) -> None:
    """Also when its ledger entry is not there yet, and when the state has moved on since."""
    await desk.user()
    first = await desk.ticket()
    event = fetched(desk.answer(first, text), uid=2)
    await desk.handle(event)
    await desk.change(first, lambda ticket: ticket.set_priority(ticket.priority, cause("touch")))
    tickets, messages, _ = await desk.all()
    for _ in range(3):
        await desk.stores.ledger.collection.delete(event.entry)
        await desk.handle(event)

    assert (await desk.all())[:2] == (tickets, messages)


async def test_a_command_that_had_nothing_to_do_has_nothing_to_do_at_the_next_try_either(
    desk: AgentsDesk,
) -> None:
    user, first = await desk.user(), await desk.ticket()
    await desk.change(first, lambda ticket: ticket.assign(user.id, None, cause("bob")))
    event = fetched(desk.answer(first, "#assign me\r\n#status new\r\n"), uid=2)
    await desk.handle(event)
    await desk.stores.ledger.collection.delete(event.entry)
    await desk.change(first, lambda ticket: ticket.assign("carol", None, cause("carol")))
    await desk.handle(event)

    assert (await desk.ticket_of(first)).assignee == "carol"


@pytest.mark.parametrize("text", [ORDER, REFUSABLE])
@pytest.mark.parametrize("lost", [["ledger"], ["ledger", "ticket"], ["ledger", "ticket", "message"]])
async def test_a_mail_cut_off_between_two_steps_is_finished_by_the_next_try(
    desk: AgentsDesk, text: str, lost: list[str]
) -> None:
    await desk.user()
    first = await desk.ticket()
    before = await desk.ticket_of(first)
    event = fetched(desk.answer(first, text), uid=2)
    await desk.handle(event)
    entry = await desk.stores.ledger.get(event.entry)
    whole = (await desk.ticket_of(first), await desk.message_of(entry))
    await desk.stores.ledger.collection.delete(event.entry)
    if "ticket" in lost:
        await put_back(desk, before)
    if "message" in lost:
        await desk.stores.messages.collection.delete(str(entry.document_id))
    await desk.handle(event)

    assert (await desk.ticket_of(first), await desk.message_of(entry)) == whole
    assert told_of(whole[0], AgentReplied, CommandRefused) == 1


async def test_a_reply_that_the_state_forbids_by_the_time_of_the_next_try_is_a_note_and_not_sent(
    desk: AgentsDesk,
) -> None:
    """Its message was stored, then the process died, then somebody closed the ticket."""
    await desk.user()
    first = await desk.ticket()
    before = await desk.ticket_of(first)
    event = fetched(desk.answer(first, "#reply\r\nTry water.\r\n"), uid=2)
    entry = await killed_after_its_message(desk, event, before)
    assert (await desk.message_of(entry)).direction is Direction.OUTBOUND
    await desk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, cause("close")))
    for _ in range(2):
        await desk.handle(event)
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)

    assert (message.direction, message.kind, ticket.status) == (Direction.NOTE, REFUSED, Status.CLOSED)
    assert "#reply" in message.text
    assert (told_of(ticket, AgentReplied), told_of(ticket, CommandRefused)) == (0, 1)


async def test_what_was_refused_stays_refused_though_the_state_would_allow_it_by_the_next_try(
    desk: AgentsDesk,
) -> None:
    """Its message is a note: a reply made of it would send the whole mail."""
    await desk.user()
    first = await desk.ticket()
    await desk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, cause("close")))
    event = fetched(desk.answer(first, "#reply\r\nTry water.\r\n"), uid=2)
    entry = await killed_after_its_message(desk, event, await desk.ticket_of(first))
    await desk.change(first, lambda ticket: ticket.change_status(Status.OPEN, cause("open")))
    await desk.handle(event)
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)

    assert (message.direction, message.kind, ticket.status) == (Direction.NOTE, REFUSED, Status.OPEN)
    assert (told_of(ticket, AgentReplied), told_of(ticket, CommandRefused)) == (0, 1)
    assert any("a ticket that is closed cannot become waiting" in one for one in message.reasons)


async def test_a_mail_of_a_user_who_was_disabled_before_the_next_try_is_refused(desk: AgentsDesk) -> None:
    user, first = await desk.user(), await desk.ticket()
    before = await desk.ticket_of(first)
    event = fetched(desk.answer(first, ORDER), uid=2)
    entry = await killed_after_its_message(desk, event, before)
    await set_enabled(desk.stores, user.id, False, before.opened_at)
    await desk.handle(event)
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)

    assert (message.direction, message.kind) == (Direction.NOTE, REFUSED)
    assert moved(ticket) == moved(before)
    assert told_of(ticket, CommandRefused) == 1


async def killed_after_its_message(desk: AgentsDesk, event: Any, before: Ticket) -> LedgerEntry:
    """Handle the mail, and take back what comes after its message; the entry is what the ledger had."""
    await desk.handle(event)
    entry = await desk.stores.ledger.get(event.entry)
    await desk.stores.ledger.collection.delete(event.entry)
    await put_back(desk, before)
    return entry


@pytest.mark.parametrize("text", [ORDER, REFUSABLE])
async def test_the_same_mail_handled_many_times_at_once_is_one_deed(desk: AgentsDesk, text: str) -> None:
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, text)
    await asyncio.gather(*(desk.handle(fetched(raw, uid=2)) for _ in range(8)))
    ticket, (_, messages, _) = await desk.ticket_of(first), await desk.all()

    assert told_of(ticket, AgentReplied, CommandRefused) == 1
    assert len(messages) == 2


async def test_a_mail_to_two_mailboxes_that_both_know_the_sender_is_one_deed(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, ORDER)
    second = b"Delivered-To: support@example.com\r\n" + raw
    await asyncio.gather(desk.handle(fetched(raw, 2)), desk.handle(fetched(second, 3)))
    ticket, (_, messages, entries) = await desk.ticket_of(first), await desk.all()

    assert told_of(ticket, AgentReplied) == 1
    assert (len(messages), len(entries)) == (2, 3)


@pytest.mark.parametrize("boxes", [("support", "sales"), ("sales", "support"), None])
async def test_a_mail_to_a_mailbox_that_believes_nobody_as_well_is_done_once_or_shown(
    desk: AgentsDesk, boxes: tuple[str, str] | None
) -> None:
    """Whichever has it first; or both at once."""
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, "#status closed\r\n")
    copies = {"support": raw, "sales": b"Delivered-To: sales@example.com\r\n" + raw}
    if boxes is None:
        await asyncio.gather(
            *(desk.handle(fetched(copy, 2, box)) for box, copy in copies.items()),
        )
    else:
        for box in boxes:
            await desk.handle(fetched(copies[box], 2, box))
    ticket, (_, messages, _) = await desk.ticket_of(first), await desk.all()
    (message,) = (one for one in messages if one.message_id == "cmd@example.org")

    assert (ticket.status is Status.CLOSED) == (message.author == "agent")
    assert told_of(ticket, NoteAdded) == (message.author == "agent")
    if boxes is not None:
        assert message.author == ("agent" if boxes[0] == "support" else "customer")


async def test_a_mail_that_another_mailbox_had_begun_to_take_for_anybodys_commands_nothing(
    desk: AgentsDesk,
) -> None:
    """Its message is a customer's: a reply made of it would send it back to the customer."""
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, ORDER)
    begun = fetched(b"Delivered-To: sales@example.com\r\n" + raw, 2, "sales")
    await desk.handle(begun)
    await desk.stores.ledger.collection.delete(begun.entry)
    await desk.handle(fetched(raw, 3))
    ticket = await desk.ticket_of(first)

    assert (ticket.status, ticket.assignee) == (Status.NEW, None)
    assert told_of(ticket, AgentReplied, CommandRefused) == 0


async def test_cancelling_at_any_moment_and_trying_again_leaves_one_deed_a_mail(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    for pause in range(12):
        event = fetched(desk.answer(first, f"#note\r\nNumber {pause}\r\n", f"c{pause}@x"), uid=pause + 2)
        await cut_off(desk.handle(event), pause * 0.0007)
        await desk.handle(event)
    ticket, (_, messages, entries) = await desk.ticket_of(first), await desk.all()

    assert told_of(ticket, NoteAdded) == 12
    assert (len(messages), len(entries)) == (13, 13)


async def cut_off(handling: Awaitable[Any], after: float) -> None:
    task = asyncio.ensure_future(handling)
    await asyncio.wait([task], timeout=after)
    task.cancel()
    await asyncio.wait([task])
