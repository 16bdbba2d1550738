"""Timers over real documents: each deadline has one outcome, whoever fires it and however often."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from services.escalation.handlers import EscalationHandlers
from services.escalation.rules import Policy
from services.escalation.settings import EscalationSettings
from services.escalation.timers import Timers
from shared.domain.cause import Cause
from shared.domain.deadlines import DeadlineState, Target
from shared.domain.events import SlaBreached
from shared.domain.priority import Priority
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.runtime.service import Handle, routed
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.platforms import Ground, embedded

SETTINGS = EscalationSettings()
HOUR = 3600.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def ground(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, clock) as ground:
        yield ground


def handler(ground: Ground) -> Handle:
    return routed(EscalationHandlers(ground.platform.stores, Policy.default(SETTINGS)).routes())


def timers(ground: Ground) -> Timers:
    return Timers(ground.platform.stores, ground.platform.clock, SETTINGS)


async def opened(ground: Ground, number: int = 1) -> str:
    at = ground.platform.clock.now()
    ticket = Ticket.open(
        f"tkt_{number}",
        number,
        mailbox="support",
        subject="Question",
        channel="mail",
        customer=Contact(address="eve@example.org"),
        message_id="msg_1",
        may_auto_respond=True,
        cause=Cause(f"ingest:{number}", "customer:eve", at),
    )
    await ground.platform.stores.tickets.add(ticket)
    return ticket.id


async def states(ground: Ground, ticket_id: str = "tkt_1") -> dict[str, DeadlineState]:
    page = await ground.platform.stores.deadlines.find({"ticket_id": ticket_id})
    return {deadline.target.value: deadline.state for deadline in page.items}


async def breaches(ground: Ground) -> list[str]:
    return [event.target for event in await ground.events() if isinstance(event, SlaBreached)]


async def test_a_deadline_fires_when_it_is_due_and_not_before(ground: Ground, clock: FakeClock) -> None:
    await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(8 * HOUR - 1)
    before = await timers(ground).fire_due()
    await clock.advance(1)
    after = await timers(ground).fire_due()

    assert (before, after) == (0, 1)
    assert await breaches(ground) == ["first_response"]
    assert await states(ground) == {
        "first_response": DeadlineState.BREACHED,
        "resolution": DeadlineState.RUNNING,
    }


async def test_many_processes_fire_each_deadline_once(ground: Ground, clock: FakeClock) -> None:
    for number in range(30):
        await opened(ground, number)
    await ground.feed(handler(ground))
    await clock.advance(9 * HOUR)
    fired = await asyncio.gather(*(timers(ground).fire_due() for _ in range(5)))

    assert sum(fired) == 30
    assert await breaches(ground) == ["first_response"] * 30


async def test_a_process_that_died_after_telling_the_ticket_tells_it_once(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(8 * HOUR)
    stores = ground.platform.stores
    (claimed,) = await stores.deadlines.collection.claim(clock.now(), SETTINGS.lease, 10)
    cause = Cause(f"escalation:{claimed.id}", "service:escalation", clock.now())
    await stores.tickets.change(
        ticket_id, lambda t: t.breach("first_response", claimed.due_at, "default", cause)
    )
    while_held = await timers(ground).fire_due()
    await clock.advance(SETTINGS.lease)
    afterwards = await timers(ground).fire_due()

    assert (while_held, afterwards) == (0, 1)
    assert await breaches(ground) == ["first_response"]


async def test_an_answer_in_time_is_met_even_if_nobody_told_escalation(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(HOUR)
    reply = Cause("api:1", "user:ada", clock.now())
    await ground.platform.stores.tickets.change(ticket_id, lambda t: t.agent_replied("msg_2", reply))
    await clock.advance(8 * HOUR)
    await timers(ground).fire_due()

    assert await breaches(ground) == []
    assert (await states(ground))["first_response"] is DeadlineState.MET


async def test_an_answer_too_late_meets_nothing_though_it_is_heard_of_before_the_timer_fires(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(8 * HOUR + 1)
    reply = Cause("api:1", "user:ada", clock.now())
    await ground.platform.stores.tickets.change(ticket_id, lambda t: t.agent_replied("msg_2", reply))
    await ground.feed(handler(ground))
    await timers(ground).fire_due()

    assert await breaches(ground) == ["first_response"]
    assert (await states(ground))["first_response"] is DeadlineState.BREACHED


async def test_a_deadline_that_was_told_as_missed_is_missed_though_the_teller_died_and_an_answer_came(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(8 * HOUR)
    stores = ground.platform.stores
    (claimed,) = await stores.deadlines.collection.claim(clock.now(), SETTINGS.lease, 10)
    cause = Cause(f"escalation:{claimed.id}", "service:escalation", clock.now())
    await stores.tickets.change(
        ticket_id, lambda t: t.breach("first_response", claimed.due_at, "default", cause)
    )
    await clock.advance(SETTINGS.lease)
    reply = Cause("api:1", "user:ada", clock.now())
    await stores.tickets.change(ticket_id, lambda t: t.agent_replied("msg_2", reply))
    await ground.feed(handler(ground))
    await timers(ground).fire_due()

    assert await breaches(ground) == ["first_response"]
    assert (await states(ground))["first_response"] is DeadlineState.BREACHED


async def test_the_whole_story_read_again_leaves_the_same_deadlines(ground: Ground, clock: FakeClock) -> None:
    ticket_id = await opened(ground)
    tickets = ground.platform.stores.tickets
    at = clock.now()
    await tickets.change(ticket_id, lambda t: t.set_priority(Priority.HIGH, Cause("api:1", "user:ada", at)))
    await tickets.change(
        ticket_id, lambda t: t.change_status(Status.RESOLVED, Cause("api:2", "user:ada", at))
    )
    later = at + timedelta(hours=1)
    await tickets.change(
        ticket_id, lambda t: t.customer_replied("m", "e@x", Cause("ingest:2", "customer:e", later))
    )
    await ground.feed(handler(ground))
    once = (await ground.platform.stores.deadlines.find({"ticket_id": ticket_id})).items
    await ground.feed(handler(ground))
    twice = (await ground.platform.stores.deadlines.find({"ticket_id": ticket_id})).items

    assert once == twice
    assert sorted(deadline.state.value for deadline in once) == ["met", "met", "running"]


async def test_a_ticket_reopened_more_often_than_a_page_is_long_keeps_one_resolution(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await opened(ground)
    at = clock.now()

    def solved_and_reopened(ticket: Ticket, number: int) -> None:
        ticket.change_status(Status.RESOLVED, Cause(f"api:{number}", "user:ada", at))
        ticket.customer_replied("m", "e@x", Cause(f"ingest:{number}", "customer:e", at))

    for number in range(90):
        await ground.platform.stores.tickets.change(ticket_id, partial(solved_and_reopened, number=number))
    await ground.feed(handler(ground))
    stores = ground.platform.stores
    left = await stores.deadlines.find({"ticket_id": ticket_id, "state": DeadlineState.RUNNING}, limit=200)

    assert [deadline.target for deadline in left.items] == [Target.RESOLUTION]


async def test_a_deadline_of_a_ticket_that_is_gone_does_not_stop_the_others(
    ground: Ground, clock: FakeClock
) -> None:
    gone = await opened(ground, 1)
    await opened(ground, 2)
    await ground.feed(handler(ground))
    await ground.platform.stores.tickets.collection.delete(gone)
    await clock.advance(9 * HOUR)
    await timers(ground).fire_due()

    assert (await states(ground, "tkt_2"))["first_response"] is DeadlineState.BREACHED


class SetBack(FakeClock):
    """Is set back by an hour as soon as somebody has asked it while it is armed."""

    armed = False

    def now(self) -> datetime:
        asked = super().now()
        if self.armed:
            self.armed = False
            self.jump(asked - timedelta(hours=1))
        return asked


async def test_an_outcome_is_never_before_its_due_time_though_the_clock_is_set_back_after_the_claim(
    tmp_path: Path,
) -> None:
    clock = SetBack()
    async with embedded(tmp_path, clock) as ground:
        await opened(ground)
        await ground.feed(handler(ground))
        await clock.advance(8 * HOUR + 1)
        clock.armed = True
        assert await timers(ground).fire_due() == 1

        (fired,) = [
            deadline
            for deadline in (await ground.platform.stores.deadlines.find({"ticket_id": "tkt_1"})).items
            if deadline.state is DeadlineState.BREACHED
        ]
        (told,) = [event for event in await ground.events() if isinstance(event, SlaBreached)]
        assert clock.now() < fired.due_at
        assert (fired.fired_at, told.occurred_at) == (fired.due_at, fired.due_at)


async def test_timers_run_until_they_are_told_to_stop(ground: Ground, clock: FakeClock) -> None:
    await opened(ground)
    await ground.feed(handler(ground))
    await clock.advance(9 * HOUR)
    stop = asyncio.Event()
    running = asyncio.create_task(timers(ground).run(stop))

    async def breached() -> bool:
        return (await states(ground))["first_response"] is DeadlineState.BREACHED

    await eventually(breached)
    stop.set()
    await asyncio.wait_for(running, 5)

    assert await breaches(ground) == ["first_response"]
