"""The consumer on real buses: order, concurrency, commits, stopping and dying."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Mapping

from shared.ports.bus import Bus, Message, Partition, Record
from tests.contract.bus_adapters import Station, behind, messages, seen
from tests.helpers import eventually
from tests.unit.runtime.buses import NotingBus
from tests.unit.runtime.consumers import Handled, Starter


def numbers(records: list[Record], key: str) -> list[int]:
    return [int(record.value) for record in records if record.key == key]


async def test_records_of_one_key_are_handled_in_their_order_whatever_time_each_takes(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 400, keys=20))
    at_work: Counter[str] = Counter()
    done: dict[str, list[int]] = defaultdict(list)

    async def handle(record: Record) -> None:
        at_work[record.key] += 1
        assert at_work[record.key] == 1
        await asyncio.sleep(random.random() * 0.01)
        at_work[record.key] -= 1
        done[record.key].append(int(record.value))

    start(bus, handle)
    await eventually(lambda: sum(map(len, done.values())) == 400, within=30)

    assert all(own == sorted(own) for own in done.values())
    assert len(done) == 20


async def test_200_keys_are_at_work_at_the_same_time(station: Station, bus: Bus, start: Starter) -> None:
    await bus.publish(messages(station.topic, 200, keys=200))
    handled = Handled(*(f"key-{number}" for number in range(200)))

    start(bus, handled)

    await eventually(lambda: len(handled.begun) == 200, within=20)
    assert handled.done == []


async def test_no_more_handlers_run_at_once_than_the_settings_allow(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 200, keys=200))
    at_work, most, done = 0, 0, 0

    async def handle(record: Record) -> None:
        nonlocal at_work, most, done
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(0.001)
        at_work -= 1
        done += 1

    start(bus, handle, concurrency=7)
    await eventually(lambda: done == 200, within=30)

    assert most == 7


async def test_a_key_that_is_stuck_stops_no_other_key(station: Station, bus: Bus, start: Starter) -> None:
    """Among them the keys of its own partition, and though it has more records than there are handlers."""
    await bus.publish([Message(station.topic, "stuck", b"%d" % number) for number in range(60)])
    await bus.publish(messages(station.topic, 300, keys=100))
    handled = Handled("stuck")

    start(bus, handled, concurrency=16)
    await eventually(lambda: len(handled.done) == 300, within=30)
    assert numbers(handled.begun, "stuck") == [0]

    handled.let_go.set()
    await eventually(lambda: len(handled.done) == 360, within=30)
    assert numbers(handled.done, "stuck") == list(range(60))


async def test_a_commit_never_passes_an_unfinished_record(station: Station, bus: Bus, start: Starter) -> None:
    """Looked at before every single commit: invariant I6."""
    unfinished: dict[Partition, set[int]] = defaultdict(set)
    looked_at = 0

    def look(offsets: Mapping[Partition, int]) -> None:
        nonlocal looked_at
        for partition, offset in offsets.items():
            looked_at += 1
            assert all(offset <= open_offset for open_offset in unfinished[partition])

    async def handle(record: Record) -> None:
        unfinished[record.partition].add(record.offset)
        await asyncio.sleep(random.random() * 0.08)
        unfinished[record.partition].discard(record.offset)

    everything = messages(station.topic, 1_000, keys=50)
    noting = NotingBus(bus, look)
    start(noting, handle)
    for begin in range(0, 1_000, 100):
        await bus.publish(everything[begin : begin + 100])
    await eventually(lambda: sum(noting.commits.values()) == 1_000, within=30)

    assert looked_at > 4


async def test_after_a_kill_exactly_what_was_not_committed_comes_again(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 100, keys=20))
    first, noting = Handled("key-3"), NotingBus(bus)
    killed = start(noting, first)
    await eventually(lambda: len(first.done) == 95, within=20)
    stuck = min(record.offset for record in first.begun if record.key == "key-3")
    held_up = next(record.partition for record in first.begun if record.key == "key-3")
    ends = behind(first.begun) | {held_up: stuck}
    await eventually(lambda: noting.commits == {p: end for p, end in ends.items() if end}, within=20)
    await killed.kill()

    second = Handled()
    start(bus, second)
    behind_the_stuck = {(held_up, offset) for offset in range(stuck, stuck + 100)}
    again = behind_the_stuck & {tuple(one) for one in await _everything(bus, station.topic)}
    await eventually(lambda: len(second.done) >= len(again), within=30)
    await bus.publish([Message(station.topic, f"key-{number}", b"0") for number in range(20)])
    await eventually(lambda: len(second.done) >= len(again) + 20, within=20)

    assert {tuple(one) for one in seen(second.done) if one.offset < ends_of(first)[one.partition]} == again


def ends_of(handled: Handled) -> Mapping[Partition, int]:
    return defaultdict(int, behind(handled.begun + handled.done))


async def _everything(bus: Bus, topic: str) -> list[tuple[Partition, int]]:
    return [(record.partition, record.offset) for record in await bus.browse(topic, 10_000)]
