"""Which ticket a mail joins, in whatever order a thread comes, and who may join one."""

import asyncio
import random
from datetime import timedelta

import pytest

from services.ingest.settings import IngestSettings
from shared.domain.cause import Cause
from shared.domain.events import CustomerReplied, ParticipantWrote, TicketOpened
from shared.domain.ids import thread_id_for
from shared.domain.status import Status
from shared.domain.ticket import Participant
from shared.runtime.service import Platform
from shared.stores.collections import ThreadId
from tests.unit.ingest.desk import STRANGER, Helpdesk, cause, events_of
from tests.unit.ingest.mails import RECEIVED, answer, fetched, mail


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
