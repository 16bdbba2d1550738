"""A user's mail that somebody caught, or was sent a copy of, and sends once more: its signature still holds,
so our server confirms it, but what no signature vouches for may have been changed (RFC 6376 §8.15)."""

import asyncio
from typing import Any

import pytest

from shared.domain.events import AgentReplied, CommandRefused
from shared.domain.ledger import LedgerEntry
from shared.domain.messages import Direction
from shared.runtime.service import Platform
from tests.unit.ingest.agents_desk import BOB, PASS, AgentsDesk, reason, told
from tests.unit.ingest.mails import fetched, mail

ORDER = "#reply\r\nTry  water.\r\n"


@pytest.fixture
def desk(platform: Platform) -> AgentsDesk:
    return AgentsDesk(platform)


async def replies(desk: AgentsDesk, first: LedgerEntry) -> int:
    return sum(isinstance(one, AgentReplied) for one in told(await desk.ticket_of(first)))


@pytest.mark.parametrize(
    "changed",
    [
        {"message_id": "other@example.net"},
        {"message_id": ""},
        {"message_id": "other@example.net", "text": "#reply\r\nTry water. \r\n\r\n"},
        {"message_id": "cmd@example.org", "text": "#reply\r\nTry water. \r\n"},
        {"message_id": "x@x", "headers": {"Content-Type": "text/plain; charset=utf-16"}},
        {"message_id": "x@x", "headers": {"Date": "Tue, 01 Sep 2026 09:59:58 +0200 (once more)"}},
    ],
)
async def test_a_mail_sent_once_more_with_what_no_signature_vouches_for_changed_is_refused(
    desk: AgentsDesk, changed: dict[str, Any]
) -> None:
    await desk.user()
    first = await desk.ticket()
    done = await desk.message_of(await desk.take(desk.answer(first, ORDER)))
    again = await desk.message_of(await desk.take(desk.answer(first, **{"text": ORDER, **changed})))

    assert await replies(desk, first) == 1
    assert (done.direction, again.direction) == (Direction.OUTBOUND, Direction.NOTE)
    assert done.id in reason(again)


async def test_a_mail_about_one_ticket_is_not_done_to_another_when_it_is_sent_once_more(
    desk: AgentsDesk,
) -> None:
    """By a seal for the other ticket, out of another mail of the user, in a header that is not signed."""
    await desk.user()
    first = await desk.ticket()
    other = await desk.take(mail("other@example.org", subject="The lamp", body="It is dark.\r\n"))
    await desk.take(desk.answer(first, ORDER))
    again = await desk.message_of(await desk.take(desk.answer(other, ORDER, "x@x")))

    assert await replies(desk, other) == 0
    assert again.direction is Direction.NOTE


@pytest.mark.parametrize(
    "twice",
    ["Date: Wed, 02 Sep 2026 09:59:58 +0200", "Content-Type: text/plain; charset=utf-8; format=flowed"],
)
async def test_a_mail_with_a_second_field_above_the_signed_one_is_refused(
    desk: AgentsDesk, twice: str
) -> None:
    """A signature vouches for the lowest of them, and we read the topmost (RFC 6376 §8.15)."""
    await desk.user()
    first = await desk.ticket()
    raw = desk.answer(first, ORDER, headers={"Content-Type": "text/plain"})
    message = await desk.message_of(await desk.take(f"{twice}\r\n".encode() + raw))

    assert "fields, where one is allowed" in reason(message)
    assert await replies(desk, first) == 0


SIGNED = "v=1; a=rsa-sha256; d=example.org; s=l; h=from:date; bh=bD0=; b=l=="


@pytest.mark.parametrize("length", ["; l=24", ";\tL = 0;", ";\r\n l=24; t=1"])
async def test_a_mail_whose_signature_ends_before_the_mail_does_is_refused(
    desk: AgentsDesk, length: str
) -> None:
    """Who has a copy could add to a reply, and send it as a new one (RFC 6376 §8.2)."""
    await desk.user()
    first = await desk.ticket()
    signed = {"DKIM-Signature": SIGNED + length}
    message = await desk.message_of(await desk.take(desk.answer(first, ORDER, headers=signed)))

    assert "its DKIM signature has l=" in reason(message)
    assert await replies(desk, first) == 0


async def test_a_mail_that_is_signed_whole_is_carried_out(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.take(desk.answer(first, ORDER, headers={"DKIM-Signature": SIGNED}))

    assert await replies(desk, first) == 1


async def test_a_mail_without_a_date_is_refused_as_nobody_knows_whether_it_came_before(
    desk: AgentsDesk,
) -> None:
    await desk.user()
    first = await desk.ticket()
    message = await desk.message_of(await desk.take(desk.answer(first, ORDER, headers={"Date": ""})))

    assert "it has no Date" in reason(message)


async def test_of_a_mail_and_its_repeat_that_come_at_once_one_is_done(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    copies = [desk.answer(first, ORDER, f"c{number}@x") for number in range(5)]
    await asyncio.gather(*(desk.handle(fetched(copy, uid)) for uid, copy in enumerate(copies, 2)))
    ticket = await desk.ticket_of(first)

    assert await replies(desk, first) == 1
    assert sum(isinstance(one, CommandRefused) for one in told(ticket)) == 4


async def test_another_mail_of_the_same_words_is_another_command(desk: AgentsDesk) -> None:
    await desk.user()
    first = await desk.ticket()
    await desk.take(desk.answer(first, ORDER))
    later = {"Date": "Tue, 01 Sep 2026 09:59:59 +0200", "Authentication-Results": PASS}
    await desk.take(desk.answer(first, ORDER, "two@example.org", sender=BOB, headers=later))

    assert await replies(desk, first) == 2
