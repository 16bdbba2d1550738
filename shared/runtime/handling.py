"""What is done with one record: try, try again, wait out an outage, or set it aside.

Promises:
- `Unavailable`: the dependency is waited for, however long; the record is not at fault, nothing is counted.
- `Temporary`: tried again with back-off and full jitter, `attempts` times in all, then set aside.
- `Permanent`: set aside at once. Anything else is a fault of ours that may pass: `UNEXPECTED_ATTEMPTS` tries.
- Set aside means published on the dead topic; until that has succeeded, which is tried for ever, the record
  is not done. When too large a share would be set aside, none is any more: `halted` says why.
- A handler that has not ended after `handler_seconds` is broken off, which counts as `Temporary`: what hangs
  holds up its key, and what is committed, for `attempts` times as long and no longer.
- Whoever is cancelled leaves its record undone; a handler that was cancelled from within has but failed.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from shared.domain.errors import Permanent, Temporary, TookTooLong, Unavailable
from shared.metrics import EVENT_AGE, EVENT_RETRIES, EVENT_SECONDS, EVENTS_DEAD, EVENTS_PROCESSED
from shared.ports.bus import Bus, Record
from shared.ports.clock import Clock
from shared.runtime.backoff import Backoff
from shared.runtime.dead import MOST_CUT, code_of, dead_message
from shared.runtime.guard import DeadShare
from shared.runtime.outages import Outages
from shared.runtime.service import Reader
from shared.runtime.settings import ConsumerSettings
from shared.runtime.window import Chain

UNEXPECTED_ATTEMPTS = 3

log = structlog.get_logger()


class Left(Exception):
    """The record is left undone, for its partition or the whole consumer is being closed."""


class Handling:
    """Brings the records of one reader to their end. `halted` is empty, or says why nothing more is begun."""

    def __init__(
        self, reader: Reader, bus: Bus, clock: Clock, settings: ConsumerSettings, outages: Outages
    ) -> None:
        self._reader = reader
        self._handle = reader.handle
        self._bus = bus
        self._clock = clock
        self._attempts = settings.attempts
        self._handler_seconds = settings.handler_seconds
        self._backoff = Backoff(settings.first_pause, settings.longest_pause)
        self._outages = outages
        self._dead_share = DeadShare(settings.dead_share, settings.dead_window)
        self.halted = ""
        labels = (reader.topic, reader.group)
        self._age = EVENT_AGE.labels(*labels)
        self._seconds = EVENT_SECONDS.labels(*labels)
        self._ok = EVENTS_PROCESSED.labels(*labels, "ok")
        self._dead = EVENTS_PROCESSED.labels(*labels, "dead")

    async def settle(self, chain: Chain) -> bool:
        """Bring the first record of the chain to its end. False when it was left undone."""
        record = chain.records[0]
        begun = self._clock.monotonic()
        fault = await self._try(record)
        if fault is not None:
            try:
                fault = await self._insist(chain, record, fault)
            except Left:
                return False
            finally:
                self._outages.leave(chain)
        if fault is None:
            self._dead_share.note(dead=False)
            self._ok.inc()
        else:
            self._dead.inc()
        self._seconds.observe(self._clock.monotonic() - begun)
        self._age.observe(max(0.0, (self._clock.now() - record.published_at).total_seconds()))
        return True

    async def _try(self, record: Record) -> BaseException | None:
        limit = asyncio.timeout(self._handler_seconds)
        try:
            async with limit:
                await self._handle(record)
        except asyncio.CancelledError as fault:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return fault  # nobody cancelled us: something that the handler awaited was
        except Exception as fault:  # noqa: BLE001  # whatever a handler raises is judged, none ends the consumer
            if limit.expired():
                return TookTooLong(f"the handler had not ended after {self._handler_seconds:g} s")
            return fault
        return None

    async def _insist(
        self, chain: Chain, record: Record, fault: BaseException | None
    ) -> BaseException | None:
        """Until the record is done (None) or dead (why). Raises `Left`."""
        failures = 0
        while fault is not None:
            if isinstance(fault, Unavailable):
                fault = await self._outlast(chain, record, fault)
                continue
            failures += 1
            if failures >= self._attempts_for(fault):
                await self._set_aside(chain, record, fault, failures)
                return fault
            self._count_retry(fault)
            with _resting(chain):
                await self._clock.sleep(self._backoff.pause(failures))
            fault = await self._try(record)
        return None

    async def _outlast(self, chain: Chain, record: Record, outage: Unavailable) -> BaseException | None:
        """Try until the dependency answers; returns what came of it then."""
        fault: BaseException | None = outage
        tries = 0
        while isinstance(fault, Unavailable) and fault.dependency == outage.dependency:
            tries += 1
            self._count_retry(fault)
            with _resting(chain):
                await self._outages.wait(chain, fault, self._backoff.pause(tries))
            fault = await self._try(record)
        self._outages.over(chain)
        return fault

    async def _set_aside(self, chain: Chain, record: Record, fault: BaseException, attempts: int) -> None:
        """Return when the record is safe on the dead topic. Raises `Left`."""
        if self.halted:
            raise Left
        if self._dead_share.note(dead=True):
            self._halt()
            raise Left
        await self._publish_dead(chain, record, fault, attempts)
        reader, reason = self._reader, code_of(fault)
        EVENTS_DEAD.labels(reader.topic, reader.group, reason).inc()
        log.warning(
            "consumer.event_dead",
            topic=reader.topic,
            group=reader.group,
            partition=record.partition.number,
            offset=record.offset,
            type=record.headers.get("ce_type", ""),
            reason=reason,
            error=type(fault).__name__,
            attempts=attempts,
        )

    async def _publish_dead(self, chain: Chain, record: Record, fault: BaseException, attempts: int) -> None:
        group, now = self._reader.group, self._clock.now()
        message = dead_message(record, group, fault, attempts, now)
        tries = cut = 0
        while True:
            try:
                return await self._bus.publish([message])
            except Exception as failed:  # noqa: BLE001  # to go on without it would lose the record
                if isinstance(failed, Permanent) and cut < MOST_CUT:
                    cut += 1
                    message = dead_message(record, group, fault, attempts, now, cut=cut)
                down = Unavailable("the dead topic", f"{type(failed).__name__}: {failed}")
            tries += 1
            with _resting(chain):
                await self._outages.wait(chain, down, self._backoff.pause(tries))

    def _halt(self) -> None:
        reader = self._reader
        self.halted = (
            f"{self._dead_share.told()}, so it stopped itself rather than drain {reader.topic} into the dead "
            f"topic: look at `ombud dead list`, mend the deployment or the producer, start this process again"
        )
        log.error("consumer.halted", topic=reader.topic, group=reader.group, why=self._dead_share.told())

    def _attempts_for(self, fault: BaseException) -> int:
        if isinstance(fault, Permanent):
            return 1
        if isinstance(fault, Temporary):
            return self._attempts
        return min(UNEXPECTED_ATTEMPTS, self._attempts)

    def _count_retry(self, fault: BaseException) -> None:
        EVENT_RETRIES.labels(self._reader.topic, self._reader.group, code_of(fault)).inc()


@contextmanager
def _resting(chain: Chain) -> Iterator[None]:
    """Wait for another try, so that whoever closes the partition need not wait for it. Raises `Left`."""
    if chain.lane.closed:
        raise Left
    chain.resting = True
    try:
        yield
    finally:
        chain.resting = False
