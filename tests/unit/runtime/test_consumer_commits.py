"""The consumer on a peer: the window, what is committed when, the dead topic that fails, the metrics."""

import asyncio

from shared.domain.errors import Invalid, Permanent
from shared.metrics import CONSUMER_IN_FLIGHT, CONSUMER_LAG, CONSUMER_LAST_POLL, EVENT_AGE
from shared.ports.bus import Partition, Record
from tests.fakes.clock import START, FakeClock
from tests.helpers import eventually
from tests.unit.runtime.buses import PARTITION, ScriptedBus
from tests.unit.runtime.consumers import DOWN, LONG, Handled, Starter, joined, pass_time, ready
from tests.unit.runtime.records import record

# -- the window


async def test_a_full_window_pauses_the_partition_goes_on_asking_and_takes_in_again_later(
    peer: ScriptedBus, begin: Starter
) -> None:
    """Not to ask is taken for dead by the group."""
    handled = Handled(*(f"k{number}" for number in range(100)))
    peer.put(*(record(number, key=f"k{number}") for number in range(100)))
    begin(peer, handled, concurrency=2)
    (subscription,) = await eventually(lambda: peer.subscriptions)
    await eventually(lambda: subscription.paused)
    waiting, fetches = len(peer.records), subscription.fetches

    await eventually(lambda: subscription.fetches > fetches + 5)
    assert waiting == len(peer.records) > 0

    handled.let_go.set()
    await eventually(lambda: len(handled.done) == 100)
    assert not subscription.paused


# -- committing


async def test_offsets_are_committed_when_their_time_has_come_and_not_at_every_record(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled()
    begin(peer, handled, clock=clock, **LONG)
    await joined(peer)
    peer.put(*(record(number) for number in range(50)))
    await eventually(lambda: len(handled.done) == 50)
    assert peer.subscriptions[0].committed == {}

    await clock.advance(1.0)
    await eventually(lambda: peer.subscriptions[0].committed == {PARTITION: 50})


async def test_events_that_a_reader_ignores_reach_no_handler_and_are_committed_like_all_others(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled()
    begin(peer, handled, clock=clock, ignored=frozenset({"dull"}), **LONG)
    await joined(peer)
    peer.put(*(record(number, ce_type="dull" if number % 10 else "new") for number in range(48)))
    await eventually(lambda: len(handled.done) == 5)

    await clock.advance(1.0)
    await eventually(lambda: peer.subscriptions[0].committed == {PARTITION: 48})
    assert [one.offset for one in handled.begun] == [0, 10, 20, 30, 40]


async def test_a_commit_that_fails_is_made_again_and_readiness_says_so(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    running = begin(peer, Handled(), clock=clock, **LONG)
    await joined(peer)
    peer.put(record(0))
    peer.faults["commit"].append(DOWN)
    await clock.advance(1.0)
    await eventually(lambda: not peer.faults["commit"])
    assert not await ready(running)

    await clock.advance(1.0)
    await eventually(lambda: peer.subscriptions[0].committed == {PARTITION: 1})
    assert await ready(running)


async def test_what_finishes_late_in_a_partition_that_was_taken_away_is_not_committed(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    cancelled, late = asyncio.Event(), asyncio.Event()

    async def stubborn(_: Record) -> None:
        try:
            await late.wait()
        except asyncio.CancelledError:
            cancelled.set()
            await late.wait()  # as a library that shields what it does

    running = begin(peer, stubborn, clock=clock, drain=0.1, **LONG)
    await joined(peer)
    peer.put(record(0))
    await eventually(lambda: not peer.records)
    subscription = peer.subscriptions[0]
    assert subscription.on_revoked is not None
    await subscription.on_revoked(subscription.assigned)
    assert cancelled.is_set()

    late.set()
    await pass_time(clock, 3)
    await running.stop()
    assert subscription.committed == {}


async def test_a_record_whose_handler_cancels_itself_holds_up_the_commits_until_it_has_come_again(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    """Passing over it would lose it, and to stay behind it for ever would read everything again one day."""
    done: list[int] = []

    async def handle(one: Record) -> None:
        task = asyncio.current_task()
        if one.offset == 0 and len(peer.subscriptions) == 1 and task is not None:
            task.cancel()
            await asyncio.sleep(0)
        done.append(one.offset)

    begin(peer, handle, clock=clock, **LONG)
    await joined(peer)
    peer.put(record(0, key="a"), record(1, key="b"))
    await eventually(lambda: peer.subscriptions[0].closed)
    assert peer.subscriptions[0].committed == {}

    await joined(peer, 2, clock)
    peer.put(record(0, key="a"), record(1, key="b"))
    await clock.advance(1.0)
    await eventually(lambda: sorted(done) == [0, 1, 1])


async def test_what_is_at_work_in_a_partition_that_is_taken_away_is_finished_and_committed_first(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled("held")
    begin(peer, handled, clock=clock, **LONG)
    await joined(peer)
    peer.put(record(0, key="held"), record(1, key="held"), record(2))
    await eventually(lambda: len(handled.begun) == 2)
    subscription = peer.subscriptions[0]
    assert subscription.on_revoked is not None
    revoking = asyncio.ensure_future(subscription.on_revoked(subscription.assigned))
    await asyncio.sleep(0.05)
    peer.put(record(3, key="new"))
    await eventually(lambda: not peer.records)
    assert not revoking.done()

    handled.let_go.set()
    await asyncio.wait_for(revoking, 5)

    assert [done.offset for done in handled.done] == [2, 0]
    assert subscription.committed == {PARTITION: 1}


async def test_nothing_is_begun_in_a_partition_that_is_taken_away_before_its_first_record_came(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    """Whoever gets the partition next begins it: it would be at work twice, and out of its key's order."""
    handled = Handled("held")
    begin(peer, handled, clock=clock, **LONG)
    await joined(peer)
    subscription = peer.subscriptions[0]
    silent = Partition(PARTITION.topic, 1)
    subscription.assigned |= {silent}
    peer.put(record(0, key="held"))
    await eventually(lambda: handled.begun)
    assert subscription.on_revoked is not None
    revoking = asyncio.ensure_future(subscription.on_revoked(subscription.assigned))
    await asyncio.sleep(0.05)
    peer.put(record(0, key="new", partition=silent.number))
    await eventually(lambda: not peer.records)

    handled.let_go.set()
    await asyncio.wait_for(revoking, 5)
    await clock.advance(1.0)

    assert [begun.key for begun in handled.begun] == ["held"]


# -- setting aside


async def test_a_record_is_not_done_before_it_is_safe_on_the_dead_topic(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    async def fail(_: Record) -> None:
        raise Invalid("no")

    running = begin(peer, fail, clock=clock, **LONG)
    await joined(peer)
    peer.faults["publish"].extend([RuntimeError("no"), DOWN, RuntimeError("no")] * 100)
    peer.put(record(0))
    await eventually(lambda: len(peer.faults["publish"]) < 300)
    await clock.advance(0.9)
    assert not await ready(running)
    assert peer.subscriptions[0].committed == {}

    peer.faults["publish"].clear()
    await pass_time(clock, 20)
    await eventually(lambda: peer.subscriptions[0].committed == {PARTITION: 1})
    (message,) = peer.published
    assert (message.topic, message.key, message.value) == ("t.dead", "k", b"v")
    assert await ready(running)


async def test_a_dead_event_that_is_too_large_with_its_trace_goes_without_it(
    peer: ScriptedBus, begin: Starter
) -> None:
    async def fail(_: Record) -> None:
        raise Invalid("x" * 10_000)

    peer.faults["publish"].append(Permanent("too large"))
    peer.put(record(0))
    begin(peer, fail)
    (message,) = await eventually(lambda: peer.published)

    assert message.headers["ombud_dead_trace"] == ""
    assert message.headers["ombud_dead_reason"] == "invalid"


# -- what is measured


async def test_the_metrics_tell_lag_age_last_poll_and_what_is_in_flight(
    peer: ScriptedBus, clock: FakeClock, begin: Starter
) -> None:
    handled = Handled("held")
    begin(peer, handled, clock=clock, **LONG)
    await joined(peer)
    peer.behind = 7
    peer.put(record(0, key="held"), record(1, key="held"))
    await pass_time(clock, 6)

    await eventually(lambda: CONSUMER_LAG.labels("t", begin.group)._value.get() == 7)
    assert CONSUMER_IN_FLIGHT.labels(begin.group)._value.get() == 2
    assert CONSUMER_LAST_POLL.labels(begin.group)._value.get() >= START.timestamp() + 5
    handled.let_go.set()
    await eventually(lambda: CONSUMER_IN_FLIGHT.labels(begin.group)._value.get() == 0)
    assert EVENT_AGE.labels("t", begin.group)._sum.get() >= 2 * 6
