"""Records to put into windows and onto buses."""

from datetime import UTC, datetime

from shared.ports.bus import Partition, Record

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def record(offset: int, key: str = "k", partition: int = 0, topic: str = "t", value: bytes = b"v") -> Record:
    return Record(Partition(topic, partition), offset, key, value, {}, NOON)
