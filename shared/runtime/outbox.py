"""The relay: publishes what documents recorded, soon and in order; the sweep does what a crash left behind.

Order: an outbox is always published from its front, so whatever two relays and crashes do, the first
appearance of each event on the bus follows the order of versions; readers drop what they have seen.

What is published stays in its outbox for up to a second: by then most documents have been saved again, by a
writer whose cause was that event and who left it out, and the rest are emptied by a few bulk calls. Under
load events gather for a moment before they are published (`pace.py`): they wait where they are safe.

On failure: while the bus is down `publish` waits, what is offered meanwhile waits too, and above
`WAITING_LIMIT` documents is left to the sweep. Nothing is taken out of an outbox before it is durable on the
bus, so a crash at any instruction means at most that the events of the last second are published twice.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from time import monotonic
from typing import Any

import structlog

from shared import metrics
from shared.domain.documents import Document, Envelope
from shared.domain.errors import Unavailable
from shared.domain.events import SOURCE
from shared.ports.bus import Bus, Message
from shared.ports.documents import Collection
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.runtime.pace import Pace
from shared.runtime.waiting import wait_until

WAITING_LIMIT = 10_000
"""Documents that may wait in memory for the bus; more is left to the sweep."""
REMEMBERED = 10_000
"""Events that this process published last and does not publish again."""
BATCH_LIMIT = 500
"""Documents whose events are published by one call."""
CLEAR_AFTER = 1.0
"""Seconds that a published event may stay in its outbox."""
CLEAR_AT_ONCE = 8
"""Events of one document that are cleared without that delay: every save writes the outbox anew."""
SWEEP_EVERY = 5.0
"""Seconds between two looks for what a crash left behind."""
SWEEP_AFTER = 10.0
"""Seconds an event may wait in its outbox before the sweep takes it: far longer than a relay needs."""
SWEEP_LIMIT = 500

log = structlog.get_logger()

_Key = tuple[str, str]
_Waiting = tuple[Collection[Any], str, list[Envelope]]
_Published = tuple[Collection[Any], str, dict[str, None]]


def message_of(envelope: Envelope) -> Message:
    """The event as CloudEvents 1.0 in Kafka's binary mode (Kafka protocol binding §3.2)."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": envelope.id,
        "ce_type": envelope.type,
        "ce_source": SOURCE,
        "ce_time": envelope.time.isoformat(),
        "ce_subject": envelope.key,
        "content-type": "application/json",
    }
    if envelope.correlation_id:
        headers["ce_correlationid"] = envelope.correlation_id
    if envelope.traceparent:
        headers["traceparent"] = envelope.traceparent
    return Message(envelope.topic, envelope.key, envelope.data.encode(), headers)


class Relay:
    """The publisher of a process; see the module. One task runs `run` until it is cancelled after `drain`."""

    def __init__(self, bus: Bus, sweep_after: float = SWEEP_AFTER) -> None:
        self._bus = bus
        self._sweep_after = sweep_after
        self._waiting: dict[_Key, _Waiting] = {}
        self._published: dict[str, None] = {}
        self._to_clear: dict[_Key, _Published] = {}
        self._pace = Pace(monotonic)
        self._busy = 0
        self._draining = False
        self._wake = asyncio.Event()
        self._clear = asyncio.Event()
        self._hurry = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def offer(self, collection: Collection[Any], document: Document) -> None:
        """See `Publisher.offer`. A later state of a document replaces the one that still waits."""
        key = (type(document).__name__, document.id)
        if key not in self._waiting and len(self._waiting) >= WAITING_LIMIT:
            return
        self._waiting[key] = (collection, document.id, document.outbox)
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """Publish what is offered, and empty the outboxes; ends by being cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_publishing(), name="outbox-publish")
            group.create_task(self._keep_clearing(), name="outbox-clear")

    async def drain(self, seconds: float) -> None:
        """Wait until all that was offered is published and cleared, `seconds` at most."""
        self._draining = True
        self._hurry.set()
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("outbox.left_to_the_sweep", documents=len(self._waiting) + len(self._to_clear))
        finally:
            self._draining = False

    async def sweep(self, collections: Sequence[tuple[str, Collection[Any]]], stop: asyncio.Event) -> None:
        """Until `stop`: offer what has waited in an outbox for too long, which means its writer died."""
        while not stop.is_set():
            for name, collection in collections:
                try:
                    left = await collection.unpublished(self._sweep_after, SWEEP_LIMIT)
                except Unavailable as down:
                    log.warning("outbox.sweep_waits", dependency=down.dependency)
                    break
                for document in left:
                    metrics.OUTBOX_SWEPT.labels(name).inc(len(document.outbox))
                    self.offer(collection, document)
            await wait_until(stop, SWEEP_EVERY)

    async def _keep_publishing(self) -> None:
        while True:
            await self._wake.wait()
            batch = {key: self._waiting.pop(key) for key in list(self._waiting)[:BATCH_LIMIT]}
            if not self._waiting:
                self._wake.clear()
            with self._at_work():
                published = await self._publish(batch)
            octets = sum(len(envelope.data) for envelope in published)
            if pause := self._pace.pause_after(len(published), octets):
                await wait_until(self._hurry, pause)

    async def _publish(self, batch: Mapping[_Key, _Waiting]) -> Sequence[Envelope]:
        """Publish what was not published yet; returns it, and nothing when that failed."""
        fresh = [e for _, _, waiting in batch.values() for e in waiting if e.id not in self._published]
        try:
            await reach(Site.OUTBOX_SAVED)
            await self._bus.publish([message_of(envelope) for envelope in fresh])
            await reach(Site.OUTBOX_PUBLISHED)
        except Exception as fault:  # noqa: BLE001 (whatever it was, the outboxes keep the events)
            log.warning("outbox.publish_failed", events=len(fresh), fault=type(fault).__name__)
            return []
        self._remember(fresh)
        for key, (collection, doc_id, waiting) in batch.items():
            published = self._to_clear.setdefault(key, (collection, doc_id, {}))[2]
            published.update(dict.fromkeys(envelope.id for envelope in waiting))
            if len(published) >= CLEAR_AT_ONCE:
                self._hurry.set()
        self._clear.set()
        return fresh

    async def _keep_clearing(self) -> None:
        while True:
            await self._clear.wait()
            await wait_until(self._hurry, CLEAR_AFTER)
            if not self._draining:
                self._hurry.clear()
            self._clear.clear()
            batch, self._to_clear = list(self._to_clear.values()), {}
            with self._at_work():
                await _cleared(batch)

    def _remember(self, published: Sequence[Envelope]) -> None:
        """A writer that read the document before its outbox was emptied saves these events once more."""
        self._published.update(dict.fromkeys(envelope.id for envelope in published))
        for oldest in list(islice(self._published, max(0, len(self._published) - REMEMBERED))):
            del self._published[oldest]

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1
            if not self._waiting and not self._to_clear and not self._busy:
                self._idle.set()


async def _cleared(batch: Sequence[_Published]) -> None:
    outcomes = await asyncio.gather(
        *(collection.clear_outbox(doc_id, list(event_ids)) for collection, doc_id, event_ids in batch),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            log.warning("outbox.clear_failed", fault=type(outcome).__name__)
