"""The consumer when the bus itself is ill: a peer that is silent, broken, hanging, rewound or away."""

import asyncio

import pytest
from structlog.testing import capture_logs

from shared.domain.errors import Refused, Unavailable
from shared.runtime.guard import Silent
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.unit.runtime.buses import HANG, PARTITION, ScriptedBus
from tests.unit.runtime.consumers import DOWN, LONG, Handled, Starter, joined, pass_time, ready
from tests.unit.runtime.records import record

# -- joining


async def test_without_a_broker_at_the_start_it_waits_says_so_and_then_begins(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    peer.faults["subscribe"].extend([DOWN] * 3)
    peer.faults["prepare"].extend([DOWN] * 3)
    peer.put(record(0))
    handled = Handled()
    running = begin(peer, handled, clock=clock, **LONG)
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="has not joined"):
        await running.consumer.ping()
    await clock.advance(0)
    with pytest.raises(Unavailable, match="Kafka does not answer"):
        await running.consumer.ping()

    await pass_time(clock, 200, step=5)
    await eventually(lambda: handled.done)
    await running.consumer.ping()


async def test_it_is_not_ready_before_its_group_has_told_it_its_share(
    peer: ScriptedBus, begin: Starter
) -> None:
    running = begin(peer, Handled())
    await joined(peer)
    peer.subscriptions[0].shared_out = False
    with pytest.raises(Unavailable, match="its share"):
        await running.consumer.ping()

    peer.subscriptions[0].shared_out = True
    await running.consumer.ping()


async def test_a_stop_while_it_waits_for_a_broker_ends_it_at_once(peer: ScriptedBus, begin: Starter) -> None:
    peer.faults["subscribe"].append(HANG)
    running = begin(peer, Handled())
    await asyncio.sleep(0.01)

    await running.stop()


async def test_what_forbids_to_start_at_all_ends_it(peer: ScriptedBus, begin: Starter) -> None:
    peer.faults["subscribe"].append(Refused("the broker does not let this user in"))
    running = begin(peer, Handled())

    with pytest.raises(Refused):
        await asyncio.wait_for(running.task, 5)


# -- reading


async def test_fetches_that_fail_are_made_again_and_logged_once(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled()
    with capture_logs() as logs:
        running = begin(peer, handled, clock=clock, **LONG)
        await joined(peer)
        peer.faults["fetch"].extend([DOWN] * 5)
        peer.put(record(0))
        await eventually(lambda: len(peer.faults["fetch"]) < 5)
        assert not await ready(running)
        await pass_time(clock, 40)
        await eventually(lambda: handled.done)

    assert await ready(running)
    assert [line["event"] for line in logs] == ["consumer.outage", "consumer.outage_over"]


async def test_a_subscription_that_fails_for_good_though_the_bus_answers_is_made_anew(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    begin(peer, Handled(), clock=clock, **LONG)
    await joined(peer)
    peer.faults["fetch"].extend([DOWN] * 1_000)
    peer.faults["ping"].extend([DOWN] * 2)

    await pass_time(clock, 55)
    assert len(peer.subscriptions) == 1
    peer.faults["ping"].clear()
    await pass_time(clock, 20)
    await eventually(lambda: peer.subscriptions[0].closed)
    peer.faults["fetch"].clear()
    await joined(peer, 2, clock)


async def test_an_outage_of_the_bus_is_not_taken_for_a_broken_subscription(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    begin(peer, Handled(), clock=clock, **LONG)
    await joined(peer)
    peer.faults["fetch"].extend([DOWN] * 10_000)
    peer.faults["ping"].extend([DOWN] * 10_000)

    await pass_time(clock, 600, step=2)
    assert len(peer.subscriptions) == 1


async def test_a_subscription_that_breaks_is_made_anew_and_what_was_not_finished_comes_again(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled("held")
    running = begin(peer, handled, clock=clock, drain=0.1, **LONG)
    await joined(peer)
    peer.put(record(0, key="free"), record(1, key="held"))
    await eventually(lambda: len(handled.begun) == 2)

    peer.faults["fetch"].append(RuntimeError("the consumer was closed"))
    await eventually(lambda: peer.subscriptions[0].closed)
    assert not await ready(running)
    assert peer.subscriptions[0].committed == {PARTITION: 1}

    await joined(peer, 2, clock)
    handled.let_go.set()
    peer.put(record(1, key="held"))
    await eventually(lambda: [done.offset for done in handled.done] == [0, 1])


async def test_a_partition_that_begins_anew_without_a_word_is_read_with_a_new_subscription(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    """A watermark across both readings would be wrong for one of them."""
    begin(peer, Handled(), clock=clock, **LONG)
    await joined(peer)
    peer.put(record(5), record(6))
    await eventually(lambda: not peer.records)

    peer.put(record(5))
    await eventually(lambda: peer.subscriptions[0].closed)
    await joined(peer, 2, clock)


# -- silence


async def test_records_that_wait_while_none_comes_end_the_process(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    """aiokafka#625, #703, #992: it says nothing, and nothing comes for ever."""
    running = begin(peer, Handled(), clock=clock, silent_after=60, **LONG)
    await joined(peer)
    peer.behind = 3
    await pass_time(clock, 50)
    assert not running.task.done()

    await pass_time(clock, 20)
    with pytest.raises(Silent):
        await asyncio.wait_for(running.task, 5)
    assert peer.subscriptions[0].closed


async def test_a_handler_that_takes_long_is_no_silence(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    running = begin(peer, Handled("k"), clock=clock, silent_after=60, **LONG)
    await joined(peer)
    peer.put(record(0))
    peer.behind = 1

    await pass_time(clock, 300)
    assert not running.task.done()


async def test_a_fetch_that_never_comes_back_ends_the_process(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    running = begin(peer, Handled(), clock=clock, silent_after=60, **LONG)
    await joined(peer)
    peer.faults["fetch"].append(HANG)

    await pass_time(clock, 80)
    with pytest.raises(Silent, match="not come back"):
        await asyncio.wait_for(running.task, 5)


async def test_a_member_that_is_given_no_partitions_goes_on_and_joins_anew_now_and_then(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    running = begin(peer, Handled(), clock=clock, silent_after=60, **LONG)
    await joined(peer)
    peer.subscriptions[0].assigned = frozenset()

    await pass_time(clock, 65)
    await joined(peer, 2, clock)
    assert not running.task.done()
    assert peer.subscriptions[0].closed


# -- the end


async def test_a_goodbye_that_hangs_does_not_keep_the_process(peer: ScriptedBus, begin: Starter) -> None:
    running = begin(peer, Handled())
    await joined(peer)
    peer.faults["close"].append(HANG)

    await asyncio.wait_for(running.stop(), 5)
