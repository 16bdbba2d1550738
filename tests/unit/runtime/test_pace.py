"""Fetches under load are a step apart, and only then; judged on a clock that stands still unless moved."""

from datetime import UTC, datetime

from shared.ports.bus import Partition, Record
from shared.runtime.pace import BUSY, LOOK_SECONDS, MANY, MANY_BYTES, STEP, Pace
from tests.fakes.clock import FakeClock


def some(number: int, octets: int = 100) -> list[Record]:
    at = datetime(2026, 3, 2, tzinfo=UTC)
    return [Record(Partition("t", 0), offset, "k", b"x" * octets, {}, at) for offset in range(number)]


async def paced(clock: FakeClock, pace: Pace, a_second: float) -> float:
    """The pause after a second and a little in which so many records came, ten fetches in all."""
    for _ in range(10):
        await clock.advance(1.01 * LOOK_SECONDS / 10)
        pause = pace.pause_after(some(round(a_second / 10)))
    return pause


async def test_the_first_records_after_a_quiet_time_are_followed_by_a_fetch_at_once() -> None:
    pace = Pace(FakeClock())

    assert pace.pause_after(some(MANY - 1)) == 0.0


async def test_below_load_nothing_waits_however_long_it_goes_on() -> None:
    clock = FakeClock()
    pace = Pace(clock)

    assert [await paced(clock, pace, BUSY * 0.8) for _ in range(20)] == [0.0] * 20


async def test_under_load_fetches_are_a_step_apart() -> None:
    clock = FakeClock()
    pace = Pace(clock)

    assert await paced(clock, pace, BUSY * 2) == STEP
    assert pace.pause_after([]) == STEP


async def test_when_the_load_is_over_nothing_waits_any_more() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    await paced(clock, pace, BUSY * 2)

    assert await paced(clock, pace, 0) == 0.0


async def test_a_backlog_is_read_without_a_pause_by_number_and_by_bytes() -> None:
    clock = FakeClock()
    pace = Pace(clock)
    await paced(clock, pace, BUSY * 2)

    assert pace.pause_after(some(MANY)) == 0.0
    assert pace.pause_after(some(2, octets=MANY_BYTES // 2)) == 0.0
    assert pace.pause_after(some(2)) == STEP
