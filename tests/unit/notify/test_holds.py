"""A letter stays its process's while it is tried, and nobody's for long when that process is gone."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.notify.holds import Holds
from shared.domain.errors import Conflict
from shared.domain.letters import LetterState
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.servers.smtp import ScriptedSmtp
from tests.unit.notify.samples import NOW, QUICK, automatic, delivering, letter
from tests.unit.notify.watching import in_state

LEASE = 12.0


class Slow(ScriptedSmtp):
    """A relay that thinks about every recipient for longer than a lease lasts."""

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name
        self, session: Any, details: object, envelope: Any, address: str, options: list[str]
    ) -> str:
        await asyncio.sleep(3 * SHORT)
        return await super().handle_RCPT(session, details, envelope, address, options)


SHORT = 0.3


@pytest.mark.parametrize("make", [automatic, letter])
async def test_a_relay_that_is_slower_than_the_lease_gets_each_letter_once(stores: Stores, make: Any) -> None:
    own = QUICK.model_copy(update={"lease_seconds": SHORT, "answer_seconds": 60.0, "accept_seconds": 60.0})
    names = [str(number) for number in range(8)]
    for name in names:
        await stores.letters.add(make(name))
    async with Slow() as relay, delivering(stores, relay.address, own):
        await eventually(lambda: in_state(stores, LetterState.SENT, *names), within=60)

        assert len(relay.received) == len(names)


async def test_a_letter_whose_lease_is_over_is_left_to_whoever_claims_it(stores: Stores) -> None:
    async with ScriptedSmtp() as relay, delivering(stores, relay.address) as deliverer:
        now = datetime.now(UTC)
        late = letter("late", at=now - timedelta(seconds=10), wake_at=now - timedelta(seconds=1))
        deliverer.offer(late)  # and no store knows it: to try it would be to send what is another's
        await stores.letters.add(letter("next"))
        await eventually(lambda: in_state(stores, LetterState.SENT, "next"))

        assert len(relay.received) == 1


async def test_what_is_held_is_renewed_in_time_and_what_was_let_go_is_not(stores: Stores) -> None:
    clock = FakeClock(NOW)
    holds = Holds(stores.letters, clock, LEASE)
    until = NOW + timedelta(seconds=LEASE)
    held, free = letter("held", at=NOW, wake_at=until), letter("free", at=NOW, wake_at=until)
    for one in (held, free):
        await stores.letters.add(one)
        assert await holds.take(one)
    await holds.let_go(free)
    keeping = asyncio.create_task(holds.keep())
    for _ in range(8):
        await clock.advance(LEASE / 4)
        await eventually(lambda: clock.sleeping == 1)
        stored = await stores.letters.get(held.id)
        assert (stored.version, stored.wake_at) == (held.version, held.wake_at)
        assert stored.wake_at is not None
        assert stored.wake_at - clock.now() >= timedelta(seconds=LEASE / 4)

    assert held.version > 2
    assert (await stores.letters.get(free.id)).version == free.version == 1
    keeping.cancel()


async def test_a_letter_with_little_of_its_lease_left_is_renewed_before_it_is_tried(stores: Stores) -> None:
    clock = FakeClock(NOW)
    holds = Holds(stores.letters, clock, LEASE)
    one = letter(at=NOW, wake_at=NOW + timedelta(seconds=1))
    await stores.letters.add(one)

    assert await holds.take(one)
    assert (await stores.letters.get(one.id)).wake_at == NOW + timedelta(seconds=LEASE) == one.wake_at


async def test_a_letter_that_another_has_claimed_cannot_be_held_and_keeps_its_version(stores: Stores) -> None:
    holds = Holds(stores.letters, FakeClock(NOW), LEASE)
    one = letter(at=NOW, wake_at=NOW + timedelta(seconds=1))
    await stores.letters.add(one.model_copy(deep=True))
    await stores.letters.change(one.id, lambda another: another.touch())

    assert not await holds.take(one)
    one.start_sending()
    with pytest.raises(Conflict):
        await stores.letters.save(one, if_version=1)
