"""Which dependencies are down, and who waits for them.

An outage begins when the first one is told `Unavailable` and ends when the last of those is through; it is
logged once at each end, and readiness fails in between. Nobody gives up: each waits with back-off and jitter,
and as soon as one gets through, all others try at once, so a recovery is noticed by the quickest of them.
"""

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass, field

import structlog

from shared.domain.errors import Unavailable
from shared.ports.clock import Clock
from shared.runtime.waiting import first_of

log = structlog.get_logger()


@dataclass
class _Outage:
    reason: str
    since: float
    waiting: set[Hashable] = field(default_factory=set)
    through: asyncio.Event = field(default_factory=asyncio.Event)


class Outages:
    """The outages that one consumer meets. Whoever waits is known by a thing of its own, `who`."""

    def __init__(self, clock: Clock, name: str) -> None:
        self._clock = clock
        self._name = name
        self._outages: dict[str, _Outage] = {}

    async def wait(self, who: Hashable, fault: Unavailable, pause: float) -> None:
        """Wait for the dependency: `pause` seconds, or less when somebody else gets through to it."""
        through = self.note(who, fault)
        await first_of(self._clock.sleep(pause), through.wait())

    def note(self, who: Hashable, fault: Unavailable) -> asyncio.Event:
        """This one was told `Unavailable`; returns what is set when somebody else gets through."""
        outage = self._outages.get(fault.dependency)
        if outage is None:
            outage = self._outages[fault.dependency] = _Outage("", self._clock.monotonic())
            log.warning("consumer.outage", consumer=self._name, dependency=fault.dependency)
        outage.reason = str(fault)
        outage.waiting.add(who)
        return outage.through

    def over(self, who: Hashable) -> None:
        """This one got through: the others who wait for the same may try at once."""
        for dependency in self.leave(who):
            if outage := self._outages.get(dependency):
                through, outage.through = outage.through, asyncio.Event()
                through.set()

    def leave(self, who: Hashable) -> list[str]:
        """This one waits no more, whatever the reason; returns what it waited for."""
        left = [dependency for dependency, outage in self._outages.items() if who in outage.waiting]
        for dependency in left:
            outage = self._outages[dependency]
            outage.waiting.discard(who)
            if not outage.waiting:
                del self._outages[dependency]
                log.info(
                    "consumer.outage_over",
                    consumer=self._name,
                    dependency=dependency,
                    seconds=round(self._clock.monotonic() - outage.since, 1),
                )
        return left

    def check(self) -> None:
        """Raises the `Unavailable` that somebody waits on."""
        for dependency, outage in self._outages.items():
            raise Unavailable(dependency, f"{self._name} waits for it, it was told: {outage.reason}")
