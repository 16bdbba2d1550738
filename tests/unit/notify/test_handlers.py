"""What notify writes down when something happened, once however often it is told."""

from datetime import timedelta

import pytest

from services.notify.handlers import without_re
from services.notify.settings import BrakeSettings
from shared.domain.errors import NotFound, Permanent
from shared.domain.ids import thread_id_for
from shared.domain.letters import LetterState
from shared.domain.messages import Direction, Message
from shared.domain.ticket import Contact, Ticket
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import (
    LEAD,
    all_letters,
    breached_in,
    handlers_on,
    message,
    only_letter,
    replied_in,
    tell,
    ticket_in,
)
from tests.unit.notify.samples import NOW, QUICK, SUPPORT


async def test_a_first_mail_is_acknowledged_in_its_thread_without_a_word_of_it(
    stores: Stores, published: Published
) -> None:
    await ticket_in(
        stores, subject="BUY http://spam.example", customer=Contact(address="a@b.org", name="BUY")
    )
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic, written.state) == ("acknowledgement", True, LetterState.QUEUED)
    assert (written.to.address, written.to.name) == ("a@b.org", "")
    assert (written.sender.address, written.sender.name) == (SUPPORT, "Example Support")
    assert written.subject == "We have received your message [#10042]"
    assert (written.in_reply_to, written.references) == ("q2@customer.example", ["q1@customer.example"])
    assert (written.ticket_id, written.correlation_id, written.traceparent) == ("tkt_1", "corr_1", "00-trace")
    for part in (written.subject, written.text, written.html, written.to.name):
        assert "BUY" not in part
        assert "spam" not in part


async def test_an_acknowledgement_is_in_the_language_of_its_mailbox_when_the_mail_does_not_tell_one(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, mailbox="berlin", subject="4711")
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert written.subject == "Wir haben Ihre Nachricht erhalten [#10042]"
    assert (written.sender.address, written.language) == ("hilfe@example.org", "de")


async def test_an_acknowledgement_is_in_the_language_of_the_mail_that_it_answers(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, mailbox="berlin", subject="No tengo acceso a la factura")
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.subject, written.language) == ("Hemos recibido su mensaje [#10042]", "es")
    assert written.sender.address == "hilfe@example.org"


@pytest.mark.parametrize(("told", "expected"), [("ta", "ta"), ("it", "de"), (None, "de")])
async def test_a_reply_is_in_the_tickets_language_if_we_have_it_else_in_the_mailboxs(
    stores: Stores, published: Published, told: str | None, expected: str
) -> None:
    await ticket_in(stores, mailbox="berlin", may_auto_respond=False)

    def classified(ticket: Ticket) -> None:
        ticket.language = told
        ticket.touch()

    await stores.tickets.change("tkt_1", classified)
    await replied_in(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert written.language == expected
    assert f'<html lang="{expected}">' in written.html


async def test_a_machines_mail_gets_no_acknowledgement(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_an_agents_reply_becomes_a_letter_with_his_text_in_the_customers_thread(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, may_auto_respond=False, subject="Re: RE: The printer is on fire")
    await stores.messages.add(
        message(
            "msg_3",
            Direction.INBOUND,
            2,
            message_id="q3@customer.example",
            references=["q2@customer.example"],
        )
    )
    await stores.messages.add(message("msg_4", Direction.NOTE, 3, text="our secret", message_id="n@x.y"))
    await replied_in(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic) == ("reply", False)
    assert (written.to.address, written.to.name) == ("ada@customer.example", "Ada")
    assert written.subject == "Re: The printer is on fire [#10042]"
    assert written.text.startswith("Try water.\n\nYours, Bob\n")
    assert '<p dir="auto">Try water.</p>' in written.html
    assert (written.in_reply_to, written.references) == ("q3@customer.example", ["q2@customer.example"])
    assert "secret" not in written.text


async def test_a_reply_to_a_certain_mail_stays_in_that_mails_thread(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await replied_in(stores, in_reply_to="older@customer.example", references=["oldest@customer.example"])
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert written.in_reply_to == "older@customer.example"
    assert written.references == ["oldest@customer.example"]


async def test_a_reply_on_a_ticket_that_never_was_a_mail_begins_a_thread(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await stores.messages.collection.delete("msg_1")
    await replied_in(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.in_reply_to, written.references) == ("", [])


async def test_a_missed_deadline_is_told_to_the_lead(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await breached_in(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic, written.to.address) == ("sla_breached", True, LEAD)
    assert written.subject == "Deadline missed: resolution of #10042"
    for told in ("The printer is on fire", "ada@customer.example", "2026-03-02 09:30", "standard", "medium"):
        assert told in written.text


async def test_without_a_lead_a_missed_deadline_is_told_to_nobody(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await breached_in(stores)
    await tell(handlers_on(stores, lead=""), published)

    assert await all_letters(stores) == []


async def test_hearing_everything_again_changes_nothing(stores: Stores, published: Published) -> None:
    await ticket_in(stores)
    await replied_in(stores)
    await breached_in(stores)
    await tell(handlers_on(stores), published)
    before = sorted(one.model_dump_json() for one in await all_letters(stores))
    assert len(before) == 3

    tomorrow = FakeClock(NOW + timedelta(days=1))
    none_at_all = BrakeSettings(ten_minutes=1, hour=1, day=1)
    stricter = QUICK.model_copy(update={"brake": none_at_all, "lead_brake": none_at_all})
    for _ in range(3):
        await tell(handlers_on(stores, tomorrow, stricter), published)

    assert sorted(one.model_dump_json() for one in await all_letters(stores)) == before


async def test_a_letter_that_is_written_is_not_decided_again(stores: Stores, published: Published) -> None:
    await ticket_in(stores)
    await tell(handlers_on(stores), published)
    await stores.messages.collection.delete("msg_1")

    await tell(handlers_on(stores, mailboxes={}), published)
    assert len(await all_letters(stores)) == 1


async def test_a_letter_has_the_same_id_and_message_id_in_every_process(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores)
    await tell(handlers_on(stores), published)
    first = await only_letter(stores)
    await stores.letters.collection.delete(first.id)
    await tell(handlers_on(stores, FakeClock(NOW + timedelta(days=2))), published)

    again = await only_letter(stores)
    assert (again.id, again.message_id, again.reply_to) == (first.id, first.message_id, first.reply_to)
    assert (again.text, again.html) == (first.text, first.html)


async def test_an_answer_to_a_letter_finds_its_ticket(stores: Stores, published: Published) -> None:
    await ticket_in(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    known = await stores.thread_ids.get(thread_id_for(f" <{written.message_id}> "))
    assert (known.ticket_id, known.carried) == ("tkt_1", True)


async def test_a_letter_that_no_process_holds_is_due_at_once(stores: Stores, published: Published) -> None:
    await ticket_in(stores)
    await tell(handlers_on(stores), published)

    assert (await only_letter(stores)).wake_at == NOW


async def test_a_mailbox_that_is_not_configured_is_an_error_that_names_it(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, mailbox="gone")

    with pytest.raises(Permanent, match="gone"):
        await tell(handlers_on(stores), published)


async def test_a_reply_whose_message_is_not_there_is_an_error(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await replied_in(stores)
    await stores.messages.collection.delete("msg_2")

    with pytest.raises(NotFound):
        await tell(handlers_on(stores), published)


async def test_an_event_of_another_kind_is_passed_over(stores: Stores) -> None:
    assert {kind.__name__ for kind in handlers_on(stores).routes()} == {
        "TicketOpened",
        "AgentReplied",
        "SlaBreached",
        "LetterFailed",
        "LetterBounced",
        "TicketAssigned",
        "CustomerReplied",
        "CommandRefused",
    }


async def test_what_is_no_reply_is_never_sent_to_the_customer(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    await replied_in(stores)

    def now_a_note(message: Message) -> None:
        message.direction = Direction.NOTE
        message.touch()

    await stores.messages.change("msg_2", now_a_note)
    with pytest.raises(Permanent, match="must not be sent"):
        await tell(handlers_on(stores), published)
    assert await all_letters(stores) == []


@pytest.mark.parametrize(
    ("subject", "bare"),
    [
        ("Re: Fire", "Fire"),
        ("RE:re: Fire", "Fire"),
        ("Fire", "Fire"),
        ("Re:", ""),
        ("Rescue: me", "Rescue: me"),
    ],
)
def test_a_subject_is_answered_with_one_re(subject: str, bare: str) -> None:
    assert without_re(subject) == bare
