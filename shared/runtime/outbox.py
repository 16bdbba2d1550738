"""The relay: publishes what documents recorded, soon and in order; the sweep does what a crash left behind.

Order: an outbox is always published from its front, so whatever two relays and crashes do, the first
appearance of each event on the bus follows the order of versions; readers drop what they have seen.

On failure: while the bus is down `publish` waits, what is offered meanwhile waits too, and above
`WAITING_LIMIT` documents is left to the sweep. Nothing is taken out of an outbox before it is durable on the
bus, so a crash at any instruction means at most that events are published twice.
"""

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any

import structlog

from shared import metrics
from shared.domain.documents import Document, Envelope
from shared.domain.errors import Unavailable
from shared.domain.events import SOURCE
from shared.ports.bus import Bus, Message
from shared.ports.documents import Collection

WAITING_LIMIT = 10_000
"""Documents that may wait in memory for the bus; more is left to the sweep."""
REMEMBERED = 10_000
"""Events that this process published last and does not publish again."""
BATCH_LIMIT = 500
"""Documents whose events are published by one call."""
SWEEP_EVERY = 5.0
"""Seconds between two looks for what a crash left behind."""
SWEEP_AFTER = 10.0
"""Seconds an event may wait in its outbox before the sweep takes it: far longer than a relay needs."""
SWEEP_LIMIT = 500

log = structlog.get_logger()

_Waiting = tuple[Collection[Any], str, list[Envelope]]


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
        self._waiting: dict[tuple[str, str], _Waiting] = {}
        self._published: dict[str, None] = {}
        self._clearing: set[asyncio.Task[None]] = set()
        self._publishing = False
        self._wake = asyncio.Event()
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
        """Publish what is offered; ends by being cancelled."""
        while True:
            await self._wake.wait()
            batch = [self._waiting.pop(key) for key in list(self._waiting)[:BATCH_LIMIT]]
            if not self._waiting:
                self._wake.clear()
            self._publishing = True
            try:
                await self._publish(batch)
            finally:
                self._publishing = False
            self._rest()

    async def drain(self, seconds: float) -> None:
        """Wait until all that was offered is published and cleared, `seconds` at most."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("outbox.left_to_the_sweep", documents=len(self._waiting))

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

    async def _publish(self, batch: list[_Waiting]) -> None:
        fresh = [e for _, _, waiting in batch for e in waiting if e.id not in self._published]
        try:
            await self._bus.publish([message_of(envelope) for envelope in fresh])
        except Exception as fault:  # noqa: BLE001 (whatever it was, the outboxes keep the events)
            log.warning("outbox.publish_failed", events=len(fresh), fault=type(fault).__name__)
            return
        self._remember(fresh)
        task = asyncio.create_task(self._clear(batch), name="outbox-clear")
        self._clearing.add(task)
        task.add_done_callback(self._cleared)

    async def _clear(self, batch: list[_Waiting]) -> None:
        outcomes = await asyncio.gather(
            *(
                collection.clear_outbox(doc_id, [e.id for e in waiting])
                for collection, doc_id, waiting in batch
            ),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                log.warning("outbox.clear_failed", fault=type(outcome).__name__)

    def _remember(self, published: Sequence[Envelope]) -> None:
        """A writer that read the document before its outbox was emptied saves these events once more."""
        self._published.update(dict.fromkeys(envelope.id for envelope in published))
        for oldest in list(islice(self._published, max(0, len(self._published) - REMEMBERED))):
            del self._published[oldest]

    def _cleared(self, task: asyncio.Task[None]) -> None:
        self._clearing.discard(task)
        self._rest()

    def _rest(self) -> None:
        if not self._waiting and not self._clearing and not self._publishing:
            self._idle.set()


async def wait_until(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after `seconds`."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
