"""Mails that look like an agent's: without what we signed for the user, or without our server's word about
the sender, nothing is commanded (domain.md, "Rights of a sender"; reliability.md, row 21)."""

import pytest

from services.ingest.authentication import Policy
from shared.domain.events import AutomaticMailNoted, CommandRefused, CustomerReplied, ParticipantWrote
from shared.domain.ledger import LedgerEntry
from shared.domain.mail_fetched import RELEASED
from shared.domain.messages import Direction
from shared.domain.signed import Signer
from shared.domain.status import Status
from shared.runtime import quarantine
from shared.runtime.service import Platform
from shared.stores.users import add_user, set_enabled
from tests.unit.ingest.agents_desk import BOB, FAIL, LONG_AGO, OURS, PASS, AgentsDesk, told
from tests.unit.ingest.desk import STRANGER, Helpdesk, cause
from tests.unit.ingest.mails import CUSTOMER, SUPPORT, fetched, mail, record

ORDER = "#assign me\r\n#status closed\r\n#reply\r\nYou get nothing.\r\n"
CAROL = "carol@example.org"


@pytest.fixture
def desk(platform: Platform) -> AgentsDesk:
    return AgentsDesk(platform)


async def target(desk: Helpdesk) -> LedgerEntry:
    first = await desk.take(mail(headers={"Authentication-Results": PASS}))
    await desk.change(first, lambda ticket: ticket.change_status(Status.WAITING, cause("wait")))
    return first


def forged(desk: AgentsDesk, first: LedgerEntry) -> dict[str, bytes]:
    """Mails that command what they may not; all but the last ones carry a true token made for Bob."""
    below = f"{OURS}; dmarc=fail header.from=example.org\r\nAuthentication-Results: {PASS}"
    guessed = Signer(b"not the secret").message_id(str(first.ticket_id), BOB, "let_0", "example.com")
    mark = desk.signer.marker(str(first.ticket_id), CUSTOMER)
    return {
        "a stolen token, failing authentication": desk.answer(first, ORDER, said=FAIL),
        "a stolen token, no authentication": desk.answer(first, ORDER, said=""),
        "a stolen token, another server's word": desk.answer(
            first, ORDER, said=f"mx.evil.example; {PASS[16:]}"
        ),
        "a stolen token, our server's word below": desk.answer(first, ORDER, said=below),
        "a stolen token, another domain's pass": desk.answer(
            first, ORDER, said=f"{OURS}; dmarc=pass header.from=evil.example"
        ),
        "a stolen token, two senders": desk.answer(first, ORDER, sender=f"{BOB}, {STRANGER}"),
        "a stranger with the user's token": desk.answer(
            first, ORDER, sender=STRANGER, said=f"{OURS}; dmarc=pass header.from=example.net"
        ),
        "another user with it": desk.answer(first, ORDER, sender=CAROL),
        "the user with the customer's token": desk.answer(first, ORDER, made_for=CUSTOMER),
        "the user with the customer's mark": desk.answer(first, f"{ORDER}\r\n> {mark}\r\n", made_for=""),
        "the user with a guessed token": desk.answer(
            first, ORDER, made_for="", headers={"In-Reply-To": f"<{guessed}>"}
        ),
        "the user without a token": desk.answer(first, ORDER, made_for=""),
        "the user with the number": mail(
            "n@x",
            sender=BOB,
            subject="[#10001]",
            body=ORDER,
            headers={"Authentication-Results": PASS},
        ),
        "the user with the customer's Message-ID": desk.answer(
            first, ORDER, made_for="", headers={"In-Reply-To": "<one@example.org>"}
        ),
    }


NAMES = [
    "a stolen token, failing authentication",
    "a stolen token, no authentication",
    "a stolen token, another server's word",
    "a stolen token, our server's word below",
    "a stolen token, another domain's pass",
    "a stolen token, two senders",
    "a stranger with the user's token",
    "another user with it",
    "the user with the customer's token",
    "the user with the customer's mark",
    "the user with a guessed token",
    "the user without a token",
    "the user with the number",
    "the user with the customer's Message-ID",
]


@pytest.mark.parametrize("name", NAMES)
async def test_what_only_looks_like_an_agents_mail_commands_nothing_and_gets_no_letter(
    desk: AgentsDesk, name: str
) -> None:
    await desk.user()
    await add_user(desk.stores, "Carol", [CAROL], [SUPPORT], LONG_AGO)
    first = await target(desk)
    mails = forged(desk, first)
    assert list(mails) == NAMES
    entry = await desk.take(mails[name])
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)

    assert (ticket.status, ticket.assignee, ticket.first_response_at) == (Status.WAITING, None, None)
    assert {type(one) for one in told(ticket)[2:]} <= {ParticipantWrote}
    assert message.direction is Direction.INBOUND
    assert all(not participant.confirmed for participant in ticket.participants)
    if name.startswith("a stolen token"):
        assert (entry.ticket_id, message.verified) == (ticket.id, False)
        assert any(one.startswith("no command: ") for one in message.reasons)


async def test_without_an_authserv_id_commands_are_refused_and_the_reason_says_what_to_set(
    platform: Platform,
) -> None:
    desk = AgentsDesk(platform)
    await desk.user()
    first = await target(desk)
    entry = await desk.take(desk.answer(first, ORDER), "sales")
    ticket, message = await desk.ticket_of(first), await desk.message_of(entry)

    assert (ticket.status, message.verified) == (Status.WAITING, False)
    assert isinstance(told(ticket)[-1], ParticipantWrote)
    assert any("set OMBUD_MAILBOXES__SALES__AUTHSERV_ID" in one for one in message.reasons)


async def test_not_known_is_not_confirmed_also_where_authentication_is_not_required(
    platform: Platform,
) -> None:
    """Of a customer it would be enough."""
    desk = AgentsDesk(platform)
    await desk.user()
    first = await target(desk)
    entry = await desk.take(desk.answer(first, ORDER, said=f"{OURS}; spf=none"))

    assert Policy(OURS).required is False
    assert (await desk.ticket_of(first)).status is Status.WAITING
    assert (await desk.message_of(entry)).verified is False


async def test_a_disabled_user_commands_nothing(desk: AgentsDesk) -> None:
    user = await desk.user()
    await set_enabled(desk.stores, user.id, False, LONG_AGO)
    first = await target(desk)
    message = await desk.message_of(await desk.take(desk.answer(first, ORDER)))

    assert isinstance(told(await desk.ticket_of(first))[-1], ParticipantWrote)
    assert f"no command: the user {user.id} is disabled" in message.reasons


async def test_a_mail_that_was_edited_in_the_quarantine_commands_nothing_though_it_says_it_is_confirmed(
    desk: AgentsDesk,
) -> None:
    """A key of the API that may edit mails may not work on tickets for that."""
    await desk.user()
    first = await target(desk)
    seen = fetched(b"From: x\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", uid=2)
    await desk.handle(seen)
    made_up = desk.answer(first, ORDER)
    await quarantine.edit(desk.platform, seen.entry, made_up, "user:eve")
    entry = await desk.stores.ledger.get(seen.entry)
    again = fetched(made_up, uid=2)
    await desk.intake.handle(record(again, {RELEASED: str(entry.version)}))
    message = await desk.message_of(await desk.stores.ledger.get(again.entry))

    assert (await desk.ticket_of(first)).status is Status.WAITING
    assert message.direction is Direction.INBOUND
    assert "no command: it was edited in the quarantine, so nobody confirms what it says" in message.reasons


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto-Submitted": "auto-replied"},
        {"X-Autoreply": "yes"},
        {"Auto-Submitted": "auto-generated"},
    ],
)
async def test_a_machine_that_answers_for_an_agent_is_noted_and_commands_nothing(
    desk: AgentsDesk, headers: dict[str, str]
) -> None:
    await desk.user()
    first = await target(desk)
    await desk.take(desk.answer(first, ORDER, headers=headers))
    ticket = await desk.ticket_of(first)

    assert ticket.status is Status.WAITING
    assert isinstance(told(ticket)[-1], AutomaticMailNoted)


async def test_a_mail_that_a_list_passed_on_commands_nothing(desk: AgentsDesk) -> None:
    await desk.user()
    first = await target(desk)
    await desk.take(desk.answer(first, ORDER, headers={"List-Id": "<staff.example.org>"}))

    assert isinstance(told(await desk.ticket_of(first))[-1], ParticipantWrote)


async def test_a_customer_who_writes_commands_has_written_text(desk: AgentsDesk) -> None:
    await desk.user()
    first = await target(desk)
    entry = await desk.take(desk.answer(first, ORDER, sender=CUSTOMER, made_for=CUSTOMER))
    ticket = await desk.ticket_of(first)

    assert (ticket.status, ticket.assignee) == (Status.OPEN, None)
    assert isinstance(told(ticket)[-1], CustomerReplied)
    assert (await desk.message_of(entry)).said.startswith("#assign me")


async def test_a_user_who_is_the_customer_of_a_ticket_answers_it_as_its_customer(desk: AgentsDesk) -> None:
    await add_user(desk.stores, "Ada", [CUSTOMER], [SUPPORT], LONG_AGO)
    first = await target(desk)
    await desk.take(desk.answer(first, "Still burning.\r\n", sender=CUSTOMER, made_for=CUSTOMER))

    assert isinstance(told(await desk.ticket_of(first))[-1], CustomerReplied)


async def test_the_same_command_again_in_another_mail_is_another_deed_but_the_same_mail_is_not(
    desk: AgentsDesk,
) -> None:
    """A mail that somebody caught and sends once more is the mail that we had."""
    await desk.user()
    first = await target(desk)
    raw = desk.answer(first, "#status open\r\n")
    await desk.take(raw)
    await desk.change(first, lambda ticket: ticket.change_status(Status.CLOSED, cause("close")))
    await desk.take(b"Received: from evil.example\r\n" + raw)
    replayed = (await desk.ticket_of(first)).status
    later = {"Date": "Tue, 01 Sep 2026 09:59:59 +0200"}
    await desk.take(desk.answer(first, "#status open\r\n", "another@example.org", headers=later))

    assert replayed is Status.CLOSED
    assert (await desk.ticket_of(first)).status is Status.OPEN
    assert not any(isinstance(one, CommandRefused) for one in told(await desk.ticket_of(first)))
