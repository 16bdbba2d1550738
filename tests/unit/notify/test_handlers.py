"""What notify writes down when something happened, once however often it is told."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notify.brake import Brake
from services.notify.commands import list_letters, retry_letter, show_letter
from services.notify.delivery import Deliverer
from services.notify.handlers import NotifyHandlers, without_re
from services.notify.letters import Composer
from services.notify.rendering import Templates
from services.notify.rules import Kind, Wanted
from services.notify.service import routes
from services.notify.settings import BrakeSettings, NotifySettings
from services.notify.smtp_mailer import SmtpMailer
from shared import metrics
from shared.domain.cause import Cause
from shared.domain.errors import Invalid, MoveNotAllowed, NotFound, Permanent
from shared.domain.events import parse_event
from shared.domain.ids import thread_id_for
from shared.domain.letters import Letter, LetterState
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.domain.ticket import Contact, Ticket
from shared.runtime.settings import MailboxSettings
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import MAILBOXES, NOW, QUICK, SECRET, SUPPORT, letter, opened, relay_at

LEAD = "lead@example.org"
TEMPLATES = Templates()


def handlers_on(
    stores: Stores,
    clock: FakeClock | None = None,
    settings: NotifySettings = QUICK,
    lead: str = LEAD,
    mailboxes: Mapping[str, MailboxSettings] = MAILBOXES,
) -> NotifyHandlers:
    """The handlers over a delivery that does not run: letters stay as they were written."""
    clock = clock or FakeClock(NOW)
    mailer = SmtpMailer(relay_at(("", 25)), settings, "client.example.org")
    return NotifyHandlers(
        stores,
        clock,
        Composer(TEMPLATES, mailboxes),
        Brake(stores.documents, settings),
        Deliverer(stores.letters, mailer, clock, settings, SECRET),
        ours=[mailbox.address for mailbox in MAILBOXES.values()],
        lead_address=lead,
    )


def message(doc_id: str, direction: Direction, minutes: int = 0, **changed: Any) -> Message:
    fields: dict[str, Any] = {
        "id": doc_id,
        "ticket_id": "tkt_1",
        "direction": direction,
        "author": "agent" if direction is Direction.OUTBOUND else "customer",
        "at": NOW + timedelta(minutes=minutes),
    }
    return Message(**{**fields, **changed})


async def ticket_in(stores: Stores, **changed: Any) -> Ticket:
    """A customer's ticket with its first mail."""
    first = message(
        "msg_1",
        Direction.INBOUND,
        text="Help! http://spam.example",
        message_id="q2@customer.example",
        references=["q1@customer.example"],
    )
    await stores.messages.add(first)
    fields: dict[str, Any] = {
        "mailbox": "main",
        "subject": "The printer is on fire",
        "channel": "mail",
        "customer": Contact(address="ada@customer.example", name="Ada"),
        "message_id": "msg_1",
        "may_auto_respond": True,
        "cause": Cause("ingest:1", "customer:ada@customer.example", NOW, "corr_1", "00-trace"),
    }
    ticket = Ticket.open("tkt_1", 10_042, **{**fields, **changed})
    return await stores.tickets.add(ticket)


async def replied_in(stores: Stores, text: str = "Try water.\n\nYours, Bob", **changed: Any) -> None:
    """An agent answers the ticket."""
    await stores.messages.add(message("msg_2", Direction.OUTBOUND, 5, text=text, **changed))
    cause = Cause("api:reply", "user:bob", NOW + timedelta(minutes=5), "corr_2")
    await stores.tickets.change("tkt_1", lambda ticket: ticket.agent_replied("msg_2", cause))


async def breached_in(stores: Stores) -> None:
    cause = Cause("escalation:1", "service:escalation", NOW + timedelta(hours=1))
    await stores.tickets.change(
        "tkt_1", lambda ticket: ticket.breach("resolution", NOW + timedelta(minutes=30), "standard", cause)
    )


async def tell(handlers: NotifyHandlers, published: Published) -> None:
    """Give the handlers every event there is, from the start."""
    known = routes(handlers)
    for envelope in published.envelopes:
        event = parse_event(envelope.type, envelope.data)
        if event is not None and type(event) in known:
            await known[type(event)](Received(event, envelope.traceparent))


async def all_letters(stores: Stores) -> list[Letter]:
    return (await list_letters(stores)).items


async def only_letter(stores: Stores) -> Letter:
    (found,) = await all_letters(stores)
    return found


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


async def test_an_acknowledgement_is_in_the_language_of_its_mailbox(
    stores: Stores, published: Published
) -> None:
    await ticket_in(stores, mailbox="berlin")
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert written.subject == "Wir haben Ihre Nachricht erhalten [#10042]"
    assert (written.sender.address, written.language) == ("hilfe@example.org", "de")


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
    assert (again.id, again.message_id) == (first.id, f"{first.id}@example.org")
    assert again.message_id == first.message_id


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


async def acknowledge(handlers: NotifyHandlers, number: int, at: datetime = NOW, **changed: Any) -> None:
    event = opened(ticket_id=f"tkt_{number}", number=number, occurred_at=at, **changed)
    await handlers.acknowledge(Received(event))


def braked() -> float:
    labels = {"kind": "acknowledgement", "outcome": "braked"}
    return metrics.REGISTRY.get_sample_value("ombud_letters_total", labels) or 0.0


async def states(stores: Stores) -> dict[LetterState, int]:
    found: dict[LetterState, int] = {}
    for one in (await list_letters(stores, limit=500)).items:
        found[one.state] = found.get(one.state, 0) + 1
    return found


async def test_the_brake_lets_so_many_letters_through_and_shows_the_rest(
    stores: Stores, published: Published
) -> None:
    handlers, before = handlers_on(stores), braked()
    for number in range(8):
        await acknowledge(
            handlers, number, customer="Ada+loop@customer.example" if number % 2 else "ada@customer.example"
        )

    assert await states(stores) == {LetterState.QUEUED: 5, LetterState.FAILED: 3}
    failed = (await list_letters(stores, "failed")).items
    assert {one.reason for one in failed} == {
        "brake: more than 5 automatic letters to this address in ten minutes"
    }
    assert {one.wake_at for one in failed} == {None}
    assert braked() == before + 3
    assert [one.type for one in published.envelopes] == ["ombud.letter.failed.v1"] * 3


async def test_the_brake_is_off_again_when_its_time_is_over(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(6):
        await acknowledge(handlers, number)
    await acknowledge(handlers, 6, NOW + timedelta(minutes=10))

    assert await states(stores) == {LetterState.QUEUED: 6, LetterState.FAILED: 1}


async def test_slow_loops_are_held_by_the_hour_and_by_the_day(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(60):
        await acknowledge(handlers, number, NOW.replace(hour=0) + timedelta(minutes=10 * number))

    assert (await states(stores))[LetterState.QUEUED] == 30
    reasons = {one.reason.rpartition(" in ")[2] for one in (await list_letters(stores, "failed")).items}
    assert reasons == {"day"}


async def test_one_address_under_the_brake_holds_up_no_other(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(20):
        await acknowledge(handlers, number, customer=f"person{number}@customer.example")

    assert await states(stores) == {LetterState.QUEUED: 20}


async def test_letters_on_one_ticket_are_counted_too(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    brake = Brake(stores.documents, QUICK)
    reasons = [
        await brake.holds(
            f"let_{n}",
            Wanted(Kind.ACKNOWLEDGEMENT, Contact(address=f"p{n}@x.org"), automatic=True),
            "tkt_1",
            NOW,
        )
        for n in range(6)
    ]
    assert reasons == [""] * 5 + ["brake: more than 5 automatic letters on this ticket in ten minutes"]


async def test_a_letter_counts_once_for_the_brake_however_often_its_event_comes(stores: Stores) -> None:
    brake = Brake(stores.documents, QUICK)
    wanted = Wanted(Kind.ACKNOWLEDGEMENT, Contact(address="ada@customer.example"), automatic=True)

    assert [await brake.holds("let_1", wanted, "tkt_1", NOW) for _ in range(12)] == [""] * 12
    assert await brake.holds("let_2", wanted, "tkt_2", NOW) == ""


async def test_agents_replies_know_no_brake(stores: Stores, published: Published) -> None:
    ticket = await ticket_in(stores, may_auto_respond=False)
    for number in range(12):
        doc_id, read = f"msg_{number + 10}", ticket.version
        await stores.messages.add(message(doc_id, Direction.OUTBOUND, text="again"))
        ticket.agent_replied(doc_id, Cause(f"api:{number}", "user:bob", NOW))
        await stores.tickets.save(ticket, if_version=read)
    await tell(handlers_on(stores), published)

    assert await states(stores) == {LetterState.QUEUED: 12}


async def test_an_event_of_another_kind_is_passed_over(stores: Stores) -> None:
    assert {kind.__name__ for kind in routes(handlers_on(stores))} == {
        "TicketOpened",
        "AgentReplied",
        "SlaBreached",
    }


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


async def test_letters_are_listed_newest_first_by_state_and_ticket(stores: Stores) -> None:
    for number in range(3):
        at = NOW + timedelta(minutes=number)
        await stores.letters.add(letter(str(number), at=at, ticket_id=f"tkt_{number % 2}"))
    await stores.letters.add(letter("failed", at=NOW, state=LetterState.FAILED, wake_at=None))

    assert [one.id for one in (await list_letters(stores, "queued")).items] == ["let_2", "let_1", "let_0"]
    assert [one.id for one in (await list_letters(stores, ticket_id="tkt_0")).items] == ["let_2", "let_0"]
    assert [one.id for one in (await list_letters(stores, "failed")).items] == ["let_failed"]
    with pytest.raises(Invalid, match="there are queued, sending, sent, failed"):
        await list_letters(stores, "lost")


async def test_a_letter_is_shown_whole(stores: Stores) -> None:
    await stores.letters.add(letter())

    shown = await show_letter(stores, "let_1")
    assert (shown["state"], shown["to"]["address"]) == ("queued", "ada@customer.example")
    with pytest.raises(NotFound):
        await show_letter(stores, "let_none")


async def test_only_a_failed_letter_is_tried_again_by_hand(stores: Stores) -> None:
    await stores.letters.add(letter("failed", state=LetterState.FAILED, wake_at=None, reason="refused: 550"))
    await stores.letters.add(letter("sent", state=LetterState.SENT, wake_at=None))
    clock = FakeClock(datetime(2026, 3, 5, tzinfo=UTC))

    again = await retry_letter(stores, clock, "let_failed")
    assert (again.state, again.wake_at, again.reason) == (LetterState.QUEUED, clock.now(), "")
    with pytest.raises(MoveNotAllowed, match="sent, not failed"):
        await retry_letter(stores, clock, "let_sent")
    with pytest.raises(MoveNotAllowed, match="queued, not failed"):
        await retry_letter(stores, clock, "let_failed")
