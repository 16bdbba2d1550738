"""Back-off: ceilings that double, pauses spread below them, and waiting for whichever is first."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from shared.runtime.backoff import Backoff
from shared.runtime.waiting import first_of


def test_the_ceiling_doubles_with_each_try_up_to_the_longest() -> None:
    backoff = Backoff(0.2, 2.0)

    assert [backoff.ceiling(tries) for tries in range(1, 7)] == [0.2, 0.4, 0.8, 1.6, 2.0, 2.0]


@given(st.integers(1, 10_000_000), st.floats(0, 1))
def test_a_pause_lies_anywhere_below_its_ceiling_even_after_days_of_tries(tries: int, chance: float) -> None:
    backoff = Backoff(0.2, 30.0, chance=lambda: chance)

    assert backoff.pause(tries) == chance * backoff.ceiling(tries)
    assert backoff.ceiling(tries) <= 30.0


def test_pauses_of_many_do_not_fall_together() -> None:
    backoff = Backoff(0.2, 30.0)

    assert len({backoff.pause(8) for _ in range(100)}) > 90


async def test_the_first_wait_to_be_over_ends_the_waiting_and_the_others_are_cancelled() -> None:
    over, never = asyncio.Event(), asyncio.Event()
    ended: list[str] = []

    async def other() -> None:
        try:
            await never.wait()
        finally:
            ended.append("other")

    waiting = asyncio.create_task(first_of(over.wait(), other()))
    await asyncio.sleep(0)
    over.set()
    await waiting

    assert ended == ["other"]


async def test_whoever_waits_for_the_first_of_several_can_be_cancelled_and_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(first_of(asyncio.Event().wait(), asyncio.Event().wait()))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert waiting.cancelled()
    assert asyncio.all_tasks() == before
