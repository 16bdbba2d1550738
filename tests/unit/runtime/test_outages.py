"""Outages: begun by the first who is told, over when the last one is through, and nobody sleeps too long."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared.domain.errors import Unavailable
from shared.runtime.outages import Outages
from tests.fakes.clock import FakeClock
from tests.helpers import eventually

DOWN = Unavailable("mongo", "no primary")


async def test_readiness_names_the_dependency_until_the_last_one_is_through() -> None:
    outages = Outages(FakeClock(), "triage")
    outages.note("one", DOWN)
    outages.note("two", DOWN)

    with pytest.raises(Unavailable, match="mongo does not answer"):
        outages.check()

    outages.over("one")
    with pytest.raises(Unavailable, match="no primary"):
        outages.check()

    outages.over("two")
    outages.check()


async def test_an_outage_is_logged_once_at_each_end_however_many_wait_and_try() -> None:
    clock = FakeClock()
    outages = Outages(clock, "triage")
    with capture_logs() as logs:
        for _ in range(5):
            outages.note("one", DOWN)
            outages.note("two", DOWN)
        await clock.advance(7)
        outages.over("one")
        outages.over("two")

    assert [(line["event"], line.get("seconds")) for line in logs] == [
        ("consumer.outage", None),
        ("consumer.outage_over", 7.0),
    ]


async def test_whoever_waits_tries_again_after_its_pause() -> None:
    clock = FakeClock()
    waiting = asyncio.create_task(Outages(clock, "triage").wait("one", DOWN, pause=30))
    await clock.advance(29)
    assert not waiting.done()

    await clock.advance(1)
    await eventually(waiting.done)


async def test_one_that_got_through_wakes_the_others_at_once() -> None:
    """With pauses of half a minute, a recovery would else be noticed half a minute late."""
    outages = Outages(FakeClock(), "triage")
    other = asyncio.create_task(outages.wait("other", DOWN, pause=30))
    outages.note("quick", DOWN)
    await asyncio.sleep(0)

    outages.over("quick")

    await asyncio.wait_for(other, 5)


async def test_one_that_gave_up_wakes_nobody() -> None:
    clock = FakeClock()
    outages = Outages(clock, "triage")
    other = asyncio.create_task(outages.wait("other", DOWN, pause=30))
    outages.note("gone", DOWN)
    outages.leave("gone")
    await clock.advance(29)

    assert not other.done()
    await clock.advance(1)
    await other


async def test_one_dependency_that_is_back_does_not_wake_those_who_wait_for_another() -> None:
    clock = FakeClock()
    outages = Outages(clock, "triage")
    other = asyncio.create_task(outages.wait("other", Unavailable("the model", "busy"), pause=30))
    outages.note("one", DOWN)
    outages.over("one")
    await clock.advance(29)

    assert not other.done()
    with pytest.raises(Unavailable, match="the model"):
        outages.check()
    await clock.advance(1)
    await other


async def test_after_a_wake_up_that_led_to_nothing_the_next_pause_is_kept() -> None:
    """Else those that wait would spin as long as one of them gets through now and then."""
    clock = FakeClock()
    outages = Outages(clock, "triage")
    first = asyncio.create_task(outages.wait("one", DOWN, pause=30))
    outages.note("quick", DOWN)
    await asyncio.sleep(0)
    outages.over("quick")
    await first

    second = asyncio.create_task(outages.wait("one", DOWN, pause=30))
    await clock.advance(29)

    assert not second.done()
    await clock.advance(1)
    await second
