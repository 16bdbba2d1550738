"""Too large a dead share, and silence: judged from numbers, on a clock that stands still unless moved."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from pytest import raises

from shared.runtime.guard import LEAST_SEEN, DeadShare, Silent, Watch


class Hands:
    """A clock whose hands the test moves; nobody sleeps on it here."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError(f"nobody sleeps {seconds} s here")


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


def test_records_that_wait_while_none_comes_are_silence() -> None:
    hands = Hands()
    watch = Watch(hands, silent_after=120)
    watch.lagging(3)
    hands.seconds += 119
    watch.turned()
    watch.check()

    hands.seconds += 1
    watch.turned()
    with raises(Silent, match="3 records wait"):
        watch.check()


def test_nothing_to_hear_is_no_silence() -> None:
    hands = Hands()
    watch = Watch(hands, silent_after=120)
    hands.seconds += 10_000
    watch.lagging(0)
    watch.turned()

    watch.check()


def test_a_record_or_an_outage_begins_the_waiting_anew() -> None:
    hands = Hands()
    watch = Watch(hands, silent_after=120)
    watch.lagging(3)
    hands.seconds += 100
    watch.heard()
    hands.seconds += 100
    watch.turned()

    watch.check()


def test_a_call_that_does_not_come_back_is_silence_even_without_lag() -> None:
    hands = Hands()
    watch = Watch(hands, silent_after=120)
    watch.heard()
    hands.seconds += 120

    with raises(Silent, match="not come back"):
        watch.check()


def test_a_member_without_partitions_joins_anew_ever_more_rarely() -> None:
    """It may be one member too many, for which asking again and again would disturb the whole group."""
    hands = Hands()
    watch = Watch(hands, silent_after=100)
    asked = []
    for second in range(0, 2_000, 10):
        hands.seconds = 1_000.0 + second
        if watch.forsaken(assigned=False):
            asked.append(second)

    assert asked == [100, 300, 700, 1500]


def test_a_member_that_got_partitions_again_is_patient_as_at_first() -> None:
    hands = Hands()
    watch = Watch(hands, silent_after=100)
    watch.forsaken(assigned=False)
    hands.seconds += 100
    assert watch.forsaken(assigned=False)

    assert not watch.forsaken(assigned=True)
    assert not watch.forsaken(assigned=False)
    hands.seconds += 100
    assert watch.forsaken(assigned=False)
