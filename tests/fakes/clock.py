"""A clock that moves only when its test moves it; it passes the clock's contract suite."""

import asyncio
import heapq
import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""A Monday morning."""

_TURNS = 20  # of the event loop: enough for a woken sleeper to act on what it awaits, and to sleep again


class FakeClock:
    """The clock port, moved by `advance`.

    Sleepers wake in the order of their instants, each at its own: while one acts, `now` is the moment it
    asked for, and when it sleeps again within the span of the same `advance`, it wakes again.
    """

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()

    def now(self) -> datetime:
        """The instant, with timezone UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since this clock was made."""
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        """Return when the clock has been moved `seconds` ahead; for 0 after a turn of the loop."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._monotonic + seconds, next(self._numbers), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Move ahead, waking everybody whose time comes, in order; returns when they have had their turn."""
        end = self._monotonic + seconds
        await self._let_others_run()
        while self._sleepers and self._sleepers[0][0] <= end:
            at, _, woken = heapq.heappop(self._sleepers)
            self._move_to(max(at, self._monotonic))
            if not woken.done():
                woken.set_result(None)
                await self._let_others_run()
        self._move_to(end)
        await self._let_others_run()

    @property
    def sleeping(self) -> int:
        """How many sleep now; one who works in a thread sleeps again only some turns after its deed shows."""
        return sum(not woken.done() for _, _, woken in self._sleepers)

    def jump(self, to: datetime) -> None:
        """Set the time of day, as an operator does: nobody wakes, and `monotonic` stays as it is."""
        self._now = to.astimezone(UTC)

    def _move_to(self, monotonic: float) -> None:
        self._now += timedelta(seconds=monotonic - self._monotonic)
        self._monotonic = monotonic

    @staticmethod
    async def _let_others_run() -> None:
        for _ in range(_TURNS):
            await asyncio.sleep(0)
