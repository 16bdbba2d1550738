"""An agent's reply is held for a while; until it is being sent it can be cancelled, and then never goes."""

from datetime import timedelta

import pytest

from services.notify.commands import cancel_letter, retry_letter
from services.notify.handlers import NotifyHandlers
from shared.adapters.system_clock import SystemClock
from shared.domain.errors import MoveNotAllowed, NotFound
from shared.domain.letters import LetterState
from shared.domain.status import Status
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.servers.smtp import ScriptedSmtp
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import handlers_on, only_letter, replied_in, tell, ticket_in
from tests.unit.notify.relays import Asking
from tests.unit.notify.samples import NOW, QUICK, delivering, letter
from tests.unit.notify.test_undelivered import notes_in
from tests.unit.notify.watching import in_state

HELD = QUICK.model_copy(update={"undo_seconds": 10.0})
S = LetterState


async def a_held_reply(stores: Stores, published: Published) -> NotifyHandlers:
    handlers = handlers_on(stores, settings=HELD)
    await ticket_in(stores, may_auto_respond=False)
    await replied_in(stores)
    await tell(handlers, published)
    return handlers


async def test_a_reply_is_held_for_the_time_to_undo_it(stores: Stores, published: Published) -> None:
    await a_held_reply(stores, published)

    held = await only_letter(stores)
    assert (held.state, held.wake_at) == (S.HELD, NOW + timedelta(seconds=10))


async def test_an_automatic_letter_is_not_held(stores: Stores, published: Published) -> None:
    await ticket_in(stores)
    await tell(handlers_on(stores, settings=HELD), published)

    own = await only_letter(stores)
    assert (own.automatic, own.state) == (True, S.QUEUED)


async def test_a_held_letter_goes_by_itself_when_its_time_is_over_and_not_before(stores: Stores) -> None:
    clock = FakeClock(NOW)
    early, late = letter("early", at=NOW), letter("late", at=NOW)
    early.held(NOW)
    late.held(NOW + timedelta(seconds=10))
    async with ScriptedSmtp() as relay:
        for one in (early, late):
            await stores.letters.add(one)
        async with delivering(stores, relay.address, HELD, clock) as deliverer:
            deliverer.offer(late)
            await eventually(lambda: in_state(stores, S.SENT, "early"))
            assert await in_state(stores, S.HELD, "late")
            await clock.advance(10)
            await eventually(lambda: in_state(stores, S.SENT, "late"))


async def test_a_cancelled_reply_never_goes_and_its_ticket_is_open_again_with_a_note(
    stores: Stores, published: Published
) -> None:
    handlers = await a_held_reply(stores, published)
    assert (await stores.tickets.get("tkt_1")).status is Status.WAITING
    own = await only_letter(stores)
    for _ in range(2):
        await cancel_letter(stores, FakeClock(NOW), own.id, "user:bob")
    for _ in range(2):
        await tell(handlers, published)

    cancelled = await only_letter(stores)
    assert (cancelled.state, cancelled.wake_at, cancelled.attempts) == (S.CANCELLED, None, [])
    assert (await stores.tickets.get("tkt_1")).status is Status.OPEN
    assert await notes_in(stores) == [
        "The reply to ada@customer.example was not sent: cancelled by user:bob."
    ]


async def test_a_letter_cancelled_while_the_relay_is_asked_is_not_given_to_it(stores: Stores) -> None:
    async with Asking() as relay:
        await stores.letters.add(letter("1"))
        await stores.letters.add(letter("2"))
        async with delivering(stores, relay.address):
            await eventually(lambda: relay.asked)
            await cancel_letter(stores, SystemClock(), "let_1", "user:bob")
            relay.let_go.set()
            await eventually(lambda: in_state(stores, S.SENT, "2"))

        assert await in_state(stores, S.CANCELLED, "1")
        assert [b"<let_2@" in taken.content for taken in relay.received] == [True]


@pytest.mark.parametrize("state", [S.SENDING, S.SENT, S.FAILED, S.BOUNCED])
async def test_what_the_relay_may_have_cannot_be_cancelled(stores: Stores, state: LetterState) -> None:
    await stores.letters.add(letter(state=state))

    with pytest.raises(MoveNotAllowed, match=f"{state.value}: too late"):
        await cancel_letter(stores, FakeClock(NOW), "let_1", "user:bob")
    with pytest.raises(NotFound):
        await cancel_letter(stores, FakeClock(NOW), "let_none", "user:bob")


async def test_a_cancelled_letter_may_be_sent_after_all(stores: Stores) -> None:
    await stores.letters.add(letter(state=S.CANCELLED, wake_at=None, reason="cancelled by user:bob"))

    again = await retry_letter(stores, FakeClock(NOW), "let_1")
    assert (again.state, again.wake_at, again.reason) == (S.QUEUED, NOW, "")
