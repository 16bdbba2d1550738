"""One member of a Kafka group, as `shared/ports/bus.py` promises it.

- Nothing is committed but explicit offsets, of partitions that are this member's at that moment: a commit
  that still runs when they are taken away is ended before the group goes on, for aiokafka would send it again
  with the next generation, and the broker would take it.
- Rebalances are eager (aiokafka#1126): each one takes *all* partitions, awaits `on_revoked`, and begins again
  behind the committed offsets. A pause ends with it.
- A fetch takes its records from all partitions in turn (`getmany(max_records=…)` alone empties one first) and
  holds no lock, nor does the listener: no deadlock between them. A fetch that is cancelled loses nothing: its
  records are kept for the next one.
- aiokafka never says that the brokers are gone (#992), and may stay silent when they are back (#625, #703).
  Here a fetch without a record for `silent_seconds` asks a broker, and raises `Unavailable` until it answers.
  A background task of aiokafka that died is found by the fetch, which raises, and the next fetch joins anew.
  For what neither finds, `lag()` and `assignment()` let the caller's watchdog end the process.
- When another process joins under the same name, this one is told by `Unavailable` from every call, for good,
  and commits nothing more.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    IllegalStateError,
    KafkaError,
    UnknownMemberIdError,
)

from shared.adapters.kafka_consumer import GroupConsumer
from shared.adapters.kafka_errors import calling, ours
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.kafka_records import decoded, theirs
from shared.domain.errors import Unavailable
from shared.metrics import REBALANCES
from shared.ports.bus import Partition, Record, Revoked

log = structlog.get_logger()

COMMIT_END_SECONDS = 2.0
_SLACK_SECONDS = 0.1


class KafkaSubscription:
    """Reads topics as `member` of `group`; made by `KafkaBus.subscribe`."""

    def __init__(
        self,
        options: KafkaOptions,
        topics: Sequence[str],
        group: str,
        member: str,
        on_revoked: Revoked | None = None,
    ) -> None:
        self._options = options
        self._topics = list(topics)
        self._group = group
        self._member = member
        self._on_revoked = on_revoked
        self._consumer: Any = None
        self._owned: frozenset[Partition] = frozenset()
        self._paused: set[Partition] = set()
        self._fetched: list[Record] = []
        self._turn = 0
        self._poll: asyncio.Task[None] | None = None
        self._question: asyncio.Task[None] | None = None
        self._heard = 0.0
        self._unheard: BaseException | None = None
        self._commits: set[asyncio.Task[None]] = set()
        self._ended = ""
        self._broken = False
        self._joined = False

    async def open(self) -> None:
        """Join the group; the partitions come later. Raises `Unavailable` when no broker answers."""
        consumer = GroupConsumer(self._options, self._group, self._member)
        try:
            async with calling(self._options.answer_seconds):
                await consumer.start()
        except BaseException:
            await consumer.cut()
            raise
        self._consumer = consumer
        self._joined = False
        self._heard = asyncio.get_running_loop().time()
        consumer.subscribe(self._topics, listener=_Listener(self))

    async def fetch(self, limit: int, wait: float) -> list[Record]:
        """As the port says."""
        self._check()
        if self._broken:
            await self._join_anew()
        if not self._ready() and self._poll is None:
            self._poll = asyncio.create_task(self._collect(max(1, limit), wait))
        if not self._ready() and self._poll is not None:
            await asyncio.wait({self._poll}, timeout=wait + _SLACK_SECONDS)
        if self._poll is not None and self._poll.done():
            poll, self._poll = self._poll, None
            self._look_at(poll)
        self._check()
        records = self._ready()
        self._fetched = [record for record in self._fetched if record.partition in self._paused]
        self._listen(heard=bool(records))
        return records

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """As the port says. Waits at most `answer_seconds`."""
        self._check()
        mine = {theirs(one): offset for one, offset in offsets.items() if one in self._owned}
        if not mine or self._consumer.expelled():
            return
        commit = asyncio.create_task(self._commit(mine))
        self._commits.add(commit)
        commit.add_done_callback(self._commits.discard)
        await asyncio.wait({commit}, timeout=self._options.answer_seconds)
        if not commit.done() or commit.cancelled():
            commit.cancel()
            raise Unavailable("Kafka", "the commit was not answered in time")
        commit.result()

    def pause(self, partitions: frozenset[Partition]) -> None:
        """As the port says; a pause also ends when the partition is taken away."""
        mine = partitions & self._owned
        self._paused |= mine
        self._consumer.pause(*map(theirs, mine))

    def resume(self, partitions: frozenset[Partition]) -> None:
        """As the port says."""
        mine = partitions & self._paused
        self._paused -= mine
        self._consumer.resume(*map(theirs, mine))

    def assignment(self) -> frozenset[Partition]:
        """As the port says; empty from the end of `on_revoked` until the group has shared out again."""
        return self._owned

    def has_share(self) -> bool:
        """As the port says."""
        return self._joined

    async def lag(self) -> dict[Partition, int]:
        """As the port says. Raises `Unavailable`."""
        self._check()
        partitions = [theirs(partition) for partition in self._owned]
        async with calling(self._options.answer_seconds):
            # Side by side: each waits behind the long poll of the fetch that shares its connection.
            ends, firsts, committed = await asyncio.gather(
                self._consumer.end_offsets(partitions),
                self._consumer.beginning_offsets(partitions),
                self._consumer.committed_offsets(partitions),
            )
        return {
            Partition(*partition): end - max(committed.get(partition, 0), firsts[partition])
            for partition, end in ends.items()
        }

    async def close(self) -> None:
        """As the port says; bounded by `stop_seconds`."""
        if self._ended == "closed":
            return
        self._ended = "closed"
        await self._end_tasks()
        await self._consumer.leave(self._options.stop_seconds)
        self._owned = frozenset()

    # -- reading

    def _ready(self) -> list[Record]:
        return [record for record in self._fetched if record.partition not in self._paused]

    async def _collect(self, limit: int, wait: float) -> None:
        await self._take_turns(limit)
        if not self._fetched and wait > 0:
            share = max(1, limit // max(1, len(self._owned)))
            await self._take(share, wait)
            await self._take_turns(limit)

    async def _take_turns(self, limit: int) -> None:
        """Take an equal share from each partition, then what room is left from those that have more."""
        partitions = sorted(self._owned - self._paused)
        self._turn += 1
        start = self._turn % max(1, len(partitions))
        waiting = [theirs(partition) for partition in partitions[start:] + partitions[:start]]
        while waiting and len(self._fetched) < limit:
            share = max(1, (limit - len(self._fetched)) // len(waiting))
            waiting = [partition for partition in waiting if await self._take(share, 0, partition) >= share]

    async def _take(self, limit: int, wait: float, *partitions: TopicPartition) -> int:
        # Between aiokafka's giving the records away and their being kept here nothing is awaited: neither a
        # cancelled fetch nor a rebalance can come in between.
        taken = await self._consumer.getmany(*partitions, timeout_ms=int(wait * 1000), max_records=limit)
        records = [decoded(record) for batch in taken.values() for record in batch]
        self._fetched.extend(records)
        return len(records)

    def _look_at(self, poll: asyncio.Task[None]) -> None:
        error = asyncio.CancelledError() if poll.cancelled() else poll.exception()
        if error is None:
            return
        self._broken = True
        log.warning("bus.consumer_broken", group=self._group, reason=type(error).__name__)
        if not isinstance(error, (KafkaError, OSError, asyncio.CancelledError)):
            raise error
        raise ours(error) from error

    def _listen(self, *, heard: bool) -> None:
        """Ask a broker after a silence; raise `Unavailable` from its failure to answer until it does."""
        now = asyncio.get_running_loop().time()
        if heard:
            self._heard, self._unheard = now, None
            return
        if self._question is None and now - self._heard >= self._options.silent_seconds:
            self._question = asyncio.create_task(self._ask())
        elif self._question is not None and self._question.done():
            self._unheard = self._question.exception()
            self._heard = now if self._unheard is None else self._heard
            self._question = None
        if self._unheard is not None:
            raise Unavailable("Kafka", "silence") from self._unheard

    async def _ask(self) -> None:
        async with calling(self._options.answer_seconds):
            await self._consumer.topics()

    # -- committing

    async def _commit(self, offsets: dict[TopicPartition, int]) -> None:
        try:
            await self._consumer.commit(offsets)
        except IllegalStateError:
            log.info("bus.commit_passed_over", group=self._group, reason="not this member's")
        except CommitFailedError as error:
            if not isinstance(error.__cause__, (UnknownMemberIdError, IllegalGenerationError)):
                raise Unavailable("Kafka", "the group is being shared out anew") from error
            log.info("bus.commit_passed_over", group=self._group, reason=type(error.__cause__).__name__)
        except (KafkaError, OSError) as error:
            raise ours(error) from error

    async def _end_commits(self) -> None:
        if self._commits:
            await asyncio.wait(self._commits, timeout=COMMIT_END_SECONDS)
        for commit in self._commits:
            commit.cancel()

    # -- the group's life

    async def revoked(self) -> None:
        """Called by aiokafka before it joins again: with all that was this member's."""
        await self._give_up()
        if self._joined and self._consumer.expelled() and await self._replaced():
            # Only so does aiokafka's coordination end for good; it swallows any other exception and joins.
            raise asyncio.CancelledError

    def assigned(self, partitions: set[TopicPartition]) -> None:
        """Called by aiokafka when the group has shared the partitions out."""
        self._joined = True
        self._owned = frozenset(Partition(*partition) for partition in partitions)
        log.info("bus.assigned", group=self._group, member=self._member, partitions=len(partitions))

    async def _give_up(self) -> None:
        gone = self._owned
        if not gone:
            return
        REBALANCES.labels(self._group).inc()
        self._fetched.clear()
        try:
            if self._on_revoked is not None:
                async with asyncio.timeout(self._options.drain_seconds):
                    await self._on_revoked(gone)
        except Exception as error:  # a reader's failure must not keep its group standing
            log.exception("bus.on_revoked_failed", group=self._group, reason=type(error).__name__)
        self._owned = frozenset()
        self._paused.clear()
        await self._end_commits()

    async def _replaced(self) -> bool:
        """Whether another process has our name now; if so this subscription is at its end."""
        try:
            async with asyncio.timeout(self._options.answer_seconds):
                replaced: bool = await self._consumer.namesake()
        except (KafkaError, OSError, TimeoutError):
            return False  # we cannot know; joining again is what a member should do
        if replaced:
            self._ended = f"another process has joined {self._group} as {self._member}"
            log.error("bus.replaced", group=self._group, member=self._member)
        return replaced

    async def _join_anew(self) -> None:
        """Replace a consumer whose background work has died. Under its name it finds its old partitions."""
        await self._give_up()
        if await self._replaced():
            self._check()
        await self._end_tasks()
        await self._consumer.cut()
        await self.open()
        self._broken = False

    async def _end_tasks(self) -> None:
        tasks = {task for task in (self._poll, self._question) if task is not None} | self._commits
        self._poll = self._question = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _check(self) -> None:
        if self._ended:
            raise Unavailable("Kafka", self._ended)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, subscription: KafkaSubscription) -> None:
        self._subscription = subscription

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:  # noqa: ARG002  # all are
        await self._subscription.revoked()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._subscription.assigned(assigned)
