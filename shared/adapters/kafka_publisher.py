"""Publishing to Kafka: one producer, one line of parcels, nothing forgotten before it is acknowledged.

Promises:
- What was acknowledged lies on all in-sync replicas (`acks=all`); parcels of one key lie there in the order
  in which they were handed in, over publishers, outages and new producers. At least once: what was written
  but not acknowledged when a producer had to be replaced is written again, behind the first writing.
- Any number of publishers wait at the same time, and none holds a lock: one task hands the parcels to the
  producer in their order, the acknowledgements come back in whatever order.

What aiokafka 0.14 does, and what is done about it here:
- #1017 (open): after an outage the broker may answer `OutOfOrderSequenceNumber`; aiokafka counted the
  sequence up already, cannot count back, and every later send fails. The same follows from any batch that
  fails for good. So any error but a timeout ends the producer: it is closed, a new one is built
  (`ombud_bus_producer_restarts_total`), and all that was not acknowledged is handed over again in its order.
- `stop()` waits for unsent batches, for ever while the broker is away: `Producer.abandon` does not.
- Without idempotence a send during an outage fails after the request timeout and the record is gone; with it,
  it waits without a limit and without a word. It waits here too, and after `answer_seconds` says so: the
  metric `ombud_bus_waits_total` for each waiting publish, a log line for the outage.
- One full batch makes `send` wait; when the batch drains, a newcomer may overtake those who waited. Hence the
  one task that sends.
- Waiting `linger_ms` for more was measured against sending at once: 200 publishers of one message each make
  21,750/s with 5 ms and 40,570/s with none (a batch fills anyway while the one before it is under way), and
  one publisher alone 125/s and 743/s. gzip: 29,100/s. So: no linger, no compression.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from shared.adapters.kafka_errors import ours
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.kafka_records import Encoded, encoded
from shared.domain.errors import OmbudError, Refused, Unavailable
from shared.metrics import BUS_PRODUCER_RESTARTS, BUS_WAITS
from shared.ports.bus import Message

log = structlog.get_logger()

BATCH_BYTES = 256 * 1024
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0


class Producer(AIOKafkaProducer):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's producer, with a way out."""

    async def abandon(self) -> None:
        """Close without delivering what waits; returns when nothing more of it can reach the broker."""
        self._closed = True
        with contextlib.suppress(KafkaError):
            await self._sender.close()
        await self.client.close()


class Parcel:
    """One message on its way; `done` is set when it is durable or cannot ever be."""

    __slots__ = ("content", "done", "suspect")

    def __init__(self, content: Encoded, done: asyncio.Future[None]) -> None:
        self.content = content
        self.done = done
        self.suspect = False  # its batch was refused as too large: sent alone it shows whose fault that is

    @property
    def alone(self) -> bool:
        """Whether no other parcel shares its batch."""
        return self.suspect or self.content.size > BATCH_BYTES

    def fail(self, error: OmbudError) -> None:
        """Tell the publisher, unless it went away."""
        if not self.done.done():
            self.done.set_exception(error)


class Publisher:
    """The line of parcels and the task that works it off; both start with the first message."""

    def __init__(self, options: KafkaOptions, prepare: Callable[[Sequence[str]], Awaitable[None]]) -> None:
        self._options = options
        self._prepare = prepare
        self._waiting: deque[Parcel] = deque()
        self._sent: dict[Parcel, asyncio.Future[Any]] = {}  # in the order sent
        self._topics: set[str] = set()
        self._producer: Any = None
        self._spoilt = False
        self._closed = False
        self._work = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._said_waiting = False

    async def publish(self, messages: Sequence[Message]) -> None:
        """As the port says."""
        if self._closed:
            raise Unavailable("Kafka", "the bus is closed")
        contents = [encoded(message, self._options.largest_message) for message in messages]
        loop = asyncio.get_running_loop()
        parcels = [Parcel(content, loop.create_future()) for content in contents]
        if not parcels:
            return
        self._waiting.extend(parcels)
        self._wake()
        try:
            await self._settled({parcel.done for parcel in parcels})
        finally:
            for parcel in parcels:
                parcel.done.cancel()  # of a publisher that went away; what is not sent yet stays unsent
        for error in [parcel.done.exception() for parcel in parcels]:
            if error is not None:
                raise error

    async def close(self) -> None:
        """Stop at once: whoever still waits gets `Unavailable`."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.wait({self._worker})
        if self._producer is not None:
            await self._producer.abandon()
        self._fail_all(Unavailable("Kafka", "the bus is closed"))

    async def _settled(self, futures: set[asyncio.Future[None]]) -> None:
        _, waiting = await asyncio.wait(futures, timeout=self._options.answer_seconds)
        if not waiting:
            return
        BUS_WAITS.labels("publish").inc()
        if not self._said_waiting:
            self._said_waiting = True
            log.warning("bus.publish_waits", seconds=self._options.answer_seconds, unsent=len(self._waiting))
        await asyncio.wait(waiting)

    def _wake(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work_off(), name="kafka publisher")
            self._worker.add_done_callback(self._worker_ended)
        self._work.set()

    def _worker_ended(self, worker: asyncio.Task[None]) -> None:
        if worker.cancelled():
            return
        log.error("bus.publisher_failed", exc_info=worker.exception())
        self._spoilt = self._producer is not None
        self._fail_all(Unavailable("Kafka", "the publisher failed; its log line tells why"))

    def _fail_all(self, error: OmbudError) -> None:
        for parcel in [*self._sent, *self._waiting]:
            parcel.fail(error)
        self._sent.clear()
        self._waiting.clear()

    async def _work_off(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting or self._spoilt:
                try:
                    await self._hand_over()
                    pause = FIRST_PAUSE_SECONDS
                except (KafkaError, OSError, TimeoutError, Unavailable) as error:
                    log.info("bus.publish_again", reason=str(ours(error)), pause=pause)
                    await asyncio.sleep(pause)
                    pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    async def _hand_over(self) -> None:
        if self._spoilt or self._producer is None:
            await self._begin_anew()
        while self._waiting and not self._spoilt:
            parcel = self._waiting[0]
            if self._sent and (parcel.suspect or self._suspect_sent()):
                await asyncio.wait(set(self._sent.values()))
                continue
            if not parcel.done.done():
                await self._send(parcel)
            self._waiting.popleft()

    def _suspect_sent(self) -> bool:
        """Whether a suspect is under way, which must stay alone in its batch."""
        return next(iter(self._sent)).suspect

    async def _send(self, parcel: Parcel) -> None:
        """Hand one parcel to the producer, or tell its publisher that it cannot be sent."""
        topic, key, value, headers, _ = parcel.content
        try:
            if topic not in self._topics:
                await self._prepare([topic])
                self._topics.add(topic)
            sent: asyncio.Future[Any] = await self._producer.send(topic, value, key, headers=headers)
        except (Refused, TopicAuthorizationFailedError, MessageSizeTooLargeError) as error:
            parcel.fail(ours(error))
            return
        except KafkaTimeoutError:
            raise  # its batch is full and not under way yet: nothing was taken, nothing is spoilt
        except UnknownTopicOrPartitionError:
            self._topics.discard(topic)
            raise
        except KafkaError:
            self._spoilt = True
            raise
        self._sent[parcel] = sent
        sent.add_done_callback(partial(self._answered, parcel, self._producer))

    def _answered(self, parcel: Parcel, producer: Producer, sent: asyncio.Future[Any]) -> None:
        error = sent.exception()
        if error is None:
            self._durable(parcel)
        elif producer is self._producer:
            self._failed(parcel, error)

    def _durable(self, parcel: Parcel) -> None:
        self._sent.pop(parcel, None)
        if not parcel.done.done():
            parcel.done.set_result(None)
        if self._said_waiting:
            self._said_waiting = False
            log.info("bus.publish_goes_on")

    def _failed(self, parcel: Parcel, error: BaseException) -> None:
        self._spoilt = True
        self._work.set()
        too_large = isinstance(error, MessageSizeTooLargeError)
        if (too_large and parcel.alone) or isinstance(error, TopicAuthorizationFailedError):
            self._sent.pop(parcel, None)
            parcel.fail(ours(error))
        parcel.suspect = parcel.suspect or too_large

    async def _begin_anew(self) -> None:
        """Replace the producer and put what it did not get acknowledged back to the front of the line."""
        if self._producer is not None:
            BUS_PRODUCER_RESTARTS.inc()
            log.warning("bus.producer_restarted", unacknowledged=len(self._sent))
            old, self._producer = self._producer, None
            await old.abandon()
        self._waiting.extendleft(reversed(self._sent))
        self._sent.clear()
        self._spoilt = False
        self._producer = await self._started()

    async def _started(self) -> Producer:
        producer = Producer(
            **self._options.connection("ombud-publisher"),
            acks="all",
            enable_idempotence=True,
            max_batch_size=BATCH_BYTES,
            max_request_size=self._options.largest_message,
        )
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                await producer.start()
        except BaseException:
            await producer.abandon()
            raise
        return producer
