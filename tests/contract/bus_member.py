"""A member of a group in a process of its own, to be killed: see `bus_adapters.Process`.

It fetches on and on. `half` makes it read all that its partitions hold, commit the first half of each, and
answer with each partition's number and the offsets it did not commit; `half paused` pauses them all as well.
"""

import asyncio
import json
import sys

import structlog

from shared.ports.bus import Record, Subscription
from tests.contract.bus_adapters import by_partition, open_bus


async def read_all(subscription: Subscription, records: list[Record]) -> None:
    while not records or len(records) < sum((await subscription.lag()).values()):
        records += await subscription.fetch(100, 0.1)


async def half(subscription: Subscription, records: list[Record]) -> dict[int, list[int]]:
    """Commit the first half of each partition; the offsets of the other halves."""
    await read_all(subscription, records)
    shares = {partition: (share, len(share) // 2) for partition, share in by_partition(records).items()}
    await subscription.commit(
        {partition: share[middle].offset for partition, (share, middle) in shares.items()}
    )
    return {
        partition.number: [record.offset for record in share[middle:]]
        for partition, (share, middle) in shares.items()
    }


async def main(kind: str, address: str, topic: str, group: str, member: str) -> None:
    orders = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
    async with open_bus(kind, address) as bus:
        subscription = await bus.subscribe([topic], group, member)
        records: list[Record] = []
        while not orders.done():
            records += await subscription.fetch(100, 0.1)
        rest = await half(subscription, records)
        if "paused" in orders.result():
            subscription.pause(subscription.assignment())
        print(json.dumps(rest), flush=True)  # the answer
        while True:
            await subscription.fetch(100, 0.1)


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # stdout is for the answer
    asyncio.run(main(*sys.argv[1:6]))
