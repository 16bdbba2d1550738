"""What a person does with letters by hand: list, show, try again."""

from datetime import UTC, datetime, timedelta

import pytest

from services.notify.commands import list_letters, retry_letter, show_letter
from shared.domain.errors import Invalid, MoveNotAllowed, NotFound
from shared.domain.letters import LetterState
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.unit.notify.samples import NOW, letter


async def test_letters_are_listed_newest_first_by_state_and_ticket(stores: Stores) -> None:
    for number in range(3):
        at = NOW + timedelta(minutes=number)
        await stores.letters.add(letter(str(number), at=at, ticket_id=f"tkt_{number % 2}"))
    await stores.letters.add(letter("failed", at=NOW, state=LetterState.FAILED, wake_at=None))

    assert [one.id for one in (await list_letters(stores, "queued")).items] == ["let_2", "let_1", "let_0"]
    assert [one.id for one in (await list_letters(stores, ticket_id="tkt_0")).items] == ["let_2", "let_0"]
    assert [one.id for one in (await list_letters(stores, "failed")).items] == ["let_failed"]
    with pytest.raises(Invalid, match="there are held, queued, sending, sent, failed, bounced, cancelled"):
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
