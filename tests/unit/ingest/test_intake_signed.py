"""What our letters carry and answers give back: whichever survives leads to the ticket (issue 5, item 4)."""

from datetime import timedelta

import pytest

from services.ingest.authentication import Policy
from services.ingest.settings import IngestSettings
from shared.domain.cause import Cause
from shared.domain.events import AutomaticMailNoted, CustomerReplied, ParticipantWrote
from shared.domain.ids import derived
from shared.domain.ledger import LedgerEntry
from shared.domain.status import Status
from shared.domain.ticket import Participant, Ticket
from shared.runtime.service import Platform
from tests.unit.ingest.desk import STRANGER, Helpdesk, cause, events_of
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, SUPPORT, answer, mail

OURS = "mx.example.com"
FAILS = {"Authentication-Results": f"{OURS}; dmarc=fail header.from=example.org"}
PASSES = {"Authentication-Results": f"{OURS}; dmarc=pass header.from=example.org"}
LETTER = derived("let", "event", "reply", CUSTOMER)


async def waiting_ticket(helpdesk: Helpdesk) -> LedgerEntry:
    """A customer's ticket that was answered; nothing of the answer is known to the stores."""
    first = await helpdesk.take(mail(headers=PASSES))
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    return first


def ways_of(helpdesk: Helpdesk, first: LedgerEntry, sender: str, made_for: str) -> dict[str, bytes]:
    """An answer of `sender` that gives back one thing only of a letter that was made for `made_for`."""
    signer, ticket = helpdesk.signer, str(first.ticket_id)
    address = signer.reply_address(SUPPORT, ticket, made_for)
    mark = signer.marker(ticket, made_for)
    quoted = f'<p>Yes</p><blockquote><div style="display:none">{mark}</div></blockquote>\r\n'
    html = {"Content-Type": "text/html; charset=utf-8"}
    return {
        "message-id": answer(
            "w0@x", signer.message_id(ticket, made_for, LETTER, "example.com"), sender=sender
        ),
        "to": mail("w1@x", sender=sender, to=f'"Us, the support" <{address}>'),
        "cc": mail("w2@x", sender=sender, headers={"Cc": f"bo@example.org, {address.upper()}"}),
        "delivered-to": mail("w3@x", sender=sender, headers={"Delivered-To": address}),
        "x-original-to": mail("w4@x", sender=sender, headers={"X-Original-To": address}),
        "envelope-to": mail("w5@x", sender=sender, headers={"Envelope-To": address}),
        "text": mail("w6@x", sender=sender, body=f"Yes\r\n\r\n> > Try water\r\n> > {mark}\r\n"),
        "html": mail("w7@x", sender=sender, body=quoted, headers=html),
    }


WAYS = ["message-id", "to", "cc", "delivered-to", "x-original-to", "envelope-to", "text", "html"]


@pytest.fixture
def guarded(platform: Platform) -> Helpdesk:
    """A helpdesk whose mail server says what it found out about senders."""
    return Helpdesk(platform, policies={"support": Policy(OURS)})


@pytest.mark.parametrize("way", WAYS)
async def test_a_customer_s_answer_is_known_by_any_one_thing_that_it_gives_back(
    helpdesk: Helpdesk, way: str
) -> None:
    first = await waiting_ticket(helpdesk)
    reply = await helpdesk.take(ways_of(helpdesk, first, CUSTOMER, CUSTOMER)[way])
    ticket = await helpdesk.ticket_of(first)

    assert reply.ticket_id == first.ticket_id
    assert (ticket.status, events_of(ticket)[-1]) == (Status.OPEN, CustomerReplied.type)


@pytest.mark.parametrize("way", WAYS)
async def test_a_stranger_who_got_a_letter_passed_on_joins_pending_and_moves_nothing(
    helpdesk: Helpdesk, way: str
) -> None:
    first = await waiting_ticket(helpdesk)
    joined = await helpdesk.take(ways_of(helpdesk, first, STRANGER, CUSTOMER)[way])
    ticket = await helpdesk.ticket_of(first)

    assert joined.ticket_id == first.ticket_id
    assert (ticket.status, events_of(ticket)[-1]) == (Status.WAITING, ParticipantWrote.type)
    assert ticket.participants == [Participant(address=STRANGER, confirmed=False)]
    assert (await helpdesk.message_of(joined)).reasons[1].startswith("without rights")


async def test_the_answer_says_by_what_it_was_matched(helpdesk: Helpdesk) -> None:
    first = await waiting_ticket(helpdesk)
    ways = ways_of(helpdesk, first, CUSTOMER, CUSTOMER)
    entries = [await helpdesk.take(ways[name]) for name in ("message-id", "to", "text")]
    reasons = [(await helpdesk.message_of(entry)).reasons[0] for entry in entries]

    assert reasons[0].startswith("matched by our letter <t.")
    assert reasons[1] == "matched by the address that our letter asked to answer to"
    assert reasons[2] == "matched by the mark of our letter, which it quotes"
    assert all(entry.reason.startswith(reason) for entry, reason in zip(entries, reasons, strict=True))


async def test_a_forged_from_moves_nothing_unless_what_was_signed_for_it_comes_along(
    guarded: Helpdesk,
) -> None:
    first = await waiting_ticket(guarded)
    own_id = guarded.signer.message_id(str(first.ticket_id), CUSTOMER, LETTER, "example.com")
    others_id = guarded.signer.message_id(str(first.ticket_id), "bo@example.org", LETTER, "example.com")

    shown = await guarded.take(forged("w1@x", others_id))
    ticket = await guarded.ticket_of(first)
    assert (shown.ticket_id, ticket.status, ticket.participants) == (ticket.id, Status.WAITING, [])
    assert not (await guarded.message_of(shown)).verified

    proven = await guarded.take(forged("w2@x", own_id))
    assert (proven.ticket_id, (await guarded.ticket_of(first)).status) == (ticket.id, Status.OPEN)
    assert (await guarded.message_of(proven)).verified


def forged(message_id: str, refers_to: str) -> bytes:
    """A mail in the customer's name that fails DMARC."""
    thread = {"In-Reply-To": f"<{refers_to}>", **FAILS}
    return mail(message_id, headers=thread)


async def test_a_mail_that_fails_dmarc_is_shown_as_unverified_and_gets_no_letter(guarded: Helpdesk) -> None:
    entry = await guarded.take(mail(headers=FAILS))
    message, ticket = await guarded.message_of(entry), await guarded.ticket_of(entry)

    assert not message.verified
    assert message.reasons[1] == (
        "unconfirmed sender: mx.example.com says that it fails the DMARC policy of example.org"
    )
    assert '"may_auto_respond":false' in ticket.outbox[0].data


async def test_where_nothing_is_known_of_a_sender_the_mailbox_decides(platform: Platform) -> None:
    strict = Helpdesk(platform, policies={"support": Policy(OURS, required=True)})
    unknown = await strict.message_of(await strict.take(mail()))
    passed = await strict.message_of(await strict.take(mail("two@x", headers=PASSES)))

    assert (unknown.verified, passed.verified) == (False, True)


async def test_a_reply_to_a_merged_ticket_is_on_the_one_that_stands_for_it(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    second = await helpdesk.take(mail("two@example.org", subject="The same again"))
    third = await helpdesk.take(mail("three@example.org", subject="And again"))
    await helpdesk.change(first, lambda ticket: merge(ticket, second))
    await helpdesk.change(second, lambda ticket: merge(ticket, third))
    before = await helpdesk.ticket_of(first)
    reply = await helpdesk.take(answer("four@x", "one@example.org"))
    by_number = await helpdesk.take(mail("five@x", subject=f"About [#{before.number}]"))

    assert reply.ticket_id == by_number.ticket_id == third.ticket_id
    assert await helpdesk.ticket_of(first) == before
    assert "that ticket was merged into" in reply.reason


def merge(ticket: Ticket, into: LedgerEntry) -> None:
    ticket.merged_into = into.ticket_id
    ticket.touch()


async def test_foreign_numbers_may_stand_before_ours_in_a_subject(platform: Platform) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(subject_reference="any_sender"))
    first = await helpdesk.take(mail())
    number = (await helpdesk.ticket_of(first)).number
    joined = await helpdesk.take(mail("two@x", sender=STRANGER, subject=f"[#99] [#98] - [#{number}] new"))

    assert joined.ticket_id == first.ticket_id


@pytest.mark.parametrize(("reopen_days", "opens"), [(31.0, False), (29.0, True)])
async def test_after_the_days_that_are_set_a_reply_opens_a_new_ticket(
    platform: Platform, reopen_days: float, opens: bool
) -> None:
    helpdesk = Helpdesk(platform, IngestSettings(reopen_days=reopen_days))
    first = await helpdesk.take(mail())
    long_ago = Cause(key="close", actor="user:a", at=RECEIVED - timedelta(days=30))
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, long_ago))
    reply = await helpdesk.take(answer("two@x", "one@example.org"))

    assert (reply.ticket_id != first.ticket_id) is opens


def notice(returned: str) -> bytes:
    """A mail system says that a letter was not delivered, and gives back its headers (RFC 3464)."""
    parts = [
        "Content-Type: text/plain\r\n\r\nSorry.",
        (
            "Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
            f"Final-Recipient: rfc822; {CUSTOMER}\r\nAction: failed\r\nStatus: 5.1.1"
        ),
        f"Content-Type: text/rfc822-headers\r\n\r\nMessage-ID: <{returned}>\r\nSubject: Re: Fire",
    ]
    body = "".join(f"--b\r\n{part}\r\n" for part in parts) + "--b--\r\n"
    report = {"Content-Type": "multipart/report; report-type=delivery-status; boundary=b"}
    return mail("notice@mx", sender="mailer-daemon@mx.example.org", body=body, headers=report)


async def test_a_bounce_is_noted_on_the_ticket_whose_letter_it_gives_back(helpdesk: Helpdesk) -> None:
    first = await waiting_ticket(helpdesk)
    letter = helpdesk.signer.message_id(str(first.ticket_id), CUSTOMER, LETTER, "example.com")
    entry = await helpdesk.take(notice(letter))
    ticket = await helpdesk.ticket_of(first)

    assert entry.ticket_id == first.ticket_id
    assert (ticket.status, events_of(ticket)[-1]) == (Status.WAITING, AutomaticMailNoted.type)


async def test_a_made_up_bounce_of_the_customer_s_own_mail_joins_nothing(helpdesk: Helpdesk) -> None:
    first = await waiting_ticket(helpdesk)
    before = await helpdesk.ticket_of(first)
    entry = await helpdesk.take(notice("one@example.org"))

    assert entry.ticket_id != first.ticket_id
    assert await helpdesk.ticket_of(first) == before
