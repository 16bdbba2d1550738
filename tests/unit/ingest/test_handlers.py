"""Intake: mails from the bus become messages on tickets, however often and in whatever order they come."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from services.ingest.handlers import UNKNOWN_SENDER, Intake
from services.ingest.settings import IngestSettings, Limits
from shared.domain.cause import Cause
from shared.domain.errors import Conflict, Unreadable
from shared.domain.events import AutomaticMailNoted, CustomerReplied, ParticipantWrote, TicketOpened
from shared.domain.ids import thread_id_for
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.loop_mark import HEADER, loop_mark
from shared.domain.mail_fetched import MailFetched
from shared.domain.messages import Message
from shared.domain.status import Status
from shared.domain.ticket import Participant, Ticket
from shared.runtime.service import Platform
from shared.stores.collections import ThreadId
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, SUPPORT, answer, fetched, mail, record

STRANGER = "eve@example.net"


class Helpdesk:
    """Intake with what it made."""

    def __init__(self, platform: Platform, settings: IngestSettings | None = None) -> None:
        self.platform = platform
        self.stores = platform.stores
        self.intake = Intake(platform, settings or IngestSettings(), [SUPPORT])
        self._uids = iter(range(100, 10_000))

    async def take(self, raw: bytes, mailbox: str = "support") -> LedgerEntry:
        """Handle a mail and return its ledger entry."""
        event = fetched(raw, next(self._uids), mailbox)
        await self.handle(event)
        return await self.stores.ledger.get(event.entry)

    async def handle(self, event: MailFetched) -> None:
        """Handle it as the runner does: again while others save first."""
        for _ in range(8):
            try:
                return await self.intake.handle(record(event))
            except Conflict:
                continue
        raise AssertionError("others saved first eight times over")

    async def ticket_of(self, entry: LedgerEntry) -> Ticket:
        assert entry.ticket_id is not None
        return await self.stores.tickets.get(entry.ticket_id)

    async def message_of(self, entry: LedgerEntry) -> Message:
        assert entry.document_id is not None
        return await self.stores.messages.get(entry.document_id)

    async def change(self, entry: LedgerEntry, decide: Callable[[Ticket], None]) -> None:
        await self.stores.tickets.change(str(entry.ticket_id), decide)

    async def all(self) -> tuple[list[Ticket], list[Message], list[LedgerEntry]]:
        return (
            (await self.stores.tickets.find({}, limit=500)).items,
            (await self.stores.messages.find({}, limit=500)).items,
            (await self.stores.ledger.find({}, limit=500)).items,
        )


def events_of(ticket: Ticket) -> list[str]:
    return [one.type for one in ticket.outbox]


@pytest.fixture
def helpdesk(platform: Platform) -> Helpdesk:
    return Helpdesk(platform)


async def test_a_mail_becomes_a_message_on_a_ticket_with_an_entry_in_the_ledger(helpdesk: Helpdesk) -> None:
    event = fetched(mail())
    await helpdesk.handle(event)
    (ticket,), (message,), (entry,) = await helpdesk.all()

    assert (ticket.subject, ticket.customer.name, ticket.mailbox) == (
        "The printer is on fire",
        "Ada Lovelace",
        "support",
    )
    assert (ticket.opened_at, ticket.status, ticket.number) == (RECEIVED, Status.NEW, 10_001)
    assert events_of(ticket) == [TicketOpened.type]
    assert ticket.outbox[0].traceparent == event.traceparent
    assert ticket.outbox[0].correlation_id == event.entry
    assert (message.ticket_id, message.text, message.origin) == (
        ticket.id,
        "It burns.\nPlease help.",
        event.entry,
    )
    assert (entry.outcome, entry.ticket_id, entry.document_id) == (Outcome.INGESTED, ticket.id, message.id)
    assert await helpdesk.platform.blobs.read(message.raw) == mail()


async def test_a_mail_that_travels_by_reference_is_read_from_the_blobs(helpdesk: Helpdesk) -> None:
    raw = mail(body="x" * 600_000)
    await helpdesk.platform.blobs.put(raw)
    event = fetched(raw)
    by_reference = MailFetched.parse({**event.headers(), "ce_inline": "false"}, b"")
    await helpdesk.handle(by_reference)
    (_,), (message,), _ = await helpdesk.all()

    assert "the text was cut at 524288 of 600000 characters (text_chars)" in message.reasons


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
    assert len(tickets[0].outbox) == 1


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
    assert events_of(tickets[0]) == [TicketOpened.type]


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


async def test_two_different_mails_with_one_message_id_stay_two(helpdesk: Helpdesk) -> None:
    await helpdesk.take(mail("same@x", body="One"))
    await helpdesk.take(mail("same@x", body="Two"))
    tickets, messages, _ = await helpdesk.all()

    assert (len(tickets), len(messages)) == (2, 2)


async def test_a_reply_joins_the_ticket_of_the_mail_it_answers(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    reply = await helpdesk.take(answer("two@x", "one@example.org"))
    ticket = await helpdesk.ticket_of(first)

    assert reply.ticket_id == first.ticket_id
    assert ticket.status is Status.OPEN
    assert reply.reason == "matched by In-Reply-To or References <one@example.org>"


async def test_a_reply_to_a_letter_of_ours_joins_its_ticket(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    letter = ThreadId(id=thread_id_for("let@us"), ticket_id=str(first.ticket_id), carried=True)
    await helpdesk.stores.thread_ids.add(letter)

    assert (await helpdesk.take(answer("two@x", "let@us"))).ticket_id == first.ticket_id


async def test_a_mail_that_comes_after_an_answer_to_it_joins_the_answer(helpdesk: Helpdesk) -> None:
    reply = await helpdesk.take(answer("two@x", "one@example.org"))
    late = await helpdesk.take(mail())

    assert late.ticket_id == reply.ticket_id
    known = await helpdesk.stores.thread_ids.get(thread_id_for("one@example.org"))
    assert (known.carried, known.message, known.ticket_id) == (True, late.document_id, reply.ticket_id)


@pytest.mark.parametrize("seed", range(3))
async def test_fifty_mails_of_a_thread_out_of_order_and_at_once_are_one_ticket(
    helpdesk: Helpdesk, seed: int
) -> None:
    names = [f"m{number}@x" for number in range(50)]
    thread = [mail(names[0])]
    thread += [answer(names[place], *names[:place], body=f"part {place}") for place in range(1, 50)]
    events = [fetched(raw, uid) for uid, raw in enumerate(thread, start=1)]
    random.Random(seed).shuffle(events)
    await asyncio.gather(*(helpdesk.handle(one) for one in events))
    tickets, messages, entries = await helpdesk.all()

    assert (len(tickets), len(messages), len(entries)) == (1, 50, 50)
    assert sorted(events_of(tickets[0])) == [CustomerReplied.type] * 49 + [TicketOpened.type]


async def test_a_stranger_who_quotes_an_id_leaves_the_ticket_as_it_was(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    before = await helpdesk.ticket_of(first)
    forged = await helpdesk.take(answer("evil@x", "one@example.org", sender=STRANGER, subject="Re: [#10001]"))

    assert await helpdesk.ticket_of(first) == before
    assert forged.ticket_id != first.ticket_id
    assert (await helpdesk.ticket_of(forged)).claims_to_belong_to == first.ticket_id
    reply = await helpdesk.take(answer("three@x", "one@example.org"))
    assert reply.ticket_id == first.ticket_id


async def test_a_stranger_s_mail_cut_off_keeps_its_link_when_tried_again(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    event = fetched(answer("evil@x", "one@example.org", sender=STRANGER), uid=2)
    await helpdesk.handle(event)
    entry = await helpdesk.stores.ledger.get(event.entry)
    for store, doc_id in (
        (helpdesk.stores.ledger, event.entry),
        (helpdesk.stores.tickets, entry.ticket_id),
        (helpdesk.stores.messages, entry.document_id),
    ):
        await store.collection.delete(str(doc_id))
    await helpdesk.handle(event)
    again = await helpdesk.ticket_of(await helpdesk.stores.ledger.get(event.entry))

    assert (again.id, again.claims_to_belong_to) == (entry.ticket_id, first.ticket_id)


async def test_who_was_written_to_on_a_ticket_joins_it_pending_and_moves_nothing(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail(headers={"Cc": "Bo <bo@example.org>"}))
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    joined = await helpdesk.take(answer("two@x", "one@example.org", sender="Bo <bo@example.org>"))
    ticket = await helpdesk.ticket_of(first)

    assert joined.ticket_id == first.ticket_id
    assert ticket.status is Status.WAITING
    assert ticket.participants == [Participant(address="bo@example.org", name="Bo", confirmed=False)]
    assert events_of(ticket)[-1] == ParticipantWrote.type


async def test_nobody_can_claim_a_customer_s_coming_mail_by_answering_it_first(helpdesk: Helpdesk) -> None:
    trap = await helpdesk.take(answer("evil@x", "one@example.org", sender=STRANGER))
    victim = await helpdesk.take(mail())

    assert victim.ticket_id != trap.ticket_id
    assert (await helpdesk.take(answer("two@x", "one@example.org"))).ticket_id == victim.ticket_id


async def test_a_number_in_the_subject_leads_the_customer_to_the_ticket(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    again = await helpdesk.take(mail("two@x", subject="About [#10001]"))

    assert again.ticket_id == first.ticket_id


async def test_a_number_in_the_subject_means_nothing_where_that_is_set(platform: Platform) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(subject_reference="off"))
    first = await helpdesk.take(mail())
    again = await helpdesk.take(mail("two@x", subject="About [#10001]"))

    assert again.ticket_id != first.ticket_id


async def test_a_reply_to_a_ticket_closed_for_long_opens_one_that_follows_it_up(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    long_ago = Cause(key="close", actor="user:a", at=RECEIVED - timedelta(days=30))
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, long_ago))
    later = await helpdesk.take(answer("two@x", "one@example.org"))

    assert later.ticket_id != first.ticket_id
    assert (await helpdesk.ticket_of(later)).follow_up_of == first.ticket_id


async def test_an_automatic_mail_is_noted_on_its_ticket_and_moves_nothing(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    headers = {"Auto-Submitted": "auto-replied", "In-Reply-To": "<one@example.org>"}
    noted = await helpdesk.take(mail("away@x", subject="Out of office", headers=headers))
    ticket = await helpdesk.ticket_of(first)

    assert (noted.ticket_id, ticket.status) == (first.ticket_id, Status.WAITING)
    assert events_of(ticket)[-1] == AutomaticMailNoted.type
    assert (await helpdesk.message_of(noted)).kind == "out_of_office"


async def test_an_automatic_mail_of_no_ticket_opens_one_that_nothing_answers(helpdesk: Helpdesk) -> None:
    entry = await helpdesk.take(mail(headers={"Auto-Submitted": "auto-generated"}))
    ticket = await helpdesk.ticket_of(entry)

    assert '"may_auto_respond":false' in ticket.outbox[0].data


@pytest.mark.parametrize(
    "raw",
    [
        mail(headers={HEADER: loop_mark(b"s" * 32, "tkt_1")}),
        mail(sender=SUPPORT),
    ],
)
async def test_a_mail_of_our_own_that_comes_back_is_ignored_with_a_reason(
    helpdesk: Helpdesk, raw: bytes
) -> None:
    entry = await helpdesk.take(raw)
    tickets, messages, _ = await helpdesk.all()

    assert (entry.outcome, tickets, messages) == (Outcome.IGNORED, [], [])
    assert "our" in entry.reason
    assert await helpdesk.platform.blobs.read(entry.digest) == raw


async def test_a_mail_that_cannot_be_read_is_quarantined_whole_and_its_neighbours_are_not(
    platform: Platform,
) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(limits=Limits(headers=10)))
    bad = mail("bad@x", headers={f"X-{number}": "x" for number in range(20)})
    events = [fetched(raw, uid) for uid, raw in enumerate([mail("a@x"), bad, mail("b@x")])]
    await asyncio.gather(*(helpdesk.handle(one) for one in events))
    entries = await helpdesk.stores.ledger.get_many([one.entry for one in events])

    assert [entries[one.entry].outcome for one in events] == ["ingested", "quarantined", "ingested"]
    assert "the limit headers=10" in entries[events[1].entry].reason
    assert await platform.blobs.read(entries[events[1].entry].digest) == bad


async def test_a_mail_of_nobody_is_a_ticket_still(helpdesk: Helpdesk) -> None:
    entry = await helpdesk.take(b"Subject: \r\n\r\nHello?")
    ticket = await helpdesk.ticket_of(entry)

    assert (ticket.customer_address, ticket.subject) == (UNKNOWN_SENDER, "(no subject)")
    assert '"may_auto_respond":false' in ticket.outbox[0].data


async def test_a_record_that_is_no_mail_is_refused(helpdesk: Helpdesk) -> None:
    event = fetched(mail())

    with pytest.raises(Unreadable):
        await helpdesk.intake.handle(record(event, {"ce_uid": "none"}))


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


def cause(key: str) -> Cause:
    return Cause(key=key, actor="user:agent", at=RECEIVED)
