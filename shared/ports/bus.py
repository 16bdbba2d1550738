"""The bus: topics of records, ordered by key, read by groups.

It is at least once: what was not committed comes again. Making one effect of it is the reader's work.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish. Records with the same key on one topic keep their order."""

    topic: str
    key: str
    value: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Partition(NamedTuple):
    """A share of a topic's keys."""

    topic: str
    number: int


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it lies on the bus."""

    partition: Partition
    offset: int
    key: str
    value: bytes
    headers: Mapping[str, str]
    published_at: datetime


Revoked = Callable[[frozenset[Partition]], Awaitable[None]]


class Subscription(Protocol):
    """One member of a group, reading topics.

    Members of a group share the partitions of the topics out among them; each partition has one reader at
    a time, again after a member has died. Not for use by several tasks at once, but for `commit`.
    """

    async def fetch(self, limit: int, wait: float) -> list[Record]:
        """Up to about `limit` records behind those fetched before, in order within each partition.

        Waits up to `wait` seconds for the first one; an empty list when none came. Paused partitions give
        none. Call it at least every few seconds, paused or not: it is the sign of life. No partition is
        starved by another. Raises `Unavailable` when the bus does not answer; the call may be made again.
        """
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note that everything *below* these offsets is done and need not come again.

        Partitions that are no longer this member's are passed over in silence. Raises `Unavailable`; then
        nothing is promised and the records may come again.
        """
        ...

    def pause(self, partitions: frozenset[Partition]) -> None:
        """Fetch nothing from these until they are resumed, or taken away (`on_revoked` was told)."""
        ...

    def resume(self, partitions: frozenset[Partition]) -> None:
        """Fetch from these again, from where it was left."""
        ...

    def assignment(self) -> frozenset[Partition]:
        """The partitions that are this member's now."""
        ...

    def has_share(self) -> bool:
        """Whether the group has told this member its share since it joined; the share may be nothing."""
        ...

    async def lag(self) -> dict[Partition, int]:
        """Records behind the committed offset, for each partition of this member."""
        ...

    async def close(self) -> None:
        """Leave the group, so that others take over at once. Commits nothing by itself."""
        ...


class Bus(Protocol):
    """The bus. What `publish` returned for is durable."""

    async def publish(self, messages: Sequence[Message]) -> None:
        """Return when all are durable; those of one key in the order given.

        Never gives up on its own while the bus is down: it waits. When it raises or is cancelled, some may
        have been published; publish them again. Raises `Permanent` for a message too large to take.
        """
        ...

    async def subscribe(
        self, topics: Sequence[str], group: str, member: str, on_revoked: Revoked | None = None
    ) -> Subscription:
        """Join `group` as `member` (a name that stays the same when the process is started again).

        A new group starts at the oldest record. `on_revoked` is awaited before partitions are given to
        another member: finish and commit what is in flight there, within `drain` seconds of the settings.
        """
        ...

    async def browse(self, topic: str, limit: int, after: Mapping[int, int] | None = None) -> list[Record]:
        """Look at records without joining a group, oldest first; `after` maps partition to last offset seen.

        An empty list for a topic that does not exist.
        """
        ...

    async def prepare(self, topics: Sequence[str]) -> None:
        """Make the topics that are missing; may be called by many processes at once."""
        ...

    async def ping(self) -> None:
        """Return if the bus answers. Raises `Unavailable`."""
        ...
