"""The relay: events leave in order, none is lost, whatever dies between two steps."""

import asyncio
import random
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from shared.adapters.system_clock import SystemClock
from shared.domain.cause import Cause
from shared.domain.documents import Envelope
from shared.domain.ticket import Contact, Ticket
from shared.ports.bus import Message
from shared.runtime.outbox import CLEAR_AFTER, CLEAR_AT_ONCE, Relay, message_of
from shared.runtime.waiting import wait_until
from shared.stores.store import Store
from shared.stores.stores import Stores
from tests.fakes.clock import START
from tests.helpers import eventually
from tests.platforms import Ground, embedded


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, SystemClock()) as ground:
        yield ground


def cause(key: str) -> Cause:
    return Cause(key, "user:ada", START, "corr", "00-trace")


def ticket(number: int = 1) -> Ticket:
    return Ticket.open(
        f"tkt_{number}",
        number,
        mailbox="support",
        subject="Question",
        channel="mail",
        customer=Contact(address="eve@example.org"),
        message_id="msg_1",
        may_auto_respond=True,
        cause=cause("open"),
    )


def note(key: str, to: Ticket) -> None:
    to.add_note("msg_2", cause(key))


def first_appearances(ids: list[str]) -> list[str]:
    return list(dict.fromkeys(ids))


async def published(ground: Ground) -> list[str]:
    return [record.headers["ce_id"] for record in await ground.records()]


def test_an_event_travels_as_a_cloud_event_in_binary_mode() -> None:
    envelope = ticket().outbox[0]
    message = message_of(envelope)

    assert message.key == "tkt_1"
    assert message.value == envelope.data.encode()
    assert message.headers == {
        "ce_specversion": "1.0",
        "ce_id": "tkt_1.1",
        "ce_type": "ombud.ticket.opened.v1",
        "ce_source": "/ombud",
        "ce_time": START.isoformat(),
        "ce_subject": "tkt_1",
        "ce_correlationid": "corr",
        "content-type": "application/json",
        "traceparent": "00-trace",
    }


async def test_what_was_saved_is_published_once_and_leaves_the_outbox(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    await tickets.add(ticket())
    await tickets.change("tkt_1", lambda t: t.add_note("msg_2", cause("note")))

    assert await published(ground) == ["tkt_1.1", "tkt_1.2"]
    assert (await tickets.get("tkt_1")).outbox == []


async def test_a_change_that_decides_nothing_writes_and_publishes_nothing(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    await tickets.add(ticket())
    await tickets.change("tkt_1", lambda _: None)

    assert (await tickets.get("tkt_1")).version == 1
    assert await published(ground) == ["tkt_1.1"]


async def test_writers_at_the_same_moment_lose_no_change_and_no_event(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    await tickets.add(ticket())
    await asyncio.gather(*(tickets.change("tkt_1", partial(note, f"note {n}")) for n in range(15)))

    assert first_appearances(await published(ground)) == [f"tkt_1.{n}" for n in range(1, 17)]
    assert (await tickets.get("tkt_1")).version == 16


async def test_what_a_crash_left_unpublished_the_sweep_publishes(ground: Ground) -> None:
    await ground.platform.stores.tickets.collection.insert(ticket())
    assert await published(ground) == []
    stop = asyncio.Event()
    swept = [("tickets", ground.platform.stores.tickets.collection)]
    sweeping = asyncio.create_task(ground.relay.sweep(swept, stop))
    await eventually(lambda: published(ground))
    stop.set()
    await sweeping

    assert await published(ground) == ["tkt_1.1"]


async def test_a_crash_between_publishing_and_clearing_doubles_the_event_and_nothing_else(
    ground: Ground,
) -> None:
    collection = ground.platform.stores.tickets.collection
    opened = ticket()
    await collection.insert(opened)
    await ground.platform.bus.publish([message_of(envelope) for envelope in opened.outbox])
    (left,) = await collection.unpublished(0.0, 10)
    ground.relay.offer(collection, left)

    assert await published(ground) == ["tkt_1.1", "tkt_1.1"]
    assert (await collection.get("tkt_1")).outbox == []


async def test_a_later_state_that_is_offered_while_the_first_waits_is_published_once(ground: Ground) -> None:
    collection = ground.platform.stores.tickets.collection
    opened = ticket()
    first = opened.model_copy(deep=True)
    opened.add_note("msg_2", cause("note"))
    await collection.insert(opened)
    ground.relay.offer(collection, first)
    ground.relay.offer(collection, opened)

    assert await published(ground) == ["tkt_1.1", "tkt_1.2"]


async def test_a_document_of_many_events_is_emptied_before_the_others(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    opened = ticket()
    for number in range(CLEAR_AT_ONCE):
        opened.add_note("msg_2", cause(f"note {number}"))

    started = asyncio.get_running_loop().time()
    await tickets.add(opened)
    await eventually(lambda: _is_empty(tickets))

    assert asyncio.get_running_loop().time() - started < CLEAR_AFTER


async def test_an_outbox_is_emptied_without_anybody_asking(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    await tickets.add(ticket())

    await eventually(lambda: _is_empty(tickets))


@pytest.mark.parametrize("steps", range(6))
async def test_a_wait_that_is_cancelled_in_the_moment_of_its_event_does_not_forget_it(steps: int) -> None:
    """Else whoever waits in a loop never ends."""
    event = asyncio.Event()
    waiting = asyncio.create_task(wait_until(event, 60.0))
    await asyncio.sleep(0.001)
    event.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    ended = waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled() is not ended


async def _is_empty(tickets: Store[Ticket]) -> bool:
    return not (await tickets.get("tkt_1")).outbox


@pytest.mark.parametrize("seed", range(8))
async def test_two_relays_and_crashes_at_any_step_keep_the_order_of_a_tickets_events(
    ground: Ground, seed: int
) -> None:
    chance = random.Random(seed)
    bus, collection = ground.platform.bus, ground.platform.stores.tickets.collection
    relays = [Relay(bus) for _ in range(2)]
    running = [asyncio.create_task(relay.run()) for relay in relays]
    stores = [Stores.over(ground.platform.documents, relay) for relay in relays]
    await stores[0].tickets.add(ticket())

    async def write(who: int) -> None:
        for step in range(12):
            await asyncio.sleep(chance.random() * 0.004)
            await stores[who].tickets.change("tkt_1", partial(note, f"{who} {step}"))

    async def crash() -> None:
        for _ in range(4):
            await asyncio.sleep(chance.random() * 0.01)
            victim = chance.randrange(2)
            running[victim].cancel()
            await asyncio.gather(running[victim], return_exceptions=True)
            for left in await collection.unpublished(0.0, 10):
                relays[1 - victim].offer(collection, left)
            running[victim] = asyncio.create_task(relays[victim].run())

    await asyncio.gather(write(0), write(1), crash())
    await asyncio.gather(*(relay.drain(5) for relay in relays))
    stop = asyncio.Event()
    sweeping = asyncio.create_task(ground.relay.sweep([("tickets", collection)], stop))

    async def emptied() -> bool:
        return (await collection.get("tkt_1")).outbox == []

    await eventually(emptied)
    stop.set()
    await sweeping
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)

    assert first_appearances(await published(ground)) == [f"tkt_1.{n}" for n in range(1, 26)]


def test_a_message_keeps_its_topic_and_key() -> None:
    envelope = Envelope(id="a.1", type="t", topic="topic", key="key", time=START, data="{}")

    assert message_of(envelope) == Message("topic", "key", b"{}", message_of(envelope).headers)
