"""One subscription from joining to leaving: fetches, starts handlers, commits, gives partitions back.

One loop does all that talks to the subscription; handlers run beside it, one task for each key at work. When
the window is full, partitions are paused and the loop goes on asking: it is the sign of life.

On failure: what the bus answers with `Unavailable` is asked again, logged once an outage; any other error of
the subscription, and one that stays unavailable though the bus answers, is `Broken`: whoever holds the
session leaves and joins anew. Nothing that is not finished is ever committed, so all of it comes again.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable, Sequence

import structlog

from shared.domain.errors import Unavailable
from shared.metrics import CONSUMER_IN_FLIGHT, CONSUMER_LAG, CONSUMER_LAST_POLL
from shared.ports.bus import Bus, Partition, Record, Subscription
from shared.ports.clock import Clock
from shared.runtime.backoff import Backoff
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.runtime.guard import Watch
from shared.runtime.handling import Handling
from shared.runtime.outages import Outages
from shared.runtime.pace import Pace
from shared.runtime.service import Reader
from shared.runtime.settings import ConsumerSettings
from shared.runtime.waiting import first_of
from shared.runtime.window import Chain, Lane, Rewound, Window

DEPTH = 16
"""Records held for each handler that may run: what waits behind a busy key must not idle the others."""

HELD_BYTES = 64 * 1024 * 1024
"""Records held in memory, about."""

FETCH_LIMIT = 256
"""Records in one fetch: of the largest mails that travel by value (half a megabyte) still 128 MB."""

LONG_FETCH = 0.5
"""Seconds to wait for a record; also how late a stop may be noticed."""

SHORT_FETCH = 0.05
"""The same while something is paused: how late it is resumed."""

LAG_EVERY = 5.0
"""Seconds between two looks at the lag."""

BROKEN_AFTER = 60.0
"""Seconds of failing fetches, though the bus answers, after which the subscription is given up."""

LONGEST_FETCH_PAUSE = 5.0
"""Seconds at most between two fetches that fail."""

REVOKE_SHARE = 0.8
"""Share of `drain` that handlers get when partitions are taken away; the rest is for the commit."""

SIGN_OF_LIFE = 1.0
"""Seconds between two fetches while leaving."""

CANCEL_SECONDS = 0.5
COMMIT_SECONDS = 1.0
CLOSE_SECONDS = 2.0
"""What is left of 25 s to stop when 20 are for draining: for cancelled handlers, a last commit, goodbye."""

log = structlog.get_logger()


class Broken(Exception):
    """The subscription is of no use any more: join anew."""


class Session:
    """See the module. Made for one subscription, and used up with it."""

    def __init__(
        self,
        reader: Reader,
        bus: Bus,
        clock: Clock,
        settings: ConsumerSettings,
        handling: Handling,
        outages: Outages,
        watch: Watch,
    ) -> None:
        self._reader = reader
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._handling = handling
        self._outages = outages
        self._watch = watch
        self._window = Window(settings.concurrency * DEPTH, HELD_BYTES)
        self._backoff = Backoff(settings.first_pause, min(settings.longest_pause, LONGEST_FETCH_PAUSE))
        self._pace = Pace(clock.monotonic)
        self._subscription: Subscription
        self._paused: frozenset[Partition] = frozenset()
        self._ready: deque[Chain] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self._fault: BaseException | None = None
        self._failed_fetches = 0
        self._failing_since = 0.0
        self._commit_at = self._lag_at = 0.0
        self.received = False
        self._poll_gauge = CONSUMER_LAST_POLL.labels(reader.group)
        self._flight_gauge = CONSUMER_IN_FLIGHT.labels(reader.group)
        self._lag_gauge = CONSUMER_LAG.labels(reader.topic, reader.group)

    async def join(self, member: str) -> None:
        """Become a member of the group. Raises what the bus raises."""
        reader = self._reader
        self._subscription = await self._bus.subscribe([reader.topic], reader.group, member, self._revoked)
        self._watch.heard()

    def has_share(self) -> bool:
        """Whether the group has told it its share of the partitions, which may be none."""
        return self._subscription.has_share()

    async def live(self, stop: asyncio.Event) -> None:
        """Read until `stop`, or until the handling has halted. Raises `Broken`."""
        while not stop.is_set() and not self._handling.halted:
            await self._turn(stop)
            if self._fault is not None:
                raise self._fault
            if self._watch.forsaken(assigned=bool(self._subscription.assignment())):
                raise Broken("without partitions for long")

    async def leave(self) -> None:
        """Finish what is at work within `drain` seconds, commit, leave the group."""
        lanes = self._window.close(self._window.partitions)
        staying = asyncio.create_task(self._stay_a_member())
        try:
            await self._drain(lanes, self._settings.drain)
            await self._within(COMMIT_SECONDS, self._commit(self._window.lanes))
        finally:
            staying.cancel()
            await asyncio.gather(staying, return_exceptions=True)
        await self._close()

    async def abandon(self) -> None:
        """Cancel what is at work, commit nothing, leave the group: it all comes again."""
        await self._drain(self._window.close(self._window.partitions), 0)
        await self._close()

    # -- reading

    async def _turn(self, stop: asyncio.Event) -> None:
        self._pause_and_resume()
        records = await self._fetch(stop)
        if records is None:
            return
        for record in records:
            self._take(record)
        self._start()
        self._flight_gauge.set(self._window.held)
        if self._window.held:
            self._watch.heard()
        now = self._clock.monotonic()
        if now >= self._commit_at:
            self._commit_at = now + self._settings.commit_every
            await self._noting("commit", self._commit(self._window.lanes))
        if now >= self._lag_at:
            self._lag_at = now + LAG_EVERY
            await self._noting("lag", self._look_at_lag())
        if pause := self._pace.pause_after(len(records), sum(len(record.value) for record in records)):
            await first_of(self._clock.sleep(pause), stop.wait())

    def _pause_and_resume(self) -> None:
        wanted = self._window.to_pause(self._subscription.assignment())
        if wanted != self._paused:
            self._subscription.pause(wanted - self._paused)
            self._subscription.resume(self._paused - wanted)
            self._paused = wanted

    async def _fetch(self, stop: asyncio.Event) -> Sequence[Record] | None:
        self._poll_gauge.set(self._clock.now().timestamp())
        self._watch.turned()
        limit = max(1, min(FETCH_LIMIT, self._window.room))
        try:
            # Awaited in this very task: between its return and the taking in, no partition can be revoked.
            records = await self._subscription.fetch(limit, SHORT_FETCH if self._paused else LONG_FETCH)
        except Unavailable as fault:
            await self._outlast(fault, stop)
            return None
        except Exception as fault:
            raise Broken(f"fetch: {type(fault).__name__}: {fault}") from fault
        if self._failed_fetches:
            self._failed_fetches = 0
            self._outages.over("fetch")
        if records:
            self.received = True
            self._watch.heard()
        return records

    async def _outlast(self, fault: Unavailable, stop: asyncio.Event) -> None:
        now = self._clock.monotonic()
        if not self._failed_fetches:
            self._failing_since = now
        self._failed_fetches += 1
        self._watch.heard()
        pause = self._backoff.pause(self._failed_fetches)
        await first_of(self._outages.wait("fetch", fault, pause), stop.wait())
        if now - self._failing_since >= BROKEN_AFTER and not stop.is_set():
            await self._break_if_the_bus_answers(fault)

    async def _break_if_the_bus_answers(self, fault: Unavailable) -> None:
        try:
            await self._bus.ping()
        except Unavailable:
            return
        raise Broken(f"fetch fails though the bus answers: {fault}")

    def _take(self, record: Record) -> None:
        try:
            if record.headers.get("ce_type") in self._reader.ignored:
                self._window.pass_over(record)
                return
            chain = self._window.take(record)
        except Rewound as why:
            raise Broken(str(why)) from why
        if chain is not None:
            self._ready.append(chain)

    async def _look_at_lag(self) -> None:
        behind = sum((await self._subscription.lag()).values())
        self._lag_gauge.set(behind)
        self._watch.lagging(behind)

    async def _noting(self, what: str, call: Awaitable[None]) -> None:
        """Await it; when the bus does not answer, readiness says so and it is asked again in its time."""
        try:
            await call
        except Unavailable as fault:
            self._outages.note(what, fault)
            self._watch.heard()
        except Exception as fault:
            raise Broken(f"{what}: {type(fault).__name__}: {fault}") from fault
        else:
            self._outages.over(what)

    # -- handling

    def _start(self) -> None:
        while self._ready and len(self._running) < self._settings.concurrency and not self._handling.halted:
            chain = self._ready.popleft()
            if chain.lane.closed:
                continue
            chain.task = asyncio.create_task(self._work_off(chain))
            self._running.add(chain.task)
            chain.task.add_done_callback(self._ended)

    async def _work_off(self, chain: Chain) -> None:
        try:
            while chain.records and not chain.lane.closed and not self._handling.halted:
                if not await self._handling.settle(chain):
                    return
                self._window.finish(chain)
        except asyncio.CancelledError:
            if not chain.lane.closed:  # nothing behind this record could ever be committed
                self._fault = Broken("a handler's task was cancelled, and not by us")
            raise

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            self._fault = self._fault or task.exception()
        self._start()

    async def _drain(self, lanes: Iterable[Lane], seconds: float) -> None:
        """Wait for what is at work in closed lanes, not for what waits for another try; cancel the rest."""
        chains = [chain for lane in lanes for chain in lane.chains.values()]
        tasks = {chain.task for chain in chains if chain.task is not None and not chain.task.done()}
        for chain in chains:
            if chain.resting and chain.task is not None:
                chain.task.cancel()
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=seconds)
        if late:
            log.warning("consumer.left_undone", group=self._reader.group, handlers=len(late))
            for task in late:
                task.cancel()
            await asyncio.wait(late, timeout=CANCEL_SECONDS)

    # -- committing and leaving

    async def _commit(self, lanes: Iterable[Lane]) -> None:
        done = [(lane, lane.committable()) for lane in lanes]
        done = [(lane, offset) for lane, offset in done if offset > lane.committed]
        if done:
            await reach(Site.CONSUMER_HANDLED)
            await self._subscription.commit({lane.partition: offset for lane, offset in done})
        for lane, offset in done:
            lane.committed = max(lane.committed, offset)

    async def _revoked(self, partitions: frozenset[Partition]) -> None:
        lanes = self._window.close(partitions)
        try:
            await self._drain(lanes, REVOKE_SHARE * self._settings.drain)
            await self._commit(lanes)
        except Unavailable as fault:
            log.warning("consumer.revoked_uncommitted", group=self._reader.group, reason=str(fault))
        finally:
            self._window.forget(partitions)
            self._paused -= partitions

    async def _stay_a_member(self) -> None:
        """Ask on while leaving, or others would take over what is being finished here."""
        self._subscription.pause(self._subscription.assignment())
        while True:
            await asyncio.sleep(SIGN_OF_LIFE)
            await self._subscription.fetch(1, 0)

    async def _close(self) -> None:
        await self._within(CLOSE_SECONDS, self._subscription.close())
        for what in ("fetch", "commit", "lag"):
            self._outages.leave(what)
        self._flight_gauge.set(0)

    async def _within(self, seconds: float, call: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(seconds):
                await call
        except Exception as fault:  # noqa: BLE001  # we leave all the same, and what is uncommitted comes again
            log.warning("consumer.left_badly", group=self._reader.group, reason=type(fault).__name__)
