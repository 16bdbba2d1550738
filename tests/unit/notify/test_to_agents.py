"""Letters to agents: who is told of what, once, and by whom an answer may come back."""

from datetime import timedelta

import pytest

from services.notify.to_agents import LONGEST_TEXT
from shared.domain.cause import Cause
from shared.domain.letters import Letter, LetterState
from shared.domain.signed import Signer
from shared.domain.status import Status
from shared.runtime.settings import MailboxSettings
from shared.stores.stores import Stores
from shared.stores.users import add_user, set_enabled
from tests.unit.notify.agents import (
    BOB,
    assigned,
    customer_writes,
    refused,
    ticket_of_a_silent_customer,
    user,
)
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import all_letters, handlers_on, only_letter, tell
from tests.unit.notify.samples import MAILBOXES, NOW, SECRET, SUPPORT

HINT = "#reply, #note, #assign, #status, #snooze"


@pytest.mark.parametrize("named", ["usr", "BOB@Example.org", "bob@example.net"])
async def test_a_user_is_told_of_a_ticket_that_somebody_gave_them(
    stores: Stores, published: Published, named: str
) -> None:
    await ticket_of_a_silent_customer(stores)
    made = await user(stores, BOB, "bob@example.net")
    await assigned(stores, made.id if named == "usr" else named)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic, written.state) == ("assigned", True, LetterState.QUEUED)
    assert (written.to.address, written.to.name) == (BOB, "Bob")
    assert written.subject == "Assigned to you: The printer is on fire [#10042]"
    assert "Help! http://spam.example" in written.text
    assert "ada@customer.example" in written.text
    assert (written.in_reply_to, written.correlation_id, written.traceparent) == ("", "corr_2", "00-trace")


async def test_what_is_signed_into_the_letter_was_made_for_the_user(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id)
    await tell(handlers_on(stores), published)
    written, signer = await only_letter(stores), Signer(SECRET)

    signed = [
        signer.in_message_id(written.message_id),
        *signer.in_addresses([written.reply_to], 5),
        *signer.in_body(written.text, 5),
        *signer.in_body(written.html, 5),
    ]
    assert [one is not None and one.ticket_id == "tkt_1" and signer.made_for(one, BOB) for one in signed] == [
        True
    ] * 4


@pytest.mark.parametrize("by", ["usr", f"user:{BOB}", "user:BOB@example.org"])
async def test_a_user_is_not_told_of_what_they_did(stores: Stores, published: Published, by: str) -> None:
    await ticket_of_a_silent_customer(stores)
    made = await user(stores)
    await assigned(stores, made.id, f"user:{made.id}" if by == "usr" else by)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


@pytest.mark.parametrize("assignee", ["bob", "carol@example.org", "usr_0", None])
async def test_nobody_is_told_of_a_ticket_whose_assignee_is_no_user(
    stores: Stores, published: Published, assignee: str | None
) -> None:
    await ticket_of_a_silent_customer(stores)
    await user(stores)
    await assigned(stores, "somebody", minutes=1)
    await assigned(stores, assignee, minutes=2)
    await customer_writes(stores)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_another_team_for_the_same_assignee_is_no_news(stores: Stores, published: Published) -> None:
    await ticket_of_a_silent_customer(stores)
    made = await user(stores)
    await assigned(stores, made.id)
    cause = Cause("api:team", "user:ada", NOW + timedelta(minutes=2))
    await stores.tickets.change("tkt_1", lambda ticket: ticket.assign(made.id, "it", cause))
    await tell(handlers_on(stores), published)

    assert len(await all_letters(stores)) == 1


async def test_the_assignee_is_told_what_the_customer_wrote(stores: Stores, published: Published) -> None:
    await ticket_of_a_silent_customer(stores)
    made = await user(stores)
    await assigned(stores, made.id, f"user:{made.id}")
    await customer_writes(stores, text="Still <b>burning</b>.\n\nHelp!")
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic, written.to.address) == ("customer_replied", True, BOB)
    assert "Still <b>burning</b>.\n\nHelp!" in written.text
    assert '<p dir="auto">Still &lt;b&gt;burning&lt;/b&gt;.</p>' in written.html
    assert "There is more of it" not in written.text


async def test_a_long_mail_is_shown_in_part_and_the_letter_says_so(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id, f"user:{BOB}")
    await customer_writes(stores, text="x" * (LONGEST_TEXT + 1))
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert ("x" * LONGEST_TEXT in written.text, "x" * (LONGEST_TEXT + 1) in written.text) == (True, False)
    assert "(There is more of it on the ticket.)" in written.text
    assert "(There is more of it on the ticket.)" in written.html


async def test_a_user_who_is_the_customer_is_not_told_what_they_wrote(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id, f"user:{BOB}")
    await customer_writes(stores, sender=BOB)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_hearing_everything_again_after_another_was_assigned_writes_nothing_more(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id)
    await customer_writes(stores)
    handlers = handlers_on(stores)
    await tell(handlers, published)
    before = await all_letters(stores)
    carol = await add_user(stores, "Carol", ["carol@example.org"], [], NOW - timedelta(hours=1))
    await assigned(stores, carol.id, minutes=9)
    for _ in range(2):
        await tell(handlers, published)
    after = await all_letters(stores)

    assert sorted(one.kind for one in before) == ["assigned", "customer_replied"]
    assert [(one.kind, one.to.address) for one in after if one not in before] == [
        ("assigned", "carol@example.org")
    ]


async def test_a_disabled_user_is_told_nothing_and_an_enabled_one_nothing_of_before(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    made = await user(stores)
    await assigned(stores, made.id)
    await set_enabled(stores, made.id, False, NOW)
    await customer_writes(stores, minutes=5)
    await refused(stores, minutes=6)
    await tell(handlers_on(stores), published)
    while_disabled = await all_letters(stores)
    await set_enabled(stores, made.id, True, NOW + timedelta(minutes=10))
    await customer_writes(stores, minutes=15)
    await tell(handlers_on(stores), published)

    assert while_disabled == []
    assert (await only_letter(stores)).kind == "customer_replied"
    assert (await only_letter(stores)).text.count("Still burning.") == 1


async def test_a_user_made_today_is_told_nothing_of_yesterday(stores: Stores, published: Published) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, BOB)
    await user(stores, hours=1)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_no_letter_to_an_agent_goes_to_an_address_of_ours_or_about_spam(
    stores: Stores, published: Published
) -> None:
    """A mailbox may be configured after its address was a user's."""
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores, f"support+x@{SUPPORT.partition('@')[2]}")).id)
    cause = Cause("api:spam", "user:ada", NOW + timedelta(minutes=3))
    await stores.tickets.change("tkt_1", lambda ticket: ticket.change_status(Status.SPAM, cause))
    await assigned(stores, (await user(stores)).id, minutes=4)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_an_agents_mail_comes_back_with_the_reason_in_its_thread(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await user(stores, "bob.first@example.org", BOB)
    await refused(stores)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.kind, written.automatic, written.to.address) == ("command_failed", True, BOB)
    assert written.subject == "Not done: The printer is on fire [#10042]"
    assert "Reason: no <such> state" in written.text
    assert "no &lt;such&gt; state" in written.html
    assert "#status done" in written.text
    assert (written.in_reply_to, written.references) == ("r5@example.org", ["ours@example.org"])


async def test_a_mail_that_may_not_be_answered_does_not_come_back(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await user(stores)
    await refused(stores, may_auto_respond=False)
    await tell(handlers_on(stores), published)

    assert await all_letters(stores) == []


async def test_letters_to_agents_are_in_the_mailboxs_language_and_name_the_commands_it_takes(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores, mailbox="berlin")
    await assigned(stores, (await user(stores)).id)
    berlin = MAILBOXES["berlin"].model_dump() | {"authserv_id": "mx.example.org"}
    mailboxes = {**MAILBOXES, "berlin": MailboxSettings(**berlin)}
    await tell(handlers_on(stores, mailboxes=mailboxes), published)

    written = await only_letter(stores)
    assert written.subject == "Ihnen zugewiesen: The printer is on fire [#10042]"
    assert (HINT in written.text, HINT in written.html) == (True, True)


async def test_a_mailbox_that_believes_nobody_about_senders_names_no_commands(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id)
    await tell(handlers_on(stores), published)

    assert "#" not in (await only_letter(stores)).text.replace("#10042", "").replace("##", "")


async def test_the_leads_letter_may_be_answered_by_the_lead(stores: Stores, published: Published) -> None:
    await ticket_of_a_silent_customer(stores)
    cause = Cause("escalation:1", "service:escalation", NOW + timedelta(minutes=6))
    await stores.tickets.change("tkt_1", lambda one: one.breach("resolution", NOW, "standard", cause))
    await tell(handlers_on(stores, lead="Lead@Example.org"), published)
    written: Letter = await only_letter(stores)
    signed = Signer(SECRET).in_message_id(written.message_id)

    assert signed is not None
    assert Signer(SECRET).made_for(signed, "lead@example.org")
