"""Many callers, few bulk calls: each gets its own answer, and nobody waits for nothing."""

import asyncio
from collections.abc import AsyncIterator
from contextvars import ContextVar

import pytest

from shared.adapters.gather import Gatherer
from shared.domain.errors import NotFound, Unavailable
from tests.helpers import eventually

Answer = str | BaseException


class Bulk:
    """A bulk function whose calls wait until they are let go; "bad…" fails alone, "broken" fails all."""

    def __init__(self) -> None:
        self.calls: list[list[str]] = []
        self.under_way = 0
        self.most_under_way = 0
        self._open = asyncio.Event()

    async def run(self, requests: list[str]) -> list[Answer]:
        self.calls.append(requests)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._open.wait()
        finally:
            self.under_way -= 1
        if "broken" in requests:
            raise Unavailable("the test", "it is broken")
        if "short" in requests:
            return []
        return [NotFound(request) if request.startswith("bad") else f"<{request}>" for request in requests]

    def requests(self) -> list[str]:
        return [request for call in self.calls for request in call]

    def let_go(self) -> None:
        self._open.set()


@pytest.fixture
def bulk() -> Bulk:
    return Bulk()


@pytest.fixture
async def gatherer(bulk: Bulk) -> AsyncIterator[Gatherer[str, str]]:
    gatherer = Gatherer(bulk.run, largest=10, parallel=2)
    yield gatherer
    bulk.let_go()
    await gatherer.close()


def ask_all(gatherer: Gatherer[str, str], *requests: str) -> list[asyncio.Task[str]]:
    return [asyncio.ensure_future(gatherer.ask(request)) for request in requests]


async def until_calls(bulk: Bulk, count: int) -> None:
    await eventually(lambda: len(bulk.calls) == count, awaited=f"{count} bulk calls, there are {bulk.calls}")


async def test_a_single_request_is_sent_at_once(gatherer: Gatherer[str, str], bulk: Bulk) -> None:
    asking = asyncio.ensure_future(gatherer.ask("a"))
    for _ in range(3):  # turns of the event loop: no timer can have run out
        await asyncio.sleep(0)

    assert bulk.calls == [["a"]]
    bulk.let_go()
    assert await asking == "<a>"


async def test_what_is_asked_at_the_same_moment_goes_in_one_call(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    bulk.let_go()

    answers = await asyncio.gather(*ask_all(gatherer, "a", "b", "c"))

    assert answers == ["<a>", "<b>", "<c>"]
    assert bulk.calls == [["a", "b", "c"]]


async def test_while_calls_are_under_way_the_next_batch_fills(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    first = ask_all(gatherer, "a")
    await until_calls(bulk, 1)
    second = ask_all(gatherer, "b")
    await until_calls(bulk, 2)

    waiting = ask_all(gatherer, "c", "d")
    await asyncio.sleep(0)
    waiting += ask_all(gatherer, "e")
    bulk.let_go()
    await asyncio.gather(*first, *second, *waiting)

    assert bulk.calls == [["a"], ["b"], ["c", "d", "e"]]


async def test_no_call_is_larger_and_no_more_are_under_way_than_allowed(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    asked = ask_all(gatherer, *map(str, range(95)))
    await until_calls(bulk, 1)
    late = ask_all(gatherer, "late")
    await until_calls(bulk, 2)
    bulk.let_go()

    assert await asyncio.gather(*asked, *late) == [f"<{number}>" for number in range(95)] + ["<late>"]
    assert max(map(len, bulk.calls)) == 10
    assert bulk.most_under_way == 2
    assert sorted(bulk.requests()) == sorted([*map(str, range(95)), "late"])


async def test_each_caller_gets_its_own_error(gatherer: Gatherer[str, str], bulk: Bulk) -> None:
    bulk.let_go()

    answers = await asyncio.gather(*ask_all(gatherer, "a", "bad1", "b", "bad2"), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["<a>", "bad1", "<b>", "bad2"]
    assert [type(answer) for answer in answers] == [str, NotFound, str, NotFound]


async def test_when_the_bulk_call_fails_all_of_its_batch_are_told_and_the_next_is_sent(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    ill = ask_all(gatherer, "a", "broken", "b")
    await until_calls(bulk, 1)
    well = ask_all(gatherer, "c")
    bulk.let_go()

    told = await asyncio.gather(*ill, return_exceptions=True)

    assert [type(answer) for answer in told] == [Unavailable] * 3
    assert await asyncio.gather(*well) == ["<c>"]
    assert await gatherer.ask("d") == "<d>"


async def test_a_wrong_number_of_answers_is_an_error_for_all_and_hangs_nobody(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    bulk.let_go()

    told = await asyncio.gather(*ask_all(gatherer, "a", "short"), return_exceptions=True)

    assert [type(answer) for answer in told] == [RuntimeError] * 2


async def test_a_caller_cancelled_before_its_request_was_sent_is_left_out(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    asked = ask_all(gatherer, *map(str, range(20)))  # two calls of ten
    await until_calls(bulk, 1)
    waiting = ask_all(gatherer, "a", "gone", "b")
    await asyncio.sleep(0)
    waiting[1].cancel()
    bulk.let_go()

    answers = await asyncio.gather(*asked, *waiting, return_exceptions=True)

    assert [answers[20], answers[22]] == ["<a>", "<b>"]
    assert isinstance(answers[21], asyncio.CancelledError)
    assert "gone" not in bulk.requests()


async def test_a_caller_cancelled_while_its_call_is_under_way_breaks_nothing(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    asked = ask_all(gatherer, "a", "gone", "bad", "b")
    await until_calls(bulk, 1)
    asked[1].cancel()
    await asyncio.sleep(0)
    bulk.let_go()

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert [answers[0], answers[3]] == ["<a>", "<b>"]
    assert isinstance(answers[1], asyncio.CancelledError)
    assert isinstance(answers[2], NotFound)


async def test_closing_answers_what_is_under_way_and_refuses_the_rest(
    gatherer: Gatherer[str, str], bulk: Bulk
) -> None:
    first = ask_all(gatherer, "a")
    await until_calls(bulk, 1)
    second = ask_all(gatherer, "b")
    await until_calls(bulk, 2)
    waiting = ask_all(gatherer, "c", "d")
    await asyncio.sleep(0)

    closing = asyncio.ensure_future(gatherer.close())
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in told] == [Unavailable] * 2
    assert not closing.done()
    bulk.let_go()
    await closing

    assert await asyncio.gather(*first, *second) == ["<a>", "<b>"]
    assert bulk.calls == [["a"], ["b"]]
    with pytest.raises(Unavailable):
        await gatherer.ask("e")


async def test_closing_an_idle_gatherer_twice_is_no_error(gatherer: Gatherer[str, str]) -> None:
    await gatherer.close()
    await gatherer.close()


async def test_a_bulk_call_carries_no_callers_context() -> None:
    """A batch belongs to many callers: log fields of one of them would be wrong for the others."""
    caller: ContextVar[str] = ContextVar("caller", default="nobody")

    async def run(requests: list[str]) -> list[str | BaseException]:
        return [caller.get() for _ in requests]

    caller.set("anna")
    gatherer: Gatherer[str, str] = Gatherer(run)

    assert await gatherer.ask("who?") == "nobody"
    await gatherer.close()


def test_a_loop_that_is_torn_down_leaves_no_caller_hanging() -> None:
    """`asyncio.run` cancels every task at its end, senders before or after callers."""
    told: list[BaseException] = []

    async def never(requests: list[str]) -> list[str | BaseException]:
        await asyncio.Event().wait()
        return []

    async def ask(gatherer: Gatherer[str, str], request: str) -> None:
        try:
            await gatherer.ask(request)
        except asyncio.CancelledError as error:
            told.append(error)
            raise

    async def main() -> list[asyncio.Task[None]]:
        gatherer: Gatherer[str, str] = Gatherer(never, largest=1, parallel=1)
        callers = [asyncio.ensure_future(ask(gatherer, str(number))) for number in range(3)]
        await asyncio.sleep(0)
        return callers

    callers = asyncio.run(main())

    assert all(caller.cancelled() for caller in callers)
    assert len(told) == 3


async def test_a_caller_who_asks_again_at_once_on_its_answer_is_answered_again() -> None:
    """It asks while the sender that answered it has ended, but has not been seen to have ended yet."""

    async def run(requests: list[str]) -> list[Answer]:
        return list(requests)

    gatherer = Gatherer[str, str](run, parallel=1)

    async def ask_on() -> list[str]:
        return [await gatherer.ask(str(number)) for number in range(100)]

    assert len(await asyncio.wait_for(ask_on(), 5)) == 100
    await gatherer.close()
