"""The consumer on real buses: what becomes of a record whose handler raises."""

import asyncio
from collections import Counter

import pytest

from shared.domain.errors import Conflict, Invalid, Temporary, Unavailable
from shared.metrics import CONSUMER_STOPPED, EVENT_RETRIES, EVENTS_DEAD, EVENTS_PROCESSED
from shared.ports.bus import Bus, Message, Record
from shared.runtime.dead import DeadEvent, list_dead, replay_dead, show_dead
from shared.runtime.guard import LEAST_SEEN
from tests.contract.bus_adapters import Station, behind, messages
from tests.helpers import eventually
from tests.unit.runtime.buses import NotingBus
from tests.unit.runtime.consumers import Handled, Starter


class Failing:
    """Raises `fault` for the records of one key: the first `times` tries, or always."""

    def __init__(self, key: str, fault: BaseException, times: int = 1_000_000) -> None:
        self.tries: Counter[tuple[str, bytes]] = Counter()
        self.done: list[Record] = []
        self._key = key
        self._fault = fault
        self._times = times

    async def __call__(self, record: Record) -> None:
        self.tries[record.key, record.value] += 1
        if record.key == self._key and self.tries[record.key, record.value] <= self._times:
            raise self._fault
        self.done.append(record)


async def dead_of(bus: Bus, topic: str) -> list[DeadEvent]:
    return await list_dead(bus, topic)


async def test_a_temporary_error_is_tried_again_while_other_keys_go_on_and_its_own_wait(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish([Message(station.topic, "ill", b"0"), Message(station.topic, "ill", b"1")])
    await bus.publish(messages(station.topic, 50, keys=10))
    failing = Failing("ill", Conflict("somebody saved first"), times=3)

    start(bus, failing, first_pause=0.1, longest_pause=0.1)
    await eventually(lambda: len(failing.done) == 52)

    assert [record.value for record in failing.done if record.key == "ill"] == [b"0", b"1"]
    assert failing.tries["ill", b"0"] == 4
    assert {record.key for record in failing.done[:50]} == {f"key-{number}" for number in range(10)}
    assert EVENT_RETRIES.labels(station.topic, station.group, "conflict")._value.get() == 6
    assert await dead_of(bus, station.topic) == []


class Hanging:
    """Hangs with the records of one key for its first `times` tries."""

    def __init__(self, key: str, times: int) -> None:
        self.begun = self.broken_off = 0
        self.done: list[Record] = []
        self._key = key
        self._times = times

    async def __call__(self, record: Record) -> None:
        if record.key == self._key:
            self.begun += 1
            if self.begun <= self._times:
                try:
                    await asyncio.Event().wait()
                finally:
                    self.broken_off += 1
        self.done.append(record)


async def test_a_handler_that_hangs_is_broken_off_and_tried_again(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish([Message(station.topic, "stuck", b"0"), Message(station.topic, "stuck", b"1")])
    hanging = Hanging("stuck", times=2)

    start(bus, hanging, handler_seconds=0.5)
    await eventually(lambda: len(hanging.done) == 2)

    assert hanging.broken_off == 2
    assert [record.value for record in hanging.done] == [b"0", b"1"]
    assert EVENT_RETRIES.labels(station.topic, station.group, "took_too_long")._value.get() == 2


async def test_a_handler_that_hangs_at_every_try_is_set_aside_and_its_key_goes_on(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish([Message(station.topic, "stuck", b"0"), Message(station.topic, "stuck", b"1")])
    hanging = Hanging("stuck", times=3)

    start(bus, hanging, handler_seconds=0.5, attempts=3)
    await eventually(lambda: len(hanging.done) == 1)
    (dead,) = await dead_of(bus, station.topic)

    assert [record.value for record in hanging.done] == [b"1"]
    assert (dead.attempts, dead.reason) == (3, "took_too_long: the handler had not ended after 0.5 s")


async def test_a_temporary_error_past_its_attempts_is_set_aside_and_the_key_goes_on(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish([Message(station.topic, "ill", b"0"), Message(station.topic, "well", b"1")])
    failing = Failing("ill", Temporary("not now"))
    start(bus, failing, attempts=4)
    (event,) = await eventually(lambda: dead_of(bus, station.topic))

    assert failing.tries["ill", b"0"] == 4
    assert event.attempts == 4
    assert event.reason == "temporary: not now"


async def test_a_permanent_error_is_set_aside_at_once_whole_and_with_its_origin_while_its_neighbours_go_on(
    station: Station, bus: Bus, start: Starter
) -> None:
    poison = Message(station.topic, "key-3", b"poison", {"ce_type": "ombud.x.v1", "ce_id": "e1"})
    await bus.publish([*messages(station.topic, 20), poison, *messages(station.topic, 20)])
    noting, done = NotingBus(bus), list[Record]()

    async def handle(record: Record) -> None:
        if record.value == b"poison":
            raise Invalid("no subject")
        done.append(record)

    start(noting, handle)
    (event,) = await eventually(lambda: dead_of(bus, station.topic))
    await eventually(lambda: len(done) == 40)
    (origin,) = [record for record in await bus.browse(station.topic, 100) if record.value == b"poison"]

    assert event.reason == "invalid: no subject"
    assert (event.topic, event.partition, event.offset) == (*origin.partition, origin.offset)
    assert (event.group, event.key, event.type, event.attempts) == (station.group, "key-3", "ombud.x.v1", 1)
    assert event.headers == {"ce_type": "ombud.x.v1", "ce_id": "e1"}
    assert "in handle" in event.trace
    assert (await show_dead(bus, event.id)).value == "poison"
    assert EVENTS_DEAD.labels(station.topic, station.group, "invalid")._value.get() == 1
    assert EVENTS_PROCESSED.labels(station.topic, station.group, "ok")._value.get() == 40
    await eventually(lambda: noting.commits == behind([*done, origin]), awaited="it is committed past")


async def test_a_fault_of_ours_that_passes_sets_nothing_aside(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 10))
    failing = Failing("key-3", KeyError("customer"), times=2)
    start(bus, failing)

    await eventually(lambda: len(failing.done) == 10)
    assert await dead_of(bus, station.topic) == []


async def test_a_fault_of_ours_that_stays_is_set_aside_after_three_tries(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 10))
    start(bus, Failing("key-3", KeyError("customer")))
    (event,) = await eventually(lambda: dead_of(bus, station.topic))

    assert event.attempts == 3
    assert event.reason == "unexpected: KeyError: 'customer'"
    assert "KeyError" in event.trace


async def test_something_cancelled_inside_a_handler_is_its_failure_and_does_not_end_the_consumer(
    station: Station, bus: Bus, start: Starter
) -> None:
    """A library may cancel a future that a handler awaits; nobody has cancelled the handler."""
    await bus.publish(messages(station.topic, 10))
    failing = Failing("key-3", asyncio.CancelledError(), times=1)
    start(bus, failing)

    await eventually(lambda: len(failing.done) == 10)


async def test_an_outage_is_waited_for_however_many_tries_it_takes_and_nothing_goes_dead(
    station: Station, bus: Bus, start: Starter
) -> None:
    await bus.publish(messages(station.topic, 50))
    tries, done, back = 0, list[Record](), asyncio.Event()

    async def handle(record: Record) -> None:
        nonlocal tries
        tries += 1
        if not back.is_set():
            raise Unavailable("mongo", "no primary")
        done.append(record)

    running = start(bus, handle, attempts=2)
    await eventually(lambda: tries > 500)
    with pytest.raises(Unavailable, match="mongo does not answer"):
        await running.consumer.ping()
    assert done == []

    back.set()
    await eventually(lambda: len(done) == 50)
    await running.consumer.ping()
    assert await dead_of(bus, station.topic) == []
    for key in {record.key for record in done}:
        own = [int(record.value) for record in done if record.key == key]
        assert own == sorted(own)


async def test_a_stop_does_not_wait_for_an_outage_to_end(station: Station, bus: Bus, start: Starter) -> None:
    await bus.publish(messages(station.topic, 20))
    failing = Failing("key-3", Unavailable("mongo", "no primary"))
    noting = NotingBus(bus)
    running = start(noting, failing, first_pause=60, longest_pause=60, drain=60)
    await eventually(lambda: len(failing.done) == 19)
    await running.stop()

    assert sum(noting.commits.values()) < 20
    handled = Handled()
    start(bus, handled)
    await eventually(lambda: "key-3" in [record.key for record in handled.done])


async def test_a_dead_event_that_is_put_back_is_handled(station: Station, bus: Bus, start: Starter) -> None:
    await bus.publish(messages(station.topic, 10, keys=10))
    mended, done = asyncio.Event(), list[Record]()

    async def handle(record: Record) -> None:
        if record.key == "key-3" and not mended.is_set():
            raise Invalid("not understood yet")
        done.append(record)

    start(bus, handle)
    (event,) = await eventually(lambda: dead_of(bus, station.topic))
    mended.set()
    await replay_dead(bus, [event.id])
    (again,) = await eventually(lambda: [record for record in done if record.key == "key-3"])

    assert again.value == b"3"
    assert again.headers == {"ombud_replayed_from": event.id}


async def test_when_too_large_a_share_would_go_dead_it_stops_itself_and_loses_nothing(
    station: Station, bus: Bus, start: Starter
) -> None:
    """A broken deployment must not drain the topic into the dead one."""
    await bus.publish(messages(station.topic, 200))
    broken = start(bus, _all_fail)

    async def stopped() -> bool:
        try:
            await broken.consumer.ping()
        except Unavailable as told:
            return "mend the deployment" in str(told)
        return False

    await eventually(stopped)
    await eventually(lambda: CONSUMER_STOPPED.labels(station.group)._value.get() == 1)
    dead = await dead_of(bus, station.topic)
    assert len(dead) < LEAST_SEEN
    assert not broken.task.done(), "the process stays up, to be looked at"
    await broken.stop()

    handled = Handled()
    start(bus, handled)
    await eventually(lambda: len({record.value for record in handled.done}) + len(dead) >= 200)
    values = {int(record.value) for record in handled.done}
    values |= {int((await show_dead(bus, event.id)).value or "") for event in dead}
    assert values == set(range(200))


async def _all_fail(_: Record) -> None:
    raise Invalid("this build understands nothing")
