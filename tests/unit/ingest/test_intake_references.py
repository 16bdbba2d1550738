"""What operators choose of which ticket a mail belongs to: places, headers, subjects, automatic answers."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from services.ingest.settings import IngestSettings
from shared.domain.cause import Cause
from shared.domain.ledger import Outcome
from shared.domain.status import Status
from shared.runtime.service import Platform
from tests.unit.ingest.desk import STRANGER, Helpdesk
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, SUPPORT, answer, mail

AWAY = {"Auto-Submitted": "auto-replied"}


def desk(platform: Platform, **settings: Any) -> Helpdesk:
    return Helpdesk(platform, IngestSettings(**settings))


def with_file(text: str, subtype: str = "plain") -> bytes:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = CUSTOMER, SUPPORT, "Look"
    written["Message-ID"] = "<two@x>"
    written.set_content("See the file.")
    written.add_attachment(text, subtype=subtype, filename="a.txt")
    return written.as_bytes()


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (mail("two@x", subject="Again", body="It is about [#10001].\r\n"), "body"),
        (with_file("It is about [#10001]."), "attachments"),
        (with_file("<p>It is about <b>[#10001]</b></p>", "html"), "attachments"),
    ],
    ids=["body", "a file of text", "a file of HTML"],
)
async def test_a_number_counts_where_it_is_to_be_looked_for_and_nowhere_else(
    platform: Platform, raw: bytes, place: str
) -> None:
    helpdesk = desk(platform, reference_in=["subject", place])
    first = await helpdesk.take(mail())
    there = await helpdesk.take(raw)

    assert there.ticket_id == first.ticket_id
    assert there.reason == "matched by the number #10001 that it names, from a participant"


async def test_a_number_in_a_body_is_not_looked_for_unless_that_is_set(helpdesk: Helpdesk) -> None:
    first = await helpdesk.take(mail())
    again = await helpdesk.take(mail("two@x", body="[#10001]"))

    assert again.ticket_id != first.ticket_id


async def test_what_a_reader_does_not_see_is_no_number(platform: Platform) -> None:
    helpdesk = desk(platform, reference_in=["subject", "body", "attachments"])
    first = await helpdesk.take(mail())
    hidden = await helpdesk.take(with_file('<p title="[#10001]">Hi</p>', "html"))

    assert hidden.ticket_id != first.ticket_id


async def test_a_stranger_with_a_number_in_the_body_joins_no_ticket(platform: Platform) -> None:
    helpdesk = desk(platform, reference_in=["body"])
    first = await helpdesk.take(mail())
    theirs = await helpdesk.take(mail("two@x", sender=STRANGER, body="[#10001]"))

    assert theirs.ticket_id != first.ticket_id
    assert (await helpdesk.ticket_of(theirs)).claims_to_belong_to == first.ticket_id


async def test_no_place_is_looked_at_where_references_are_off(platform: Platform) -> None:
    helpdesk = desk(platform, reference_in=["body"], subject_reference="off")
    first = await helpdesk.take(mail())

    assert (await helpdesk.take(mail("two@x", body="[#10001]"))).ticket_id != first.ticket_id


async def test_headers_lead_nowhere_where_that_is_set_and_the_reply_address_still_does(
    platform: Platform,
) -> None:
    helpdesk = desk(platform, header_references=False)
    first = await helpdesk.take(mail())
    ticket = await helpdesk.ticket_of(first)
    letter = helpdesk.signer.message_id(ticket.id, CUSTOMER, "let_1", "example.com")
    tagged = helpdesk.signer.reply_address(SUPPORT, ticket.id, CUSTOMER)

    assert (await helpdesk.take(answer("two@x", "one@example.org"))).ticket_id != ticket.id
    assert (await helpdesk.take(answer("three@x", letter))).ticket_id != ticket.id
    assert (await helpdesk.take(answer("four@x", letter, to=tagged))).ticket_id == ticket.id


async def test_an_old_mail_answered_under_another_subject_is_another_ticket_where_that_is_set(
    platform: Platform,
) -> None:
    helpdesk = desk(platform, changed_subject="opens")
    first = await helpdesk.take(mail())
    same = await helpdesk.take(answer("two@x", "one@example.org", subject="Re: The printer is on fire"))
    other = await helpdesk.take(answer("three@x", "one@example.org", subject="My holidays"))
    its_answer = await helpdesk.take(
        answer("four@x", "one@example.org", "three@x", subject="Re: My holidays")
    )

    assert same.ticket_id == first.ticket_id
    assert other.ticket_id != first.ticket_id
    assert (await helpdesk.ticket_of(other)).follow_up_of == first.ticket_id
    assert its_answer.ticket_id == other.ticket_id


async def test_an_automatic_answer_to_nothing_is_an_entry_alone_where_that_is_set(platform: Platform) -> None:
    helpdesk = desk(platform, automatic_without_ticket="ignored")
    entry = await helpdesk.take(mail("away@x", subject="Out of office", headers=AWAY))
    tickets, messages, _ = await helpdesk.all()

    assert (entry.outcome, entry.ticket_id) == (Outcome.IGNORED, None)
    assert entry.reason == "an automatic answer that belongs to no ticket"
    assert (tickets, messages) == ([], [])


async def test_an_automatic_answer_on_a_ticket_and_a_machine_s_own_mail_are_taken_in_there_too(
    platform: Platform,
) -> None:
    helpdesk = desk(platform, automatic_without_ticket="ignored")
    first = await helpdesk.take(mail())
    away = await helpdesk.take(
        mail("away@x", subject="Out of office", headers={**AWAY, "In-Reply-To": "<one@example.org>"})
    )
    alarm = await helpdesk.take(mail("alarm@x", headers={"Auto-Submitted": "auto-generated"}))

    assert (away.outcome, away.ticket_id) == (Outcome.INGESTED, first.ticket_id)
    assert alarm.outcome is Outcome.INGESTED


async def test_an_automatic_answer_opens_a_ticket_unless_that_is_set(helpdesk: Helpdesk) -> None:
    entry = await helpdesk.take(mail("away@x", subject="Out of office", headers=AWAY))

    assert entry.outcome is Outcome.INGESTED


async def test_with_no_days_every_reply_to_a_closed_ticket_opens_a_new_one(platform: Platform) -> None:
    helpdesk = desk(platform, reopen_days=0)
    before = Cause(key="close", actor="user:agent", at=RECEIVED - timedelta(minutes=1))
    first = await helpdesk.take(mail())
    await helpdesk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, before))

    later = await helpdesk.take(answer("two@x", "one@example.org"))
    assert (await helpdesk.ticket_of(later)).follow_up_of == first.ticket_id
