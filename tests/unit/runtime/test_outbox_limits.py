"""The relay at its limits: a bus that is away, more than memory should hold, and no room for surprises."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.system_clock import SystemClock
from shared.domain.documents import Envelope
from shared.domain.errors import Permanent
from shared.domain.ticket import Ticket
from shared.ports.bus import Message
from shared.runtime.outbox import BATCH_LIMIT, REMEMBERED, WAITING_LIMIT, Relay, message_of
from shared.runtime.waiting import wait_until
from tests.platforms import Ground, embedded
from tests.unit.domain.samples import NOON, cause, opened


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, SystemClock()) as ground:
        yield ground


def small(number: int) -> Ticket:
    """A ticket with one short event, for tests of many."""
    ticket = opened().model_copy(update={"id": f"tkt_{number}"})
    event = Envelope(id=f"tkt_{number}.1", type="t", topic="ombud.tickets.v1", key="k", time=NOON, data="{}")
    ticket.outbox = [event]
    return ticket


async def published(ground: Ground) -> list[str]:
    records = await ground.platform.bus.browse("ombud.tickets.v1", 100_000)
    return [record.headers["ce_id"] for record in records]


async def test_a_relay_that_does_not_run_holds_so_many_documents_and_leaves_the_rest_to_the_sweep(
    ground: Ground,
) -> None:
    relay, collection = Relay(ground.platform.bus), ground.platform.stores.tickets.collection
    one = small(0)
    for number in range(WAITING_LIMIT + 50):
        relay.offer(collection, one.model_copy(update={"id": f"tkt_{number}"}))
    relay.offer(collection, one)

    with capture_logs() as lines:
        await relay.drain(0.01)
    assert [(line["event"], line["documents"]) for line in lines] == [
        ("outbox.left_to_the_sweep", WAITING_LIMIT)
    ]


async def test_more_documents_than_one_call_takes_are_all_published(ground: Ground) -> None:
    collection = ground.platform.stores.tickets.collection
    for number in range(BATCH_LIMIT + 20):
        ground.relay.offer(collection, small(number))
    await ground.settled()

    assert sorted(await published(ground)) == sorted(f"tkt_{n}.1" for n in range(BATCH_LIMIT + 20))


async def test_draining_an_idle_relay_takes_no_time(ground: Ground) -> None:
    await asyncio.wait_for(Relay(ground.platform.bus).drain(60), 1)


async def test_an_event_that_a_writer_saves_once_more_is_not_published_again(ground: Ground) -> None:
    """He had read the document before its outbox was emptied."""
    tickets = ground.platform.stores.tickets
    await tickets.add(opened())
    stale = await tickets.get("tkt_1")
    await ground.settled()
    stale.add_note("msg_2", cause("note"))
    ground.relay.offer(tickets.collection, stale)
    await ground.settled()

    assert await published(ground) == ["tkt_1.1", "tkt_1.2"]


async def test_what_was_published_last_is_remembered_and_no_more_than_that(ground: Ground) -> None:
    relay = Relay(ground.platform.bus)
    relay._remember([small(number).outbox[0] for number in range(1)])
    envelope = small(0).outbox[0]
    relay._remember([envelope.model_copy(update={"id": f"later.{n}"}) for n in range(REMEMBERED)])

    assert len(relay._published) == REMEMBERED
    assert "tkt_0.1" not in relay._published
    assert f"later.{REMEMBERED - 1}" in relay._published


async def test_an_event_that_the_bus_refuses_stays_in_its_outbox_and_stops_no_other(ground: Ground) -> None:
    tickets, bus = ground.platform.stores.tickets, ground.platform.bus
    bad = opened()
    bad.outbox = [bad.outbox[0].model_copy(update={"key": "half a character \ud800"})]
    with pytest.raises(Permanent):
        await bus.publish([message_of(bad.outbox[0])])
    with capture_logs() as lines:
        ground.relay.offer(tickets.collection, bad)
        await ground.settled()
    await tickets.add(small(2))
    await ground.settled()

    assert [line["event"] for line in lines] == ["outbox.publish_failed"]
    assert await published(ground) == ["tkt_2.1"]


async def test_a_document_that_is_gone_when_its_outbox_is_cleared_is_no_error(ground: Ground) -> None:
    ground.relay.offer(ground.platform.stores.tickets.collection, opened())
    await ground.settled()

    assert await published(ground) == ["tkt_1.1"]


async def test_the_events_of_one_ticket_leave_in_order_however_many_documents_wait(ground: Ground) -> None:
    tickets = ground.platform.stores.tickets
    await tickets.add(opened())

    def note(number: int, ticket: Ticket) -> None:
        ticket.add_note("msg", cause(f"note {number}"))

    for number in range(30):
        ground.relay.offer(tickets.collection, small(100 + number))
        await tickets.change("tkt_1", partial(note, number))
    await ground.settled()
    own = [event_id for event_id in await published(ground) if event_id.startswith("tkt_1.")]

    assert own == [f"tkt_1.{version}" for version in range(1, 32)]


def test_a_message_without_a_trace_or_a_correlation_has_no_empty_header_for_them() -> None:
    headers = message_of(small(1).outbox[0]).headers

    assert "traceparent" not in headers
    assert "ce_correlationid" not in headers
    assert isinstance(message_of(small(1).outbox[0]), Message)


async def test_waiting_ends_with_the_stop_or_with_its_time() -> None:
    stop = asyncio.Event()
    await asyncio.wait_for(wait_until(stop, 0.01), 1)
    assert not stop.is_set()

    stop.set()
    await asyncio.wait_for(wait_until(stop, 60), 1)
