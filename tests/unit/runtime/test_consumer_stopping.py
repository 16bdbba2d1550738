"""The consumer on real buses: stopping in good order, and sharing a topic with another member."""

import asyncio
import random
import time
from collections import Counter

from shared.ports.bus import Bus, Message, Record
from shared.runtime.service import Handle
from tests.contract.bus_adapters import Station, behind, messages, seen
from tests.helpers import eventually
from tests.unit.runtime.buses import NotingBus
from tests.unit.runtime.consumers import Handled, Starter


async def test_what_is_at_work_when_told_to_stop_is_finished_and_committed(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 5, keys=5))
    handled, noting = Handled(*(f"key-{number}" for number in range(5))), NotingBus(bus)
    running = start(noting, handled)
    await eventually(lambda: len(handled.begun) == 5)

    running.stopping.set()
    await asyncio.sleep(0)
    assert not running.task.done()
    handled.let_go.set()
    await asyncio.wait_for(running.task, 10)

    assert len(handled.done) == 5
    assert noting.commits == behind(handled.done)


async def test_what_waits_behind_its_key_when_told_to_stop_is_not_begun(
    station: Station, bus: Bus, start: Starter
) -> None:
    """A busy key could else hold up the stop for as long as it has records."""
    await bus.publish([Message(station.topic, "busy", b"%d" % number) for number in range(50)])
    handled, noting = Handled("busy"), NotingBus(bus)
    running = start(noting, handled)
    await eventually(lambda: len(handled.begun) == 1)
    running.stopping.set()
    await eventually(lambda: noting.subscriptions[0].paused)
    handled.let_go.set()
    await asyncio.wait_for(running.task, 10)

    assert len(handled.begun) == 1
    assert noting.commits == behind(handled.done)


async def test_what_is_not_finished_in_time_is_cancelled_not_committed_and_comes_again(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 20, keys=20))
    handled, noting = Handled("key-7"), NotingBus(bus)
    running = start(noting, handled, drain=0.2)
    await eventually(lambda: len(handled.done) == 19)
    (stuck,) = [record for record in handled.begun if record.key == "key-7"]

    begun = time.monotonic()
    await running.stop()

    assert time.monotonic() - begun < 5
    assert noting.commits.get(stuck.partition, 0) <= stuck.offset

    second = Handled()
    start(bus, second)
    await eventually(
        lambda: stuck.offset in [r.offset for r in second.done if r.partition == stuck.partition]
    )


async def test_a_consumer_that_was_stopped_leaves_nothing_to_be_done_twice(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 300, keys=30))
    first = Handled()
    running = start(bus, first)
    await eventually(lambda: len(first.done) == 300)
    await running.stop()
    await bus.publish([Message(station.topic, "late", b"0")])

    second = Handled()
    start(bus, second)
    await eventually(lambda: second.done)
    assert [record.key for record in second.done] == ["late"]


async def test_a_member_that_joins_takes_over_without_a_record_handled_twice_or_out_of_order(
    station: Station, bus: Bus, start: Starter
) -> None:
    """Nobody dies here: then each record has exactly one handler, whatever moves in between.

    There are many keys, so that nothing waits behind its key when a member stops: that would be left to the
    next one, with the records behind it, done or not.
    """
    handled: list[Record] = []
    by: Counter[str] = Counter()

    def handler(member: str) -> Handle:
        async def handle(record: Record) -> None:
            await asyncio.sleep(random.random() * 0.01)
            handled.append(record)
            by[member] += 1

        return handle

    everything = messages(station.topic, 2_000, keys=400)
    start(bus, handler("one"), member="one")
    published = 0
    while not by["two"] or published < 1_000:
        await bus.publish(everything[published : published + 20])
        published += 20
        if published == 400:
            start(await station.open(), handler("two"), member="two")
        assert published < len(everything), "the second member got nothing"
        await asyncio.sleep(0.02)
    await start.running[0].stop()
    await bus.publish(everything[published : published + 100])
    published += 100
    await eventually(lambda: len(handled) >= published, within=30)
    await start.running[1].stop()

    assert max(Counter(seen(handled)).values()) == 1
    assert len(handled) == published
    for key in {record.key for record in handled}:
        own = [int(record.value) for record in handled if record.key == key]
        assert own == sorted(own)
