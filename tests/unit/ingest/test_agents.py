"""What an agent's mail does: all that it asks for, or nothing and a reason."""

from datetime import timedelta

import pytest

from services.ingest.agent_orders import COMMAND, REFUSED
from shared.domain.events import (
    AgentReplied,
    CommandRefused,
    NoteAdded,
    StatusChanged,
    TicketAssigned,
    TicketOpened,
)
from shared.domain.ledger import Outcome
from shared.domain.messages import Direction
from shared.domain.status import Status
from shared.domain.ticket import Ticket
from shared.runtime.service import Platform
from shared.stores.users import add_user, set_enabled
from tests.unit.ingest.agents_desk import ALIAS, BOB, LONG_AGO, AgentsDesk, moved, reason, told
from tests.unit.ingest.desk import cause
from tests.unit.ingest.mails import CUSTOMER, RECEIVED, SUPPORT


@pytest.fixture
def desk(platform: Platform) -> AgentsDesk:
    return AgentsDesk(platform)


async def test_a_reply_is_an_agents_answer_as_by_the_api_and_nothing_else_of_the_mail_is_sent(
    desk: AgentsDesk,
) -> None:
    user, first = await desk.user(), await desk.ticket()
    entry = await desk.take(desk.answer(first, "#reply\r\n\r\nTry water.\r\n\r\n> It burns.\r\n"))
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)
    replied = told(ticket)[-1]

    assert isinstance(replied, AgentReplied)
    assert (replied.message_id, replied.actor, replied.correlation_id) == (
        message.id,
        f"user:{user.id}",
        entry.id,
    )
    assert (ticket.status, ticket.first_response_at) == (Status.WAITING, RECEIVED)
    assert (message.direction, message.author, message.said) == (Direction.OUTBOUND, "agent", "Try water.")
    assert (message.html, message.in_reply_to, message.references, message.to) == ("", "", [], [])
    assert (message.message_id, message.subject) == ("cmd@example.org", ticket.subject)
    assert (entry.outcome, entry.ticket_id, entry.document_id) == (Outcome.INGESTED, ticket.id, message.id)
    assert "commands: #reply" in entry.reason


HTML = {"MIME-Version": "1.0", "Content-Type": "text/html; charset=utf-8"}


@pytest.mark.parametrize(
    "html",
    [
        "<div>#status resolved</div><div>#reply</div><div><br></div><div>Try&nbsp;water.</div>{quote}",
        "<p>&nbsp;</p><p>#Status&nbsp;resolved</p><p><b>#reply</b></p><p>Try water.</p>{quote}",
        "<ul><li>#status resolved</li></ul><p>\uff03reply</p><p>Try water.</p>{quote}",
    ],
)
async def test_commands_of_an_html_mail_are_read_and_its_quote_is_not_sent(
    desk: AgentsDesk, html: str
) -> None:
    await desk.user()
    first = await desk.ticket()
    mark = desk.signer.marker(str(first.ticket_id), BOB)
    quoted = f"<div>On Friday Support wrote:</div><blockquote>It burns. {mark}</blockquote>"
    quote = f'<div class="gmail_quote">{quoted}</div>'
    raw = desk.answer(first, html.replace("{quote}", quote), headers=HTML)
    message = await desk.message_of(await desk.take(raw))

    assert (message.direction, message.said.replace("\u00a0", " ")) == (Direction.OUTBOUND, "Try water.")
    assert (await desk.ticket_of(first)).status is Status.RESOLVED


async def test_the_raw_mail_of_an_agent_is_kept_byte_for_byte(desk: AgentsDesk) -> None:
    await desk.user()
    raw = desk.answer(await desk.ticket(), "#note\r\nHm.\r\n")
    message = await desk.message_of(await desk.take(raw))

    assert await desk.platform.blobs.read(message.raw) == raw


async def test_commands_in_one_mail_are_done_together_each_with_its_event(desk: AgentsDesk) -> None:
    user, first = await desk.user(), await desk.ticket()
    await desk.take(desk.answer(first, "#assign me\r\n#status resolved\r\n#reply\r\nDone.\r\n"))
    ticket = await desk.ticket_of(first)

    assert (ticket.assignee, ticket.status) == (user.id, Status.RESOLVED)
    assert [type(one) for one in told(ticket)] == [TicketOpened, TicketAssigned, AgentReplied]


async def test_a_note_is_for_colleagues_and_moves_nothing(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    before = moved(await desk.ticket_of(first))
    message = await desk.message_of(await desk.take(desk.answer(first, "#note\r\nHe is rude.\r\n")))
    ticket = await desk.ticket_of(first)

    assert (message.direction, message.said) == (Direction.NOTE, "He is rude.")
    assert isinstance(told(ticket)[-1], NoteAdded)
    assert moved(ticket) == before


async def test_a_mail_of_commands_alone_is_kept_as_a_note(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    message = await desk.message_of(await desk.take(desk.answer(first, "#status on hold\r\n")))
    ticket = await desk.ticket_of(first)

    assert (message.direction, message.kind) == (Direction.NOTE, COMMAND)
    assert [type(one) for one in told(ticket)] == [TicketOpened, StatusChanged, NoteAdded]
    assert ticket.status is Status.ON_HOLD


@pytest.mark.parametrize("whom", ["Carol@example.org", "id", "nobody", "me"])
async def test_a_ticket_is_assigned_to_users_by_their_id_and_its_team_stays(
    desk: AgentsDesk, whom: str
) -> None:
    user, first = await desk.user(), await desk.ticket()
    carol = await add_user(desk.stores, "Carol", ["carol@example.org"], [SUPPORT], LONG_AGO)
    await desk.change(first, lambda ticket: ticket.assign("somebody", "it", cause("assign")))
    await desk.take(desk.answer(first, f"#assign {carol.id if whom == 'id' else whom}\r\n"))
    ticket = await desk.ticket_of(first)

    assert ticket.assignee == {"nobody": None, "me": user.id}.get(whom, carol.id)
    assert ticket.team == "it"


async def test_a_snooze_counts_from_the_mail_and_a_time_is_of_the_agents_clock(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.take(desk.answer(first, "#snooze 2d\r\n"))
    spanned = (await desk.ticket_of(first)).snoozed_until
    await desk.take(desk.answer(first, "#snooze 2026-12-01 14:30\r\n#reply\r\nIn December.\r\n", "two@x"))
    ticket = await desk.ticket_of(first)

    assert spanned == RECEIVED + timedelta(days=2)
    assert (ticket.status, f"{ticket.snoozed_until:%Y-%m-%d %H:%M}") == (Status.ON_HOLD, "2026-12-01 12:30")


async def test_a_ticket_closed_for_long_is_the_one_that_is_meant(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, cause("close")))

    def long_ago(ticket: Ticket) -> None:
        ticket.closed_at = LONG_AGO
        ticket.touch()

    await desk.change(first, long_ago)
    entry = await desk.take(desk.answer(first, "#status open\r\n"))

    assert entry.ticket_id == first.ticket_id
    assert (await desk.ticket_of(first)).status is Status.OPEN


async def test_a_letter_for_one_address_of_a_user_may_be_answered_from_another(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.take(desk.answer(first, "#status open\r\n", sender=ALIAS))

    assert (await desk.ticket_of(first)).status is Status.OPEN


async def test_the_command_reaches_the_ticket_that_the_letters_ticket_was_merged_into(
    desk: AgentsDesk,
) -> None:
    await desk.user()
    first = await desk.ticket()
    other = await desk.take(desk.answer(first, "Another.\r\n", "o@x", sender=CUSTOMER, made_for=""))

    def merge(ticket: Ticket) -> None:
        ticket.merged_into = other.ticket_id
        ticket.touch()

    await desk.change(first, merge)
    entry = await desk.take(desk.answer(first, "#status open\r\n"))

    assert entry.ticket_id == other.ticket_id
    assert (await desk.ticket_of(other)).status is Status.OPEN


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Thanks, I will look.\r\n", "there is no command in its first line"),
        ("#reply\r\n", "there is no text below #reply"),
        ("#assign me\r\n#reply\r\n#note\r\nHi\r\n", "#reply and #note"),
        ("#assign me\r\n#status done\r\n", "there is no state 'done'"),
        ("#assign me\r\n#snooze 2020-01-01\r\n", "is past"),
        ("#assign me\r\n#snooze 2999-01-01\r\n", "is too far away"),
        ("#status open\r\n#assign carol@example.org\r\n", "there is no user carol@example.org"),
        ("#status open\r\n#assign dis@example.org\r\n", "there is no user dis@example.org"),
        ("#assign me\r\n#status closed\r\n#snooze 2d\r\n", "cannot become closed"),
        ("> Try water.\r\n\r\n#reply\r\nNo\r\n", "there is no command in its first line"),
    ],
)
async def test_of_a_mail_with_one_fault_nothing_is_done_and_it_is_a_note_with_the_reason(
    desk: AgentsDesk, text: str, why: str
) -> None:
    await desk.user()
    gone = await add_user(desk.stores, "Dis", ["dis@example.org"], [SUPPORT], LONG_AGO)
    await set_enabled(desk.stores, gone.id, False, LONG_AGO)
    first = await desk.ticket()
    before = moved(await desk.ticket_of(first))
    entry = await desk.take(desk.answer(first, text))
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)
    refused = told(ticket)[-1]

    assert moved(ticket) == before
    assert isinstance(refused, CommandRefused)
    assert why in refused.reason
    assert (refused.sender, refused.message_id, refused.may_auto_respond) == (BOB, message.id, True)
    assert (message.direction, message.kind, reason(message)) == (Direction.NOTE, REFUSED, refused.reason)
    assert (entry.outcome, entry.ticket_id) == (Outcome.INGESTED, ticket.id)
    assert why in entry.reason


async def test_a_move_that_the_state_forbids_refuses_all_and_says_which_are_allowed(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, cause("close")))
    before = moved(await desk.ticket_of(first))
    replied = await desk.message_of(await desk.take(desk.answer(first, "#assign me\r\n#reply\r\nHi\r\n")))

    assert "a ticket that is closed cannot become waiting; it may become open, spam" in reason(replied)
    assert (replied.direction, moved(await desk.ticket_of(first))) == (Direction.NOTE, before)


@pytest.mark.parametrize("how", ["mark", "address"])
async def test_a_reply_that_holds_the_letter_it_answers_is_not_sent(desk: AgentsDesk, how: str) -> None:
    """What the customer would get with it was made for the agent."""
    await desk.user()
    first = await desk.ticket()
    ticket_id = str(first.ticket_id)
    held = (
        desk.signer.marker(ticket_id, BOB)
        if how == "mark"
        else desk.signer.reply_address(SUPPORT, ticket_id, BOB)
    )
    forged = "[ref:t.0.000000000000000000] support+t.0.000000000000000000@example.com"
    text = f"#reply\r\n{forged} See {held} there.\r\n"
    message = await desk.message_of(await desk.take(desk.answer(first, text)))

    assert "the letter that you answer stands within your text" in reason(message)
    assert isinstance(told(await desk.ticket_of(first))[-1], CommandRefused)


def with_part(text: str, content_type: str, disposition: str) -> str:
    part = f"Content-Type: {content_type}\r\nContent-Disposition: {disposition}\r\nContent-ID: <i@x>\r\n"
    return f"--b\r\n\r\n{text}\r\n--b\r\n{part}\r\nbytes\r\n--b--\r\n"


MIXED = {"MIME-Version": "1.0", "Content-Type": "multipart/mixed; boundary=b"}


async def test_a_reply_with_a_file_is_refused_and_a_note_with_one_is_kept(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    file = ("application/pdf", 'attachment; filename="plan.pdf"')
    replied = desk.answer(first, with_part("#reply\r\nSee the plan.", *file), headers=MIXED)
    noted = desk.answer(first, with_part("#note\r\nSee the plan.", *file), "two@x", headers=MIXED)
    refused, kept = (
        await desk.message_of(await desk.take(replied)),
        await desk.message_of(await desk.take(noted)),
    )

    assert "it has attachments, which cannot be sent to customers yet" in reason(refused)
    assert [[one.filename for one in message.attachments] for message in (refused, kept)] == [
        ["plan.pdf"]
    ] * 2
    assert (kept.direction, kept.said) == (Direction.NOTE, "See the plan.")


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("image/png", 'inline; filename="logo.png"'),
        ("application/pkcs7-signature", 'attachment; filename="smime.p7s"'),
        ("application/pgp-signature", 'attachment; filename="signature.asc"'),
    ],
)
async def test_a_logo_or_a_signature_of_the_mail_keeps_no_reply_from_being_sent_and_it_says_so(
    desk: AgentsDesk, content_type: str, disposition: str
) -> None:
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, with_part("#reply\r\nHi.", content_type, disposition), headers=MIXED)
    message = await desk.message_of(await desk.take(raw))

    assert (message.direction, message.text) == (Direction.OUTBOUND, "Hi.")
    assert "1 inline pictures or signatures were not sent" in message.reasons


async def test_a_mail_that_asks_for_silence_is_refused_without_a_letter(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.take(desk.answer(first, "Hm.\r\n", headers={"X-Auto-Response-Suppress": "All"}))
    refused = told(await desk.ticket_of(first))[-1]

    assert isinstance(refused, CommandRefused)
    assert refused.may_auto_respond is False
