"""A ticket put on hold until an instant opens at it, once, unless something moved it before."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.escalation.handlers import EscalationHandlers
from services.escalation.rules import Policy
from services.escalation.settings import EscalationSettings
from services.escalation.snoozes import Snoozes
from shared.domain.cause import Cause
from shared.domain.events import StatusChanged
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.runtime.service import routed
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


def snoozes(ground: Ground) -> Snoozes:
    return Snoozes(ground.platform.stores, ground.platform.clock, SETTINGS)


async def heard(ground: Ground) -> None:
    """Escalation hears of everything, from the start."""
    handlers = EscalationHandlers(ground.platform.stores, Policy.default(SETTINGS))
    await ground.feed(routed(handlers.routes()))


def cause(ground: Ground, key: str) -> Cause:
    return Cause(f"api:{key}", "user:ada", ground.platform.clock.now())


async def snoozed(ground: Ground, number: int = 1, hours: float = 2) -> str:
    """A ticket that is put off, and escalation has heard of it."""
    ticket = Ticket.open(
        f"tkt_{number}",
        number,
        mailbox="support",
        subject="Question",
        channel="mail",
        customer=Contact(address="eve@example.org"),
        message_id="msg_1",
        may_auto_respond=True,
        cause=cause(ground, f"open {number}"),
    )
    until = ground.platform.clock.now() + timedelta(hours=hours)
    ticket.snooze(until, cause(ground, f"snooze {number}"))
    await ground.platform.stores.tickets.add(ticket)
    await heard(ground)
    return ticket.id


async def status(ground: Ground, ticket_id: str) -> Status:
    return (await ground.platform.stores.tickets.get(ticket_id)).status


async def openings(ground: Ground) -> int:
    events = [one for one in await ground.events() if isinstance(one, StatusChanged)]
    return sum(one.status == Status.OPEN.value for one in events)


async def test_a_snoozed_ticket_opens_at_its_instant_and_not_before(ground: Ground, clock: FakeClock) -> None:
    ticket_id = await snoozed(ground)
    await clock.advance(2 * HOUR - 1)
    before = (await snoozes(ground).fire_due(), await status(ground, ticket_id))
    await clock.advance(1)
    after = (await snoozes(ground).fire_due(), await status(ground, ticket_id))

    assert before == (0, Status.ON_HOLD)
    assert after == (1, Status.OPEN)
    assert (await ground.platform.stores.tickets.get(ticket_id)).snoozed_until is None


async def test_many_processes_open_each_ticket_once_and_hearing_all_again_opens_none(
    ground: Ground, clock: FakeClock
) -> None:
    for number in range(1, 31):
        await snoozed(ground, number)
    await clock.advance(3 * HOUR)
    fired = await asyncio.gather(*(snoozes(ground).fire_due() for _ in range(5)))
    await heard(ground)
    again = await snoozes(ground).fire_due()

    assert (sum(fired), again) == (30, 0)
    assert await openings(ground) == 30


async def test_a_process_that_died_after_opening_the_ticket_opens_it_once(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id = await snoozed(ground)
    await clock.advance(2 * HOUR)
    stores = ground.platform.stores
    (claimed,) = await stores.snoozes.collection.claim(clock.now(), SETTINGS.lease, 10)
    why = Cause(f"escalation:{claimed.id}", "service:escalation", clock.now())
    await stores.tickets.change(ticket_id, lambda ticket: ticket.wake(claimed.until, why))
    while_held = await snoozes(ground).fire_due()
    await clock.advance(SETTINGS.lease)

    assert (while_held, await snoozes(ground).fire_due()) == (0, 1)
    assert await openings(ground) == 1


async def test_a_reply_of_the_customer_ends_the_snooze_and_its_instant_changes_nothing(
    ground: Ground, clock: FakeClock
) -> None:
    ticket_id, tickets = await snoozed(ground), ground.platform.stores.tickets
    await tickets.change(
        ticket_id, lambda one: one.customer_replied("msg_2", "eve@example.org", cause(ground, "reply"))
    )
    replied = await tickets.change(
        ticket_id, lambda one: one.change_status(Status.WAITING, cause(ground, "wait"))
    )
    await clock.advance(3 * HOUR)
    fired = await snoozes(ground).fire_due()

    assert (fired, (await tickets.get(ticket_id)).version) == (1, replied.version)
    assert await status(ground, ticket_id) is Status.WAITING


async def test_a_ticket_put_off_anew_opens_at_the_new_instant_alone(ground: Ground, clock: FakeClock) -> None:
    ticket_id, tickets = await snoozed(ground), ground.platform.stores.tickets
    until = clock.now() + timedelta(hours=5)
    await tickets.change(ticket_id, lambda one: one.snooze(until, cause(ground, "again")))
    await heard(ground)
    await clock.advance(3 * HOUR)
    first = (await snoozes(ground).fire_due(), await status(ground, ticket_id))
    await clock.advance(2 * HOUR)
    second = (await snoozes(ground).fire_due(), await status(ground, ticket_id))

    assert (first, second) == ((1, Status.ON_HOLD), (1, Status.OPEN))


async def test_a_snooze_of_a_ticket_that_is_gone_fires_into_nothing(ground: Ground, clock: FakeClock) -> None:
    ticket_id = await snoozed(ground)
    await ground.platform.stores.tickets.collection.delete(ticket_id)
    await clock.advance(3 * HOUR)

    assert await snoozes(ground).fire_due() == 1
    assert await snoozes(ground).fire_due() == 0


async def test_the_task_opens_what_comes_due_until_it_is_stopped(ground: Ground, clock: FakeClock) -> None:
    ticket_id, stop = await snoozed(ground), asyncio.Event()
    running = asyncio.create_task(snoozes(ground).run(stop))
    await clock.advance(2 * HOUR)

    async def is_open() -> bool:
        return await status(ground, ticket_id) is Status.OPEN

    await eventually(is_open, within=30)
    stop.set()
    await clock.advance(SETTINGS.look_every)
    await running
