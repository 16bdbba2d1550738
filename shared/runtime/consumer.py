"""The one runner of all handlers: at least once, in order for each key, keys side by side.

Promises:
- Up to `concurrency` handlers run at once; records of one key strictly one after the other. Offsets are
  committed every `commit_every` seconds up to the oldest unfinished record, when partitions are taken away,
  and at the end: whatever dies when, what was not finished comes again.
- What becomes of a record whose handler raises is told in handling.py; of what the bus raises, in session.py.
- While anything waits for a dependency, `ping` raises `Unavailable` naming it. Nothing goes dead for it.
- When too large a share of records would go dead, it stops itself, commits nothing past the first of them,
  leaves the group and stays up, with `ping` saying what to do.
- On `stop`: it ends fetching, finishes what is at work within `drain` seconds, commits, leaves: within 5
  seconds more. What did not finish is cancelled. When `run` itself is cancelled, nothing is committed.
- It ends with `Silent` when records wait and none come, so that the process is started again.
"""

import asyncio

import structlog

from shared.domain.errors import Unavailable
from shared.metrics import CONSUMER_STOPPED
from shared.ports.bus import Bus
from shared.ports.clock import Clock
from shared.runtime.backoff import Backoff
from shared.runtime.dead import dead_topic
from shared.runtime.guard import Watch
from shared.runtime.handling import Handling
from shared.runtime.outages import Outages
from shared.runtime.service import Reader
from shared.runtime.session import Broken, Session
from shared.runtime.settings import ConsumerSettings
from shared.runtime.waiting import first_of, unless

FIRST_REJOIN = 1.0
"""Seconds before a broken subscription is made anew, doubled each time it breaks without a record."""

WATCH_EVERY = 5.0
"""Seconds between two looks for silence."""

log = structlog.get_logger()


class Consumer:
    """Reads `reader.topic` as `member` of `reader.group` and has each record handled; see the module."""

    def __init__(
        self, reader: Reader, bus: Bus, clock: Clock, settings: ConsumerSettings, member: str
    ) -> None:
        self._reader = reader
        self._bus = bus
        self._clock = clock
        self._settings = settings
        self._member = member
        self._name = f"{reader.group} on {reader.topic}"
        self._outages = Outages(clock, self._name)
        self._watch = Watch(clock, settings.silent_after)
        self._handling = Handling(reader, bus, clock, settings, self._outages)
        self._joining = Backoff(settings.first_pause, settings.longest_pause)
        self._rejoining = Backoff(FIRST_REJOIN, max(FIRST_REJOIN, settings.longest_pause))
        self._session: Session | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set. Raises `Silent`, and what the bus raises for good, such as `Refused`."""
        CONSUMER_STOPPED.labels(self._reader.group).set(0)
        breaks = 0
        while (session := await self._join(stop)) is not None:
            try:
                broken = await self._live(session, stop)
                await session.leave()
            except BaseException:
                await session.abandon()
                raise
            finally:
                self._session = None
            if self._handling.halted:
                CONSUMER_STOPPED.labels(self._reader.group).set(1)
                await stop.wait()
            elif broken:
                breaks = 1 if session.received else breaks + 1
                await first_of(self._clock.sleep(self._rejoining.ceiling(breaks)), stop.wait())

    async def ping(self) -> None:
        """Return if records are read and handled. Raises `Unavailable` saying what is waited for."""
        if self._handling.halted:
            raise Unavailable(self._name, self._handling.halted)
        self._outages.check()
        if self._session is None:
            raise Unavailable(self._name, "it has not joined its group yet")
        if not self._session.has_share():
            raise Unavailable(self._name, "its group has not told it its share of the partitions yet")

    async def _join(self, stop: asyncio.Event) -> Session | None:
        """A session that has joined; None when told to stop before. Waits for the bus as long as it takes."""
        tries = 0
        while not stop.is_set():
            session = Session(
                self._reader,
                self._bus,
                self._clock,
                self._settings,
                self._handling,
                self._outages,
                self._watch,
            )
            try:
                if not await unless(stop, self._enter(session)):
                    return None
            except Unavailable as fault:
                tries += 1
                pause = self._joining.pause(tries)
                await first_of(self._outages.wait("join", fault, pause), stop.wait())
            else:
                self._outages.over("join")
                self._session = session
                return session
        return None

    async def _enter(self, session: Session) -> None:
        topic = self._reader.topic
        await self._bus.prepare([topic, dead_topic(topic)])
        await session.join(self._member)

    async def _live(self, session: Session, stop: asyncio.Event) -> bool:
        """Read until the session ends, and return whether it broke. Raises `Silent`."""
        tasks = {asyncio.create_task(session.live(stop)), asyncio.create_task(self._keep_watch())}
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        try:
            for task in ended:
                task.result()
        except Broken as why:
            log.warning("consumer.broken", consumer=self._name, reason=str(why))
            return True
        return False

    async def _keep_watch(self) -> None:
        while True:
            await self._clock.sleep(min(WATCH_EVERY, self._settings.silent_after / 4))
            self._watch.check()
