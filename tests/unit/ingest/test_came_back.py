"""A letter that came back: its ticket, its state and its address; and notices that are forged."""

from datetime import timedelta

from services.ingest.settings import IngestSettings
from shared.domain.events import LetterBounced
from shared.domain.ids import thread_id_for
from shared.domain.letters import Letter, LetterState
from shared.domain.suppressions import Suppression, suppression_id
from shared.domain.ticket import Contact
from shared.runtime.service import Platform
from shared.stores.collections import ThreadId
from tests.unit.ingest.bounce_mails import notice, report
from tests.unit.ingest.desk import Helpdesk
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, SUPPORT, mail

USER_UNKNOWN = f"Final-Recipient: rfc822; {CUSTOMER}\nAction: failed\nStatus: 5.1.1\n"


async def sent(helpdesk: Helpdesk) -> Letter:
    """A reply on a customer's ticket that the relay took."""
    entry = await helpdesk.take(mail())
    ticket = await helpdesk.ticket_of(entry)
    letter = Letter(
        id="let_1",
        ticket_id=ticket.id,
        kind="reply",
        automatic=False,
        to=Contact(address=CUSTOMER),
        sender=Contact(address=SUPPORT),
        subject="Re: The printer is on fire",
        text="Water.",
        html="",
        message_id=helpdesk.signer.message_id(ticket.id, CUSTOMER, "let_1", "example.com"),
        state=LetterState.SENT,
        created_at=RECEIVED,
    )
    await helpdesk.stores.letters.add(letter)
    await helpdesk.stores.thread_ids.add(
        ThreadId(id=thread_id_for(letter.message_id), ticket_id=ticket.id, carried=True)
    )
    return letter


async def suppressed(helpdesk: Helpdesk, address: str = CUSTOMER) -> Suppression | None:
    own_id = suppression_id(address)
    return (await helpdesk.stores.suppressions.get_many([own_id])).get(own_id)


async def test_a_bounce_joins_the_ticket_of_its_letter_and_marks_the_letter_and_the_address(
    helpdesk: Helpdesk,
) -> None:
    letter = await sent(helpdesk)
    entry = await helpdesk.take(report(USER_UNKNOWN, original=f"<{letter.message_id}>"))

    assert entry.ticket_id == letter.ticket_id
    assert (await helpdesk.message_of(entry)).kind == "bounce"
    marked = await helpdesk.stores.letters.get(letter.id)
    assert (marked.state, marked.reason) == (LetterState.BOUNCED, "bounced: userunknown (5.1.1)")
    assert [one.type for one in marked.outbox] == [LetterBounced.type]
    held = await suppressed(helpdesk)
    assert held is not None
    assert (held.hard, held.soft, held.reason, held.since) == (1, 0, "userunknown", RECEIVED)


async def test_the_same_bounce_delivered_twice_counts_once(helpdesk: Helpdesk) -> None:
    letter = await sent(helpdesk)
    for _ in range(2):
        await helpdesk.take(report(USER_UNKNOWN, original=f"<{letter.message_id}>"))

    held = await suppressed(helpdesk)
    assert held is not None
    assert held.hard == 1


async def test_a_bounce_in_words_that_holds_the_letter_does_the_same(helpdesk: Helpdesk) -> None:
    letter = await sent(helpdesk)
    text = (
        f"<{CUSTOMER}>:\nRemote host said: 552 mailbox full\n\n"
        f"--- Below this line is a copy of the message.\n\nMessage-ID: <{letter.message_id}>\n"
    )
    entry = await helpdesk.take(notice(text))

    assert entry.ticket_id == letter.ticket_id
    held = await suppressed(helpdesk)
    assert held is not None
    assert (held.hard, held.soft) == (0, 1)


async def test_a_forged_bounce_of_a_mail_that_we_did_not_send_suppresses_nobody(helpdesk: Helpdesk) -> None:
    letter = await sent(helpdesk)
    await helpdesk.take(report(USER_UNKNOWN, original="<let_guessed@example.com>"))

    assert await suppressed(helpdesk) is None
    assert (await helpdesk.stores.letters.get(letter.id)).state is LetterState.SENT


async def test_a_forged_bounce_cannot_name_another_address_than_the_letter_s(helpdesk: Helpdesk) -> None:
    letter = await sent(helpdesk)
    victim = USER_UNKNOWN.replace(CUSTOMER, "victim@example.net")
    await helpdesk.take(report(victim, original=f"<{letter.message_id}>"))

    assert await suppressed(helpdesk, "victim@example.net") is None
    assert await suppressed(helpdesk) is None
    assert (await helpdesk.stores.letters.get(letter.id)).state is LetterState.SENT


async def test_a_notice_of_a_delay_is_noted_and_marks_nothing(helpdesk: Helpdesk) -> None:
    letter = await sent(helpdesk)
    delayed = USER_UNKNOWN.replace("failed", "delayed").replace("5.1.1", "4.4.1")
    entry = await helpdesk.take(report(delayed, original=f"<{letter.message_id}>"))

    assert entry.ticket_id == letter.ticket_id
    assert (await helpdesk.message_of(entry)).kind == "delivery_delay"
    assert (await helpdesk.stores.letters.get(letter.id)).state is LetterState.SENT
    assert await suppressed(helpdesk) is None


async def test_the_third_mail_of_a_machine_in_a_row_marks_the_ticket_as_a_loop(helpdesk: Helpdesk) -> None:
    entry = await helpdesk.take(mail())
    for number in range(3):
        assert not (await helpdesk.ticket_of(entry)).loop
        away = {"Auto-Submitted": "auto-replied", "In-Reply-To": "<one@example.org>"}
        await helpdesk.take(mail(f"away{number}@example.org", headers=away))

    ticket = await helpdesk.ticket_of(entry)
    assert ticket.loop == "3 mails in a row were written by machines"
    assert ticket.outbox[-1].type == "ombud.ticket.loop_suspected.v1"


async def test_how_many_mails_of_machines_look_like_a_loop_is_a_setting(platform: Platform) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(loop_mails=4))
    entry = await helpdesk.take(mail())
    for number in range(4):
        assert not (await helpdesk.ticket_of(entry)).loop
        away = {"Auto-Submitted": "auto-replied", "In-Reply-To": "<one@example.org>"}
        await helpdesk.take(mail(f"away{number}@example.org", headers=away))

    assert (await helpdesk.ticket_of(entry)).loop == "4 mails in a row were written by machines"


async def test_how_many_soft_bounces_hold_an_address_back_and_how_long_are_settings(
    platform: Platform,
) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(soft_bounces=2, soft_bounce_days=1))
    letter = await sent(helpdesk)
    for number in range(2):
        full = f"Final-Recipient: rfc822; {CUSTOMER}\nAction: failed\nStatus: 4.2.2\nX-Number: {number}\n"
        await helpdesk.take(report(full, original=f"<{letter.message_id}>"))

    held = await suppressed(helpdesk)
    assert held is not None
    assert (held.soft, held.holds(RECEIVED)) == (2, True)
    assert not held.holds(RECEIVED + timedelta(days=1, minutes=1))
