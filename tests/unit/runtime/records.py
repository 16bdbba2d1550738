"""Records to put into windows and onto buses."""

from shared.ports.bus import Partition, Record
from tests.fakes.clock import START


def record(
    offset: int, key: str = "k", partition: int = 0, topic: str = "t", value: bytes = b"v", **headers: str
) -> Record:
    """Published when a fake clock starts."""
    return Record(Partition(topic, partition), offset, key, value, headers, START)
