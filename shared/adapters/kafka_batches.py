"""Batches of records as aiokafka unpacks them, but for names of headers that are no UTF-8.

librdkafka writes whatever bytes it is given as a header's name; brokers take them. aiokafka 0.14 gives up on
such a record with an exception, at each fetch again, so its partition stood still for every group. Here a
batch that aiokafka gives up on is read once more, in Python, with replacement characters in the names, as in
keys and values of headers: its other records lose nothing, and what the odd one is worth its reader decides.

What stays loud (no group goes on), for passing over it would pass over mail: a batch whose checksum is wrong,
one whose lengths contradict each other, and one that cannot be unpacked (no broker takes such from a
publisher). The log has its offsets (`bus.batch_unreadable`); docs/operations.md says what to do.

aiokafka finds its parser by a name in its module `fetcher`, and offers no other way to give it another one:
`LenientConsumer` sets it, for the whole process. Read that module again before aiokafka is raised to 0.15.
"""

import struct
from collections.abc import Iterator
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import _DefaultRecordBatchPy, _DefaultRecordPy
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import decode_varint_py

log = structlog.get_logger()

LENGTH_AT, HEAD, FORMAT_AT = 8, 12, 16
"""Where a batch has its length, what the length counts, and the number of its format: the same in all."""

FORMAT = 2
"""The first format with headers, of 2017."""


class LenientConsumer(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka has no types
    """A consumer that gets past any name of a header."""

    async def start(self) -> None:
        """As aiokafka's."""
        fetcher.MemoryRecords = Batches
        await super().start()


class Batches(MemoryRecords):  # type: ignore[misc]  # aiokafka has no types
    """The batches of one answer to a fetch, one after the other."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._content = content
        self._at = 0

    def next_batch(self) -> Any:
        """The next batch; None behind the last. Raises `CorruptRecordException`."""
        batch = super().next_batch()
        if batch is None:
            return None
        (length,) = struct.unpack_from(">i", self._content, self._at + LENGTH_AT)
        start, self._at = self._at, self._at + HEAD + length
        content = memoryview(self._content)[start : self._at]
        return _Batch(batch, content) if content[FORMAT_AT] >= FORMAT else batch


class _Batch:
    """aiokafka's batch, whose records are read in the lenient way when it gives up on one of them."""

    def __init__(self, batch: Any, content: memoryview) -> None:
        self._batch = batch
        self._content = content

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator[Any]:
        try:
            try:
                yield from self._batch
            except (ValueError, CorruptRecordException):
                # From the first one on: the fetcher passes over the offsets that it has had already.
                yield from _LenientBatch(self._content)
        except Exception as error:
            self._tell(type(error).__name__)
            raise

    def validate_crc(self) -> bool:
        """Whether the batch is as it was written."""
        right: bool = self._batch.validate_crc()
        if not right:
            self._tell("checksum")
        return right

    def _tell(self, reason: str) -> None:
        first, behind = self._batch.base_offset, self._batch.next_offset
        log.error("bus.batch_unreadable", offset=first, next_offset=behind, reason=reason)


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's own reading in Python, but for the reading of one record."""

    _pos: int

    def _read_msg(self) -> _DefaultRecordPy:
        """The record at the present position. Raises `ValueError`, `IndexError`, `CorruptRecordException`."""
        length = self._number()
        end = self._pos + length
        self._pos += 1  # attributes, of which Kafka has none yet
        delta = self._number()
        timestamp = self.max_timestamp if self.timestamp_type else self.first_timestamp + delta
        offset = self.base_offset + self._number()
        key, value = self._bytes(), self._bytes()
        headers = [((self._bytes() or b"").decode("utf-8", "replace"), self._bytes()) for _ in self._count()]
        if self._pos != end:
            raise CorruptRecordException("a record that is not as long as it says")
        return _DefaultRecordPy(offset, timestamp, self.timestamp_type, key, value, headers)

    def _count(self) -> range:
        count = self._number()
        if not 0 <= count <= len(self._buffer):
            raise CorruptRecordException("a record with an impossible number of headers")
        return range(count)

    def _bytes(self) -> bytes | None:
        length = self._number()
        if length < 0:
            return None
        if length > len(self._buffer) - self._pos:
            raise CorruptRecordException("a record that goes on behind its batch")
        start, self._pos = self._pos, self._pos + length
        return bytes(self._buffer[start : self._pos])

    def _number(self) -> int:
        number: int
        # The one in C reads on behind the end of what it is given.
        number, self._pos = decode_varint_py(self._buffer, self._pos)
        return number
