"""The contract of `shared/ports/bus.py`, on every adapter: who gets which record, and which come again.

Members here read on by themselves (`Reader`), as consumers do: their calls are the sign of life.
"""

import asyncio
from collections.abc import Awaitable

import pytest

from shared.ports.bus import Bus, Message, Partition, Record, Subscription
from tests.contract.bus_adapters import (
    PARTITIONS,
    SESSION_SECONDS,
    Station,
    behind,
    by_partition,
    has_all,
    messages,
    read,
    seen,
    shared_out,
    values,
)
from tests.helpers import eventually, unique

# -- groups


async def test_each_group_sees_every_record(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 30))

    for group in ("first", "second"):
        subscription = await bus.subscribe([station.topic], unique(group), "one")
        assert sorted(values(await read(subscription, 30))) == list(range(30))
        await subscription.close()


async def test_members_share_the_partitions_and_each_record_goes_to_one_of_them(
    station: Station, bus: Bus
) -> None:
    members = [await station.join(bus, "one"), await station.join(await station.open(), "two")]
    readers = [await station.read_on(member) for member in members]
    await shared_out(members)

    await bus.publish(messages(station.topic, 200, keys=50))

    await eventually(lambda: sum(len(reader.records) for reader in readers) >= 200)
    assert sorted(values(readers[0].records + readers[1].records)) == list(range(200))
    for member, reader in zip(members, readers, strict=True):
        assert {record.partition for record in reader.records} <= member.assignment()


async def test_one_member_reads_two_topics(station: Station, bus: Bus) -> None:
    topics = [unique("topic"), unique("topic")]
    subscription = await bus.subscribe(topics, station.group, "one")
    await bus.publish([Message(topic, str(n), b"7") for topic in topics for n in range(20)])

    records = await read(subscription, 40)

    assert [sum(record.partition.topic == topic for record in records) for topic in topics] == [20, 20]
    await subscription.close()


async def test_members_of_two_topics_share_both(station: Station, bus: Bus) -> None:
    """No assignor may forget a topic, or let two groups of one process know of each other."""
    topics = [unique("topic"), unique("topic")]
    members = [await bus.subscribe(topics, station.group, name) for name in ("one", "two", "three")]
    stranger = await bus.subscribe(topics[:1], unique("group"), "one")
    for member in [*members, stranger]:
        await station.read_on(member)

    def shared() -> bool:
        shares = [member.assignment() for member in members]
        return sum(map(len, shares)) == 2 * PARTITIONS == len(frozenset().union(*shares))

    await eventually(shared, within=20)
    await eventually(lambda: len(stranger.assignment()) == PARTITIONS)
    for member in [*members, stranger]:
        await member.close()


async def test_a_member_that_is_one_too_many_learns_that_its_share_is_nothing(
    station: Station, bus: Bus
) -> None:
    members = []
    for number in range(PARTITIONS + 1):
        member = await bus.subscribe([station.topic], station.group, f"member-{number}")
        assert not member.has_share()
        await station.read_on(member)
        members.append(member)

    await eventually(lambda: all(member.has_share() for member in members), within=40)
    await eventually(lambda: sorted(len(one.assignment()) for one in members) == [0] + [1] * PARTITIONS)
    for member in members:
        await member.close()


# -- what comes again, and what does not


async def test_a_member_that_comes_back_begins_exactly_behind_what_it_committed(
    station: Station, bus: Bus
) -> None:
    await bus.publish(messages(station.topic, 100))
    subscription = await station.join(bus, "one")
    records = await read(subscription, 100)
    halves = {place: share[: len(share) // 2] for place, share in by_partition(records).items()}
    done = [record for half in halves.values() for record in half]
    await subscription.commit(behind(done))
    await subscription.close()

    again = await read(await station.join(await station.open(), "one"), 100 - len(done))

    assert sorted(seen(again)) == sorted(set(seen(records)) - set(seen(done)))


async def test_records_that_nobody_committed_all_come_again(station: Station, bus: Bus) -> None:
    await bus.publish(messages(station.topic, 50))
    first = await station.join(bus, "one")
    before = await read(first, 50)
    await first.close()

    after = await read(await station.join(bus, "one"), 50)

    assert sorted(seen(after)) == sorted(seen(before))


async def test_when_a_member_leaves_another_gets_what_it_did_not_commit_and_nothing_else(
    station: Station, bus: Bus
) -> None:
    leaving, staying = await station.join(bus, "one"), await station.join(await station.open(), "two")
    reader, heir = await station.read_on(leaving), await station.read_on(staying, commit=True)
    await shared_out([leaving, staying])
    await bus.publish(messages(station.topic, 200, keys=50))
    await eventually(lambda: len(reader.records) + len(heir.records) >= 200)
    mine = by_partition(reader.records)
    rest = {partition: records[len(records) // 2 :] for partition, records in mine.items()}
    await leaving.commit({partition: records[0].offset for partition, records in rest.items()})

    await leaving.close()

    await has_all(staying, within=0.6 * SESSION_SECONDS[station.kind])  # at once: no session had to run out
    expected = sorted(seen(record for records in rest.values() for record in records))
    await eventually(lambda: sorted(_from(heir.records, set(mine))) == expected)
    await bus.publish(messages(station.topic, 20, keys=50))
    await eventually(lambda: len(set(seen(heir.records))) >= 20 + 200 - len(reader.records) + len(expected))
    assert len(seen(heir.records)) == len(set(seen(heir.records)))


@pytest.mark.parametrize("orders", ["half", "half paused"])
async def test_when_a_member_is_killed_another_gets_what_it_did_not_commit_and_nothing_else(
    station: Station, bus: Bus, orders: str
) -> None:
    """Nobody says goodbye in a crash, and a pause, of the dead or of the heir, must not keep the records."""
    heir = await station.join(bus, "heir")
    reader = await station.read_on(heir, commit=True)
    await has_all(heir)
    doomed = await station.spawn("doomed")
    await eventually(lambda: len(heir.assignment()) == PARTITIONS // 2, within=20)
    kept = heir.assignment()
    await bus.publish(messages(station.topic, 200, keys=50))
    rest = await doomed.ask(orders)
    if "paused" in orders:
        await eventually(lambda: _lag_of(heir.lag(), 0))
        heir.pause(kept)

    await doomed.kill()

    await eventually(
        lambda: len(heir.assignment()) == PARTITIONS, within=10 + 2 * SESSION_SECONDS[station.kind]
    )
    lost = {Partition(station.topic, int(number)): offsets for number, offsets in rest.items()}
    expected = sorted((partition, offset) for partition, offsets in lost.items() for offset in offsets)
    await eventually(lambda: len(_from(reader.records, set(lost))) >= len(expected))
    assert sorted(_from(reader.records, set(lost))) == expected
    assert kept.isdisjoint(lost)


async def _lag_of(lag: Awaitable[dict[Partition, int]], expected: int) -> bool:
    return sum((await lag).values()) == expected


def _from(records: list[Record], partitions: set[Partition]) -> list[tuple[Partition, int]]:
    return [(record.partition, record.offset) for record in records if record.partition in partitions]


async def test_partitions_go_to_another_member_only_after_on_revoked_and_its_commit_counts(
    station: Station, bus: Bus
) -> None:
    """What is in flight when a member joins is finished by the old reader, and not given to the new one."""
    revoking, may_go = asyncio.Event(), asyncio.Event()
    taken: set[Partition] = set()

    async def finish(partitions: frozenset[Partition]) -> None:
        taken.update(partitions)
        revoking.set()
        await may_go.wait()
        await old.commit(behind(record for record in reader.records if record.partition in partitions))

    old = await station.join(bus, "old", finish)
    reader = await station.read_on(old)
    await bus.publish(messages(station.topic, 100))
    await eventually(lambda: len(reader.records) == 100)

    new = await station.join(await station.open(), "new")
    successor = await station.read_on(new)
    await asyncio.wait_for(revoking.wait(), 20)
    seen_by_new = await asyncio.wait_for(_watch(new, taken), 5)
    may_go.set()
    await shared_out([old, new])
    await bus.publish(messages(station.topic, 40))

    assert not seen_by_new
    await eventually(lambda: len(reader.records) + len(successor.records) >= 140)
    all_seen = seen(reader.records) + seen(successor.records)
    assert len(all_seen) == len(set(all_seen)) == 140
    assert new.assignment() <= taken


async def _watch(member: Subscription, partitions: set[Partition]) -> frozenset[Partition]:
    """What of these the member owned at any of fifty moments."""
    owned: frozenset[Partition] = frozenset()
    for _ in range(50):
        owned |= member.assignment() & partitions
        await asyncio.sleep(0.01)
    return owned


async def test_a_commit_for_a_partition_of_another_member_changes_nothing(station: Station, bus: Bus) -> None:
    """A reader that was too slow must not move the new one's mark."""
    members = [await station.join(bus, "one"), await station.join(await station.open(), "two")]
    readers = [await station.read_on(member) for member in members]
    await shared_out(members)
    await bus.publish(messages(station.topic, 100, keys=50))
    await eventually(lambda: sum(len(reader.records) for reader in readers) >= 100)
    lag = await members[1].lag()

    await members[0].commit(behind(readers[1].records))

    assert await members[1].lag() == lag
    assert sum(lag.values()) == len(readers[1].records)
