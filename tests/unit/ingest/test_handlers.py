"""Intake: what a mail becomes, and what is set aside or passed over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.ingest.settings import IngestSettings, Limits
from services.ingest.taken import UNKNOWN_SENDER
from shared.domain.errors import Unreadable
from shared.domain.events import AutomaticMailNoted, TicketOpened
from shared.domain.ledger import Outcome
from shared.domain.loop_mark import HEADER, loop_mark
from shared.domain.mail_fetched import MailFetched
from shared.domain.status import Status
from shared.runtime.service import Platform
from tests.unit.ingest.desk import Helpdesk, cause, events_of
from tests.unit.ingest.mails import RECEIVED, SUPPORT, fetched, mail, record


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


async def test_two_different_mails_with_one_message_id_stay_two(helpdesk: Helpdesk) -> None:
    await helpdesk.take(mail("same@x", body="One"))
    await helpdesk.take(mail("same@x", body="Two"))
    tickets, messages, _ = await helpdesk.all()

    assert (len(tickets), len(messages)) == (2, 2)


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


@pytest.mark.parametrize(("days", "answered"), [(2.9, True), (3.1, False)])
async def test_mail_that_lay_there_for_days_opens_a_ticket_of_today_that_nothing_answers(
    helpdesk: Helpdesk, days: float, answered: bool
) -> None:
    later = RECEIVED + timedelta(days=days)
    event = replace(fetched(mail()), fetched_at=later)
    await helpdesk.handle(event)
    (ticket,), _, _ = await helpdesk.all()

    assert ('"may_auto_respond":true' in ticket.outbox[0].data) is answered
    assert ticket.opened_at == (RECEIVED if answered else later)


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
