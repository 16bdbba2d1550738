"""Messages as Kafka keeps them, and back.

Keys and header values are UTF-8. What others wrote onto a topic in another encoding is read with replacement
characters rather than refused: a consumer must get past it. The empty key is a key like any other; a record
of somebody else without a key or a value reads as one with an empty one, and one of a time that no calendar
has as one of 1970: it stopped every group that read its topic.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiokafka import TopicPartition
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from shared.domain.errors import Invalid, Permanent
from shared.ports.bus import Message, Partition, Record

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Headers = list[tuple[str, bytes]]


class Encoded(NamedTuple):
    """A message ready to send."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers
    size: int


def encoded(message: Message, largest: int) -> Encoded:
    """The message in bytes. Raises `Permanent` when Kafka would count more than `largest` bytes for it, and
    `Invalid` (which is `Permanent` too) when its key or headers cannot be written in UTF-8.
    """
    try:
        key = message.key.encode()
        headers = [(name, value.encode()) for name, value in message.headers.items()]
        size: int = DefaultRecordBatchBuilder.estimate_size_in_bytes(key, message.value, headers)
    except UnicodeEncodeError as error:
        raise Invalid("a key or a header that is not text cannot be published") from error
    if size > largest:
        raise Permanent(f"a message of {size} bytes is larger than the {largest} that Kafka takes")
    return Encoded(message.topic, key, message.value, headers, size)


def decoded(record: Any) -> Record:
    """Our record for aiokafka's `ConsumerRecord`."""
    return Record(
        partition=Partition(record.topic, record.partition),
        offset=record.offset,
        key=_text(record.key),
        value=record.value or b"",
        headers={name: _text(value) for name, value in record.headers},
        published_at=_instant(record.timestamp),
    )


def theirs(partition: Partition) -> Any:
    """aiokafka's name for a partition."""
    return TopicPartition(partition.topic, partition.number)


def _instant(milliseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return EPOCH


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
