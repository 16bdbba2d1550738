"""What the embedded bus removes: only what is old and what every group has done."""

from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from tests.unit.adapters.sqlite_bus.members import numbered, values


async def test_only_old_records_that_every_group_has_done_are_removed(
    bus: SqliteBus, file: SqliteFile
) -> None:
    await bus.publish(numbered(20, keys=1))
    await file.execute(
        "UPDATE sys_records SET published_at = published_at - 60000 WHERE CAST(value AS TEXT) < '16'"
    )
    fast, slow = await bus.subscribe(["t"], "fast", "m"), await bus.subscribe(["t"], "slow", "m")
    partition = (await fast.fetch(100, 1))[0].partition
    await slow.fetch(100, 1)
    await fast.commit({partition: 20})

    assert await bus.trim("t", 30) == 0, "a group had not done them"
    await slow.commit({partition: 12})
    assert await bus.trim("t", 30) == 4, "0, 1, 10, 11 are old; 2 to 9 are not; 12 to 15 are not done"
    assert await bus.trim("nowhere", 30) == 0

    assert values(await bus.browse("t", 100)) == [*range(2, 10), *range(12, 20)]


async def test_what_nobody_reads_is_kept(bus: SqliteBus) -> None:
    """A dead topic has no group: its records wait for a person."""
    await bus.publish(numbered(3))

    assert await bus.trim("t", -60) == 0


async def test_a_new_group_begins_at_the_oldest_record_left_and_its_lag_says_so(bus: SqliteBus) -> None:
    await bus.publish(numbered(20, keys=1))
    first = await bus.subscribe(["t"], "first", "m")
    partition = (await first.fetch(100, 1))[0].partition
    await first.commit({partition: 15})
    await bus.trim("t", -60)

    late = await bus.subscribe(["t"], "late", "m")
    records = await late.fetch(100, 1)

    assert values(records) == list(range(15, 20))
    assert (await late.lag())[partition] == 5
