"""aiokafka's consumer as Ombud needs it: the one place that touches what aiokafka 0.14 keeps to itself, but
for its parser, of which `kafka_batches` tells.

Each of these was read in its source; look at them again before aiokafka is raised to 0.15:

- A static member never leaves its group: `stop()` takes a `group_instance_id` to mean that it comes back, and
  the others wait for the session to run out. Our `leave` hides the id for that one moment; the broker takes
  the member's own id and lets the group go on at once.
- Two processes under one name would take the partitions from each other for ever: aiokafka sends its name
  with joins alone, so the broker cannot fence the older one; it is told that it is unknown, and joins again.
  `namesake` asks the group whether somebody else has our name now, and the older one gives up.
- `committed` asks for one partition at a time; `committed_offsets` for all at once.
- `stop()` can hang (#512, #583), and it waits for a join that waits for the slowest member: `cut` does not.

Why the round robin and not the sticky assignor: the sticky one keeps its memory in class attributes, so all
subscriptions of a process, of whatever group, claim each other's partitions; and nobody ever tells it its
generation, so it cannot tell an old claim from a new one. Round robin deals the partitions of all topics out
in the order of the members' ids, which begin with their names: the same names get the same partitions.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from aiokafka import TopicPartition
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError
from aiokafka.protocol.admin import DescribeGroupsRequest
from aiokafka.protocol.group import JoinGroupRequest

from shared.adapters.kafka_batches import LenientConsumer
from shared.adapters.kafka_options import KafkaOptions, milliseconds

log = structlog.get_logger()

FETCH_BYTES = 4 * 1024 * 1024
ANSWER_ROOM_SECONDS = 5.0


class GroupConsumer(LenientConsumer):
    """A static member of a group, whose offsets are committed by hand alone."""

    def __init__(self, options: KafkaOptions, group: str, member: str) -> None:
        # A join is answered when the slowest member has joined: a request must be allowed to take that long.
        request_seconds = options.rebalance_seconds + ANSWER_ROOM_SECONDS
        super().__init__(
            **options.connection(member, request_seconds),
            group_id=group,
            group_instance_id=member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=milliseconds(options.session_seconds),
            heartbeat_interval_ms=milliseconds(options.heartbeat_seconds),
            rebalance_timeout_ms=milliseconds(options.rebalance_seconds),
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            max_partition_fetch_bytes=options.partition_fetch,
            fetch_max_bytes=FETCH_BYTES,
        )
        self._group = group
        self._name = member

    def expelled(self) -> bool:
        """Whether the group has told this member that it does not know it (any more)."""
        return self._coordinator is None or bool(
            self._coordinator.member_id == JoinGroupRequest.UNKNOWN_MEMBER_ID
        )

    async def namesake(self) -> bool:
        """Whether another process is in the group under our name. Raises `KafkaError`."""
        await self._coordinator.ensure_coordinator_known()
        answer = await self._ask(DescribeGroupsRequest([self._group]))
        _, _, _, _, _, members, *_ = answer.groups[0]
        return any(
            client == self._name and member != self._coordinator.member_id for member, client, *_ in members
        )

    async def committed_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        """The committed offsets of those that have one."""
        found = await self._coordinator.fetch_committed_offsets(list(partitions))
        return {partition: committed.offset for partition, committed in found.items()}

    async def leave(self, seconds: float) -> None:
        """Leave the group and close; after `seconds` the connections are cut instead."""
        if self._coordinator is not None:
            self._coordinator._group_instance_id = None  # noqa: SLF001  # see the top of this file
        try:
            async with asyncio.timeout(seconds):
                await self.stop()
        except (KafkaError, TimeoutError) as error:
            log.warning("bus.consumer_cut", group=self._group, reason=type(error).__name__)
            await self.cut()

    async def cut(self) -> None:
        """End all tasks and connections without a word to the group, as if the process had died."""
        self._closed = True
        await _cancel(self._background())
        if self._fetcher is not None:
            await self._fetcher.close()
        await self._client.close()

    async def _ask(self, request: Any) -> Any:
        return await self._coordinator._send_req(request)  # noqa: SLF001  # no public way to ask the coordinator

    def _background(self) -> list[asyncio.Task[Any]]:
        coordinator = self._coordinator
        if coordinator is None:
            return []
        names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
        return [task for name in names if (task := getattr(coordinator, name)) is not None]


async def _cancel(tasks: Iterable[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError, KafkaError):
            await task
