"""Batches with a header whose name is no text: librdkafka writes them for whoever asks, aiokafka does not."""

import gzip
import struct
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.util import calc_crc32c

STAND_IN = "#odd#"
"""The name to give a header: `spoilt` writes `ODD` in its place."""

ODD = b"\xff\xfe\x00\x80\xc3"
GZIP = 1

_LENGTH, _CRC, _COVERED, _HEAD = 8, 17, 21, 61
"""Where in a batch its length, its checksum, what that covers, and its records begin (Kafka's format 2)."""

Headers = Sequence[tuple[str, bytes | None]]
Raw = tuple[bytes | None, bytes | None, Headers]
"""Key, value and headers."""


def batch_of(records: Sequence[Raw]) -> bytes:
    """A batch of these, uncompressed, of offsets from 0 on, a second apart from each other."""
    builder = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 2**30)
    for number, (key, value, headers) in enumerate(records):
        builder.append(number, 1_700_000_000_000 + 1000 * number, key, value, list(headers))
    return bytes(builder.build())


def spoilt(batch: bytes, *, packed: bool = False) -> bytes:
    """The uncompressed batch with odd names where the stand-in was; `packed` by gzip."""
    head = bytearray(batch[:_HEAD])
    records = batch[_HEAD:].replace(STAND_IN.encode(), ODD)
    if packed:
        records = gzip.compress(records)
        head[_COVERED : _COVERED + 2] = struct.pack(">h", GZIP)
    head[_LENGTH : _LENGTH + 4] = struct.pack(">i", _HEAD - _LENGTH - 4 + len(records))
    head[_CRC : _CRC + 4] = struct.pack(">I", calc_crc32c(bytes(head[_COVERED:]) + records))
    return bytes(head) + records


async def put_odd(bootstrap: str, topic: str, records: Sequence[Raw], *, packed: bool = False) -> None:
    """Write them as one batch to the topic's first partition."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        batch = producer.create_batch()
        for key, value, headers in records:
            batch.append(timestamp=None, key=key, value=value, headers=list(headers))
        # It sends what it has built; there is no public way to give it a batch that is built already.
        batch._buffer = spoilt(bytes(batch._build()), packed=packed)
        await (await producer.send_batch(batch, topic, partition=0))
