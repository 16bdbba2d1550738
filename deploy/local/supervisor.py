"""Keeps children alive: one that dies is started again, after a pause that grows while it keeps dying.

Promises:
- A death is noticed within `LOOK_EVERY`, told by `told`, and answered by a new start on the same settings.
- The pause doubles from `first_pause` to `longest_pause` and is short again once a child lived
  for `calm_after`.
- `stop()` starts nobody anew. It asks the children of a group at the same time and waits for all of them
  before it asks the group that was started before: what was started first is stopped last.

Failures: a start that is refused is told as well, and tried again like any other death.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.errors import Refused

LOOK_EVERY = 0.1  # seconds


class Child(Protocol):
    """What can be supervised: a `services.sandbox.process.Process` or `Server`."""

    @property
    def pid(self) -> int:
        """The process id."""
        ...

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        ...

    @property
    def exit_status(self) -> int | None:
        """How it ended."""
        ...

    def start(self) -> None:
        """Start it; blocks until it is useful, raises `Refused`."""
        ...

    def stop(self) -> object:
        """End it in order; blocks until it is gone."""
        ...


@dataclass(frozen=True)
class Restarted:
    """A child died with `exit` and runs again as `pid`; or, with a `fault`, could not be started."""

    name: str
    pid: int
    exit: int | None
    fault: str | None = None


class Supervisor:
    """Starts children, restarts them, stops them; all calls from one event loop."""

    def __init__(
        self,
        told: Callable[[Restarted], None],
        *,
        first_pause: float = 0.2,
        longest_pause: float = 5.0,
        calm_after: float = 10.0,
    ) -> None:
        self._told = told
        self._first_pause = first_pause
        self._longest_pause = longest_pause
        self._calm_after = calm_after
        self._groups: list[dict[str, Child]] = []
        self._watches: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()

    async def start(self, group: dict[str, Child]) -> None:
        """Start these side by side and keep them alive; raises `Refused` if one does not start."""
        self._groups.append(group)
        starts = (asyncio.to_thread(child.start) for child in group.values())
        for outcome in await asyncio.gather(*starts, return_exceptions=True):
            if outcome is not None:
                raise outcome
        for name, child in group.items():
            self._watches.append(asyncio.create_task(self._keep(name, child), name=f"supervise {name}"))

    def pids(self) -> dict[str, int]:
        """The process id of every child by its name, in the order of their start."""
        return {name: child.pid for group in self._groups for name, child in group.items()}

    async def stop(self) -> None:
        """Stop everything, the last group first; the children of a group side by side."""
        self._stopping.set()
        await asyncio.gather(*self._watches)
        self._watches.clear()
        for group in reversed(self._groups):
            await asyncio.gather(*(asyncio.to_thread(child.stop) for child in group.values()))
        self._groups.clear()

    async def _keep(self, name: str, child: Child) -> None:
        pause = self._first_pause
        while True:
            began = time.monotonic()
            while child.running:
                if await self._stopped_within(LOOK_EVERY):
                    return
            if time.monotonic() - began > self._calm_after:
                pause = self._first_pause
            if await self._stopped_within(pause):
                return
            pause = min(pause * 2, self._longest_pause)
            await self._restart(name, child)

    async def _restart(self, name: str, child: Child) -> None:
        ended_with, fault = child.exit_status, None
        try:
            await asyncio.to_thread(child.start)
        except Refused as refused:
            fault = str(refused)
        self._told(Restarted(name, child.pid, ended_with, fault))

    async def _stopped_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
