"""Rounds under load are a step apart, and only then; judged on a clock that stands still unless moved."""

from shared.runtime.pace import BUSY, LOOK_SECONDS, MANY, MANY_BYTES, STEP, Pace
from tests.fakes.clock import FakeClock


async def paced(clock: FakeClock, pace: Pace, a_second: float) -> float:
    """The pause after a second and a little in which so many records moved, in ten rounds."""
    for _ in range(10):
        await clock.advance(1.01 * LOOK_SECONDS / 10)
        pause = pace.pause_after(round(a_second / 10), 100)
    return pause


async def test_after_a_quiet_time_one_round_follows_the_other_at_once() -> None:
    pace = Pace(FakeClock().monotonic)

    assert pace.pause_after(MANY - 1, 100) == 0.0


async def test_below_load_nothing_waits_however_long_it_goes_on() -> None:
    clock = FakeClock()
    pace = Pace(clock.monotonic)

    assert [await paced(clock, pace, BUSY * 0.8) for _ in range(20)] == [0.0] * 20


async def test_under_load_rounds_are_a_step_apart() -> None:
    clock = FakeClock()
    pace = Pace(clock.monotonic)

    assert await paced(clock, pace, BUSY * 2) == STEP
    assert pace.pause_after(0, 0) == STEP


async def test_when_the_load_is_over_nothing_waits_any_more() -> None:
    clock = FakeClock()
    pace = Pace(clock.monotonic)
    await paced(clock, pace, BUSY * 2)

    assert await paced(clock, pace, 0) == 0.0


async def test_a_backlog_moves_without_a_pause_by_number_and_by_bytes() -> None:
    clock = FakeClock()
    pace = Pace(clock.monotonic)
    await paced(clock, pace, BUSY * 2)

    assert pace.pause_after(MANY, 100) == 0.0
    assert pace.pause_after(2, MANY_BYTES) == 0.0
    assert pace.pause_after(2, 100) == STEP
