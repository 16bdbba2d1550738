"""The clock's contract, on the machine's clock and on the fake that other tests move."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared.adapters.system_clock import SystemClock
from shared.ports.clock import Clock
from tests.fakes.clock import START, FakeClock

Pass = Callable[[float], Awaitable[None]]


@pytest.fixture(params=["system", "fake"])
def both(request: pytest.FixtureRequest) -> tuple[Clock, Pass]:
    """A clock, and how its time passes: by itself, or by being moved."""
    if request.param == "system":
        return SystemClock(), asyncio.sleep
    fake = FakeClock()
    return fake, fake.advance


async def test_now_is_in_utc(both: tuple[Clock, Pass]) -> None:
    clock, _ = both

    assert clock.now().tzinfo is UTC


async def test_time_passes_for_now_and_for_monotonic(both: tuple[Clock, Pass]) -> None:
    clock, let_pass = both
    now, monotonic = clock.now(), clock.monotonic()

    await let_pass(0.02)

    assert clock.now() - now >= timedelta(seconds=0.019)
    assert clock.monotonic() - monotonic >= 0.019


async def test_a_sleeper_sleeps_as_long_as_it_asked_for(both: tuple[Clock, Pass]) -> None:
    clock, let_pass = both
    start = clock.monotonic()
    sleeper = asyncio.create_task(clock.sleep(0.02))
    await asyncio.sleep(0)

    assert not sleeper.done()
    await let_pass(0.05)
    await sleeper
    assert clock.monotonic() - start >= 0.019


async def test_sleeping_no_time_still_lets_others_run(both: tuple[Clock, Pass]) -> None:
    clock, _ = both
    others = asyncio.create_task(asyncio.sleep(0))

    for seconds in (0, -1):
        await clock.sleep(seconds)
    await clock.sleep(0)

    assert others.done()


async def test_a_cancelled_sleeper_disturbs_nobody(both: tuple[Clock, Pass]) -> None:
    clock, let_pass = both
    first, second = (asyncio.create_task(clock.sleep(0.01)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()

    await let_pass(0.03)

    await second
    assert first.cancelled()


async def test_the_machines_clock_tells_the_time_of_day() -> None:
    assert abs(SystemClock().now() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_the_fake_stands_still_until_it_is_moved() -> None:
    fake = FakeClock()
    await asyncio.sleep(0.01)

    assert (fake.now(), fake.monotonic()) == (START, 0.0)
    await fake.advance(90)
    assert (fake.now(), fake.monotonic()) == (START + timedelta(seconds=90), 90.0)


async def test_the_fake_wakes_sleepers_in_order_each_at_its_own_instant() -> None:
    fake = FakeClock()
    woken: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await fake.sleep(seconds)
        woken.append((name, fake.monotonic()))

    async with asyncio.TaskGroup() as group:
        for name, seconds in (("late", 9.0), ("early", 1.0), ("middle", 5.0), ("early too", 1.0)):
            group.create_task(sleeper(name, seconds))
        await fake.advance(5)
        assert woken == [("early", 1.0), ("early too", 1.0), ("middle", 5.0)]
        await fake.advance(4)

    assert woken[-1] == ("late", 9.0)


async def test_who_sleeps_again_and_again_wakes_as_often_as_fits_into_one_advance() -> None:
    fake = FakeClock()
    beats: list[float] = []

    async def beat() -> None:
        while True:
            await fake.sleep(10)
            beats.append(fake.monotonic())

    task = asyncio.create_task(beat())
    await fake.advance(35)
    task.cancel()

    assert beats == [10, 20, 30]


async def test_a_jump_of_the_fakes_time_of_day_wakes_nobody() -> None:
    fake = FakeClock()
    sleeper = asyncio.create_task(fake.sleep(60))
    await fake.advance(0)
    fake.jump(START + timedelta(hours=1))
    await fake.advance(59)

    assert not sleeper.done()
    assert fake.now() == START + timedelta(hours=1, seconds=59)
    await fake.advance(1)
    assert sleeper.done()
