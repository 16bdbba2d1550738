"""Too large a dead share, and silence: judged from numbers, on a clock that stands still unless moved."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.guard import LEAST_SEEN, DeadShare, Silent, Watch
from tests.fakes.clock import FakeClock


def test_the_line_is_stopped_as_soon_as_enough_was_seen_when_everything_goes_dead() -> None:
    share = DeadShare(0.5, 100)

    verdicts = [share.note(dead=True) for _ in range(LEAST_SEEN)]

    assert verdicts == [False] * (LEAST_SEEN - 1) + [True]


def test_a_share_that_is_just_reached_does_not_stop_the_line() -> None:
    share = DeadShare(0.5, 100)

    assert not any(share.note(dead=number % 2 == 1) for number in range(1_000))


def test_old_records_leave_the_window() -> None:
    """A good day before does not make up for a bad deployment now."""
    share = DeadShare(0.5, 100)
    for _ in range(10_000):
        share.note(dead=False)

    verdicts = [share.note(dead=True) for _ in range(60)]

    assert verdicts.index(True) == 50


def test_a_window_smaller_than_what_must_be_seen_is_enough_by_itself() -> None:
    share = DeadShare(0.5, 4)

    assert [share.note(dead=True) for _ in range(4)] == [False, False, False, True]


def test_a_share_of_one_never_stops_the_line() -> None:
    share = DeadShare(1.0, 10)

    assert not any(share.note(dead=True) for _ in range(100))


@given(st.lists(st.booleans(), max_size=300), st.integers(1, 50), st.floats(0.01, 1.0))
def test_the_share_is_that_of_the_last_records(outcomes: list[bool], window: int, limit: float) -> None:
    share = DeadShare(limit, window)
    for count, dead in enumerate(outcomes, start=1):
        verdict = share.note(dead=dead)
        last = outcomes[max(0, count - window) : count]
        enough = len(last) >= min(LEAST_SEEN, window)
        assert verdict == (dead and enough and sum(last) > limit * len(last))


async def test_records_that_wait_while_none_comes_are_silence() -> None:
    clock = FakeClock()
    watch = Watch(clock, silent_after=120)
    watch.lagging(3)
    await clock.advance(119)
    watch.turned()
    watch.check()

    await clock.advance(1)
    watch.turned()
    with pytest.raises(Silent, match="3 records wait"):
        watch.check()


async def test_nothing_to_hear_is_no_silence() -> None:
    clock = FakeClock()
    watch = Watch(clock, silent_after=120)
    await clock.advance(10_000)
    watch.lagging(0)
    watch.turned()

    watch.check()


async def test_a_record_or_an_outage_begins_the_waiting_anew() -> None:
    clock = FakeClock()
    watch = Watch(clock, silent_after=120)
    watch.lagging(3)
    await clock.advance(100)
    watch.heard()
    await clock.advance(100)
    watch.turned()

    watch.check()


async def test_a_call_that_does_not_come_back_is_silence_even_without_lag() -> None:
    clock = FakeClock()
    watch = Watch(clock, silent_after=120)
    watch.heard()
    await clock.advance(120)

    with pytest.raises(Silent, match="not come back"):
        watch.check()


async def test_a_member_without_partitions_joins_anew_ever_more_rarely() -> None:
    """It may be one member too many, for which asking again and again would disturb the whole group."""
    clock = FakeClock()
    watch = Watch(clock, silent_after=100)
    asked = []
    for second in range(0, 2_000, 10):
        if watch.forsaken(assigned=False):
            asked.append(second)
        await clock.advance(10)

    assert asked == [100, 300, 700, 1500]


async def test_a_member_that_got_partitions_again_is_patient_as_at_first() -> None:
    clock = FakeClock()
    watch = Watch(clock, silent_after=100)
    watch.forsaken(assigned=False)
    await clock.advance(100)
    assert watch.forsaken(assigned=False)

    assert not watch.forsaken(assigned=True)
    assert not watch.forsaken(assigned=False)
    await clock.advance(100)
    assert watch.forsaken(assigned=False)
