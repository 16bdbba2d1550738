# ruff: noqa: ARG002 (a port's method takes what the port says)
"""Buses for the consumer's tests besides the real ones.

`ScriptedBus` is a peer that fails as real ones do (silent, broken, hanging, rewound) when the test says so.
`NotingBus` is a real bus whose commits and dead events the test can look at.
"""

import asyncio
import contextlib
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

from shared.ports.bus import Bus, Message, Partition, Record, Revoked, Subscription

PARTITION = Partition("t", 0)
HANG = TimeoutError("hangs")


class ScriptedSubscription:
    """Gives what was put into it; `faults["fetch"]` and so on are raised first, one a call."""

    def __init__(self, bus: "ScriptedBus", on_revoked: Revoked | None) -> None:
        self.on_revoked = on_revoked
        self.committed: dict[Partition, int] = {}
        self.paused: frozenset[Partition] = frozenset()
        self.assigned = frozenset({PARTITION})
        self.shared_out = True
        self.fetches = 0
        self.closed = False
        self._bus = bus

    async def fetch(self, limit: int, wait: float) -> list[Record]:
        self.fetches += 1
        await self._bus.play("fetch")
        if not self._due():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(wait, 0.01)):
                    await self._bus.grown.wait()
        given = self._due()[:limit]
        for record in given:
            self._bus.records.remove(record)
        self._bus.grown.clear()
        return given

    def _due(self) -> list[Record]:
        return [record for record in self._bus.records if record.partition in self.assigned - self.paused]

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        await self._bus.play("commit")
        self.committed |= offsets

    def pause(self, partitions: frozenset[Partition]) -> None:
        self.paused |= partitions

    def resume(self, partitions: frozenset[Partition]) -> None:
        self.paused -= partitions

    def assignment(self) -> frozenset[Partition]:
        return self.assigned

    def has_share(self) -> bool:
        return self.shared_out

    async def lag(self) -> dict[Partition, int]:
        await self._bus.play("lag")
        return dict.fromkeys(self.assigned, self._bus.behind)

    async def close(self) -> None:
        self.closed = True
        await self._bus.play("close")


class ScriptedBus:
    """A bus of one partition, `t` 0."""

    def __init__(self) -> None:
        self.faults: dict[str, deque[BaseException]] = defaultdict(deque)
        self.records: list[Record] = []
        self.grown = asyncio.Event()
        self.subscriptions: list[ScriptedSubscription] = []
        self.published: list[Message] = []
        self.behind = 0

    def put(self, *records: Record) -> None:
        self.records += records
        self.grown.set()

    async def play(self, operation: str) -> None:
        """Raise the next fault of this operation, or hang, if the script has one."""
        faults = self.faults[operation]
        if faults and faults[0] is HANG:
            await asyncio.Event().wait()
        if faults:
            raise faults.popleft()

    async def publish(self, messages: Sequence[Message]) -> None:
        await self.play("publish")
        self.published += messages

    async def subscribe(
        self, topics: Sequence[str], group: str, member: str, on_revoked: Revoked | None = None
    ) -> Subscription:
        await self.play("subscribe")
        self.subscriptions.append(ScriptedSubscription(self, on_revoked))
        return self.subscriptions[-1]

    async def browse(self, topic: str, limit: int, after: Mapping[int, int] | None = None) -> list[Record]:
        return []

    async def prepare(self, topics: Sequence[str]) -> None:
        await self.play("prepare")

    async def ping(self) -> None:
        await self.play("ping")


class NotingBus:
    """A real bus; `at_commit` is given the offsets before each commit, `commits` keeps what succeeded."""

    def __init__(self, bus: Bus, at_commit: Callable[[Mapping[Partition, int]], None] | None = None) -> None:
        self._bus = bus
        self.at_commit = at_commit
        self.commits: dict[Partition, int] = {}
        self.subscriptions: list[NotingSubscription] = []

    async def publish(self, messages: Sequence[Message]) -> None:
        await self._bus.publish(messages)

    async def subscribe(
        self, topics: Sequence[str], group: str, member: str, on_revoked: Revoked | None = None
    ) -> Subscription:
        subscription = await self._bus.subscribe(topics, group, member, on_revoked)
        self.subscriptions.append(NotingSubscription(self, subscription))
        return self.subscriptions[-1]

    async def browse(self, topic: str, limit: int, after: Mapping[int, int] | None = None) -> list[Record]:
        return await self._bus.browse(topic, limit, after)

    async def prepare(self, topics: Sequence[str]) -> None:
        await self._bus.prepare(topics)

    async def ping(self) -> None:
        await self._bus.ping()


class NotingSubscription:
    """The real one, noted."""

    def __init__(self, bus: NotingBus, subscription: Subscription) -> None:
        self._bus = bus
        self._real = subscription
        self.paused: frozenset[Partition] = frozenset()
        self.fetch = subscription.fetch
        self.resume = subscription.resume
        self.assignment = subscription.assignment
        self.has_share = subscription.has_share
        self.lag = subscription.lag
        self.close = subscription.close

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        if self._bus.at_commit is not None:
            self._bus.at_commit(offsets)
        await self._real.commit(offsets)
        self._bus.commits |= offsets

    def pause(self, partitions: frozenset[Partition]) -> None:
        self.paused |= partitions
        self._real.pause(partitions)
