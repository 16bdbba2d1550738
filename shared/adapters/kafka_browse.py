"""Looking at a topic without joining a group: for operators, who want to see what lies there."""

import heapq
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import TopicPartition

from shared.adapters.kafka_batches import LenientConsumer
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.kafka_records import decoded
from shared.ports.bus import Record

WAIT_MS = 200


async def browse(
    options: KafkaOptions, topic: str, numbers: Sequence[int], limit: int, after: Mapping[int, int]
) -> list[Record]:
    """Up to `limit` records of these partitions behind those of `after` (partition to offset), oldest first.

    Within a partition they keep the order of their offsets, whatever their times say. Reads up to where the
    topic ended when it was asked. May raise any error of aiokafka's.
    """
    consumer = LenientConsumer(
        **options.connection("ombud-browser"),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=options.partition_fetch,
    )
    try:
        await consumer.start()
        partitions = [TopicPartition(topic, number) for number in numbers]
        found = await _read(consumer, partitions, limit, after)
    finally:
        await consumer.stop()
    oldest_first = heapq.merge(*found.values(), key=lambda record: record.published_at)
    return [record for record, _ in zip(oldest_first, range(limit), strict=False)]


async def _read(
    consumer: Any, partitions: Sequence[TopicPartition], limit: int, after: Mapping[int, int]
) -> dict[TopicPartition, list[Record]]:
    """Up to `limit` records of each partition: any of them may hold all of the oldest."""
    consumer.assign(partitions)
    firsts = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    found: dict[TopicPartition, list[Record]] = defaultdict(list)
    unread = set()
    for partition in partitions:
        start = max(firsts[partition], after.get(partition.partition, -1) + 1)
        consumer.seek(partition, start)
        if start < ends[partition]:
            unread.add(partition)
    while unread:
        taken = await consumer.getmany(*unread, timeout_ms=WAIT_MS)
        for partition, batch in taken.items():
            found[partition] += [decoded(record) for record in batch if record.offset < ends[partition]]
        # The position also passes what compaction and transactions left without a record.
        unread = {
            partition
            for partition in unread
            if len(found[partition]) < limit and await consumer.position(partition) < ends[partition]
        }
    return {partition: records[:limit] for partition, records in found.items()}
