"""What a consumer has taken in and not finished: who must wait for whom, and what may be committed. No I/O.

Promises:
- Records of one key in one partition form a chain; only its first is at work, so they are done in order.
- `committable` never passes a record that is not finished, whatever finishes behind it: one that was left,
  cancelled or failed is a boundary for as long as its partition is this member's.
- What is held is bounded in records and in bytes, and one partition (one hot key in it) may hold half of it
  at most, so that a key with a thousand records waiting does not stop the other partitions.
"""

from asyncio import Task
from collections import deque
from collections.abc import Iterable

from shared.ports.bus import Partition, Record

RECORD_OVERHEAD = 500
"""Bytes that a record costs besides its value."""

RESUME_AT = 0.75
"""Below this share of a limit a full window takes in again: pausing and resuming are not free."""

PARTITION_SHARE = 0.5
"""The share of the window that one partition may hold."""


class Rewound(Exception):
    """A partition gave a record again that was taken in already: its reading has started anew."""


class Chain:
    """Unfinished records of one key, oldest first; the first is at work or about to be.

    `task`, `resting`: whether it is being worked off, and whether that is but waiting for another try. They
    are the runner's.
    """

    __slots__ = ("key", "lane", "records", "resting", "task")

    def __init__(self, lane: "Lane", key: str) -> None:
        self.lane = lane
        self.key = key
        self.records: deque[Record] = deque()
        self.task: Task[None] | None = None
        self.resting = False


class Lane:
    """One partition, from its assignment to its revocation.

    `closed`: nothing new is begun. `committed`: what was last committed, at first where reading began.
    """

    __slots__ = ("_last", "_open", "chains", "closed", "committed", "held", "octets", "partition")

    def __init__(self, partition: Partition, begin: int) -> None:
        self.partition = partition
        self.chains: dict[str, Chain] = {}
        self.closed = False
        self.committed = begin
        self.held = 0
        self.octets = 0
        self._open: dict[int, None] = {}  # in the order taken in, so the first one is the lowest
        self._last = begin - 1

    def take(self, record: Record) -> Chain | None:
        """Take a record in; the chain when it is a new one, None when the record waits behind its key.

        Raises `Rewound` for one that is not behind the last.
        """
        self.pass_over(record)
        self._open[record.offset] = None
        self.held += 1
        self.octets += _octets(record)
        chain = self.chains.get(record.key)
        if chain is not None:
            chain.records.append(record)
            return None
        chain = self.chains[record.key] = Chain(self, record.key)
        chain.records.append(record)
        return chain

    def pass_over(self, record: Record) -> None:
        """Nothing has to be done with this record. Raises `Rewound` for one that is not behind the last."""
        if record.offset <= self._last:
            raise Rewound(f"{self.partition}: offset {record.offset} came after {self._last}")
        self._last = record.offset

    def finish(self, chain: Chain) -> Record:
        """The first record of the chain is done; a chain without records is gone."""
        record = chain.records.popleft()
        del self._open[record.offset]
        self.held -= 1
        self.octets -= _octets(record)
        if not chain.records:
            del self.chains[chain.key]
        return record

    def committable(self) -> int:
        """Everything below this offset is finished: the lowest unfinished one, or one behind the last."""
        return next(iter(self._open), self._last + 1)


class Window:
    """All lanes of one member, within `most_records` records and about `most_octets` bytes."""

    def __init__(self, most_records: int, most_octets: int) -> None:
        self._most_records = most_records
        self._most_octets = most_octets
        self._lanes: dict[Partition, Lane] = {}
        self._closed: set[Partition] = set()
        self._paused: frozenset[Partition] = frozenset()
        self._was_full = False
        self.held = 0
        self.octets = 0

    @property
    def partitions(self) -> frozenset[Partition]:
        """The partitions that records came from."""
        return frozenset(self._lanes)

    @property
    def lanes(self) -> list[Lane]:
        """Their lanes."""
        return list(self._lanes.values())

    @property
    def room(self) -> int:
        """How many more records fit, if they are as large as those that are held."""
        if not self.held:
            return self._most_records
        each = self.octets // self.held
        return max(0, min(self._most_records - self.held, (self._most_octets - self.octets) // each))

    def take(self, record: Record) -> Chain | None:
        """As `Lane.take`, in the record's lane; None as well in a closed partition. Raises `Rewound`."""
        if record.partition in self._closed:
            return None
        chain = self._lane_of(record).take(record)
        self.held += 1
        self.octets += _octets(record)
        return chain

    def pass_over(self, record: Record) -> None:
        """As `Lane.pass_over`, in the record's lane. Raises `Rewound`."""
        if record.partition not in self._closed:
            self._lane_of(record).pass_over(record)

    def finish(self, chain: Chain) -> None:
        """The first record of the chain is done. Of a lane that was forgotten it changes nothing here."""
        record = chain.lane.finish(chain)
        if self._lanes.get(chain.lane.partition) is chain.lane:
            self.held -= 1
            self.octets -= _octets(record)

    def close(self, partitions: Iterable[Partition]) -> list[Lane]:
        """Begin nothing new in these, whether a record came from them or not; returns their lanes."""
        closing = set(partitions)
        self._closed |= closing
        lanes = [self._lanes[partition] for partition in closing if partition in self._lanes]
        for lane in lanes:
            lane.closed = True
        return lanes

    def forget(self, partitions: Iterable[Partition]) -> None:
        """These are another's now: whatever still finishes there counts for nothing."""
        for partition in partitions:
            self._closed.discard(partition)
            lane = self._lanes.pop(partition, None)
            if lane is not None:
                lane.closed = True
                self.held -= lane.held
                self.octets -= lane.octets

    def _lane_of(self, record: Record) -> Lane:
        lane = self._lanes.get(record.partition)
        if lane is None:
            lane = self._lanes[record.partition] = Lane(record.partition, record.offset)
        return lane

    def full(self) -> bool:
        """Whether nothing may be taken in; once full, it stays so until a quarter has become free."""
        share = RESUME_AT if self._was_full else 1.0
        self._was_full = self.held >= share * self._most_records or self.octets >= share * self._most_octets
        return self._was_full

    def to_pause(self, assigned: frozenset[Partition]) -> frozenset[Partition]:
        """Those of the assigned partitions to fetch nothing from: all when full, else those with too much."""
        self._paused = assigned if self.full() else frozenset(p for p in assigned if self._crowded(p))
        return self._paused

    def _crowded(self, partition: Partition) -> bool:
        lane = self._lanes.get(partition)
        if lane is None:
            return False
        share = PARTITION_SHARE * (RESUME_AT if partition in self._paused else 1.0)
        return lane.held >= share * self._most_records or lane.octets >= share * self._most_octets


def _octets(record: Record) -> int:
    return len(record.value) + RECORD_OVERHEAD
