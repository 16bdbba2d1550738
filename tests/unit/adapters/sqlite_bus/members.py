"""Members of a group side by side, and numbered messages, for the tests of the embedded bus."""

import asyncio
from collections.abc import Sequence

from shared.adapters.sqlite_subscription import SqliteSubscription
from shared.ports.bus import Message, Record
from tests.helpers import eventually

SESSION = 0.5


PARTITIONS = 4


def numbered(count: int, topic: str = "t", keys: int = 20) -> list[Message]:
    return [Message(topic, f"k{number % keys}", str(number).encode()) for number in range(count)]


def values(records: Sequence[Record]) -> list[int]:
    return [int(record.value) for record in records]


async def turn(*members: SqliteSubscription) -> list[list[Record]]:
    """One fetch of each, as their consumers would do side by side."""
    return list(await asyncio.gather(*(member.fetch(100, 0.02) for member in members)))


async def shared_out(*members: SqliteSubscription) -> None:
    async def settled() -> bool:
        await turn(*members)
        shares = [member.assignment() for member in members]
        return all(shares) and sum(map(len, shares)) == PARTITIONS == len(frozenset().union(*shares))

    await eventually(settled, awaited="partitions shared out")
