"""A subscription of the embedded bus: waking, committing, closing, and a file that is locked."""

import asyncio
import sqlite3
import statistics
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_subscription import SqliteSubscription
from shared.domain.errors import Unavailable
from shared.ports.bus import Partition
from tests.helpers import eventually
from tests.unit.adapters.sqlite_bus.members import PARTITIONS, numbered, values


async def test_a_group_change_wakes_a_waiting_member_of_this_process(bus: SqliteBus) -> None:
    """It need not wait for its next beat, which is up to a second away: half of one, mostly."""
    first = await bus.subscribe(["t"], "g", "first")
    await first.fetch(1, 0)
    waiting = asyncio.ensure_future(first.fetch(1, 60))
    took = []
    for _ in range(9):
        second = await bus.subscribe(["t"], "g", "second")
        start = time.monotonic()
        await eventually(partial(_owns_some, second))
        took.append(time.monotonic() - start)
        await second.close()
        await eventually(lambda: len(first.assignment()) == PARTITIONS)

    assert statistics.median(took) < 0.3
    await bus.publish(numbered(1))
    assert values(await waiting) == [0]


async def _owns_some(member: SqliteSubscription) -> bool:
    await member.fetch(1, 0)
    return bool(member.assignment())


async def test_a_commit_never_takes_back_what_was_done(bus: SqliteBus) -> None:
    await bus.publish(numbered(10, keys=1))
    member = await bus.subscribe(["t"], "g", "m")
    (*_, last) = await member.fetch(100, 1)
    await member.commit({last.partition: 8})
    await member.commit({last.partition: 3})
    await member.commit({Partition("elsewhere", 0): 3})

    assert (await member.lag())[last.partition] == 2


async def test_a_closed_subscription_reads_no_more_and_may_be_closed_again(bus: SqliteBus) -> None:
    member = await bus.subscribe(["t"], "g", "m")
    await member.close()
    await member.close()

    assert member.assignment() == frozenset()
    with pytest.raises(Unavailable):
        await member.fetch(1, 0)


async def test_closing_after_the_file_is_gone_is_logged_and_nothing_more(path: Path) -> None:
    async with SqliteFile.open(path) as file:
        member = await SqliteBus(file).subscribe(["t"], "g", "m")

    with capture_logs() as lines:
        await member.close()

    assert [line["event"] for line in lines] == ["bus.left_without_a_word"]


async def test_a_locked_file_makes_fetch_unavailable_and_it_goes_on_afterwards(
    bus: SqliteBus, path: Path
) -> None:
    await bus.publish(numbered(5))
    member = await bus.subscribe(["t"], "g", "m")
    with closing(sqlite3.connect(path, isolation_level=None)) as locker:
        locker.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await member.fetch(10, 0)
        locker.execute("COMMIT")

    assert len(await member.fetch(10, 1)) == 5
