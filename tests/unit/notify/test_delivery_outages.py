"""Delivery while the relay or the store is away, and when it is told to stop."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.sandbox.smtp_sink import SmtpSink
from shared.domain.errors import Unavailable
from shared.domain.letters import LetterState
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually, free_port
from tests.unit.notify.relays import Asking, Holding, Naming
from tests.unit.notify.samples import QUICK, automatic, delivering, letter
from tests.unit.notify.watching import (
    PATIENT,
    SLOW_ANSWER,
    given_back,
    impatient,
    in_state,
    told,
    tried,
)


async def test_letters_wait_while_the_relay_is_down_and_go_when_it_is_back(
    stores: Stores, tmp_path: Path
) -> None:
    names = [str(number) for number in range(10)]
    for name in names:
        await stores.letters.add(automatic(name))
    port = free_port()
    async with delivering(stores, ("127.0.0.1", port)) as deliverer:
        await eventually(lambda: given_back(stores, names))
        with pytest.raises(Unavailable, match="smtp"):
            await deliverer.ping()
        new = letter("new")
        new.wake_at = deliverer.first_wake(new.created_at)
        assert new.wake_at == new.created_at
        await stores.letters.add(new)
        deliverer.offer(new)

        async with SmtpSink("127.0.0.1", port, tmp_path / "outbox") as sink:
            await eventually(lambda: in_state(stores, LetterState.SENT, *names, "new"))
            await deliverer.ping()
            assert len(sink.letters()) == 11

    waited = await stores.letters.get_many([f"let_{name}" for name in names])
    assert {len(one.attempts) for one in waited.values()} == {1}


async def test_stopping_finishes_what_is_being_sent_and_gives_the_rest_back(stores: Stores) -> None:
    one_at_a_time = QUICK.model_copy(update={"connections": 1})
    names = [str(number) for number in range(5)]
    for name in names:
        await stores.letters.add(letter(name))
    async with Holding() as relay:
        async with delivering(stores, relay.address, one_at_a_time):
            await eventually(lambda: relay.holds)
            asyncio.get_running_loop().call_later(0.1, relay.let_go.set)

        states = Counter([(await stores.letters.get(f"let_{name}")).state for name in names])
        assert states == {LetterState.SENT: 1, LetterState.QUEUED: 4}
        waiting = [name for name in names if await in_state(stores, LetterState.QUEUED, name)]
        assert await given_back(stores, waiting)
        assert relay.taken == 1


async def test_a_store_that_is_away_when_the_relay_answers_costs_no_second_mail(tmp_path: Path) -> None:
    async with impatient(tmp_path) as (stores, lock), Holding() as relay:
        await stores.letters.add(automatic())
        with capture_logs() as logs:
            async with delivering(stores, relay.address, SLOW_ANSWER):
                await eventually(lambda: relay.holds)
                lock.execute("BEGIN IMMEDIATE")
                relay.let_go.set()
                await eventually(lambda: told(logs, "letter.unsaved"))
                lock.execute("ROLLBACK")
                await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.received) == 1


async def test_a_store_that_is_away_before_the_content_withholds_it_and_loses_nothing(tmp_path: Path) -> None:
    short_lease = QUICK.model_copy(update={"lease_seconds": 0.2})
    async with impatient(tmp_path) as (stores, lock), Asking() as relay:
        await stores.letters.add(automatic())
        with capture_logs() as logs:
            async with delivering(stores, relay.address, short_lease):
                await eventually(lambda: relay.asked)
                lock.execute("BEGIN IMMEDIATE")
                relay.let_go.set()
                await eventually(lambda: told(logs, "letter.withheld"))
                assert relay.received == []
                lock.execute("ROLLBACK")
                await eventually(lambda: in_state(stores, LetterState.SENT, "1"))

        assert len(relay.received) == 1


async def test_a_fault_of_ours_in_one_letter_is_noted_on_it_and_stops_nothing(stores: Stores) -> None:
    class Faulty(FakeClock):
        """A clock that breaks once, when the first letter is about to be marked as being sent."""

        broken = False

        def now(self) -> datetime:
            if relay.named and not self.broken:
                self.broken = True
                raise ZeroDivisionError
            return datetime.now(UTC)

    async with Naming() as relay:
        await stores.letters.add(letter("first"))
        async with delivering(stores, relay.address, PATIENT, clock=Faulty()):
            await eventually(lambda: tried(stores, "first"))
            await stores.letters.add(letter("second"))
            await eventually(lambda: in_state(stores, LetterState.SENT, "second"))

    first = await stores.letters.get("let_first")
    assert (first.state, first.attempts[0].answer) == (LetterState.QUEUED, "a fault of ours")
    assert len(relay.received) == 1
