"""The overview: exact whatever comes twice, late or at once, and repaired if it ever is not."""

import asyncio
import itertools
import random
from collections import Counter
from typing import Any

import pytest

from services.api.overview import Counted, read_overview, refresh_overview
from services.api.projections import (
    OverviewProjection,
    counter_of,
    difference,
    numbers_of,
    shard_of,
)
from services.api.views import Overview
from shared.domain.cause import Cause
from shared.domain.errors import Conflict
from shared.domain.events import EVENTS, Facts, TicketEvent, TicketOpened, parse_event
from shared.domain.priority import Priority, Sentiment
from shared.domain.received import Received
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.metrics import REGISTRY
from shared.ports.bus import Partition, Record
from shared.runtime.service import routed
from tests.unit.api.house import AT, House

OPEN = Facts(status="open", priority="high", category="login")
DONE = Facts(status="resolved", priority="high", category="login", handled_by="agent")
LATE = Facts(status="open", priority="critical", category="a.b$c", breached=True)


def drift() -> float:
    return REGISTRY.get_sample_value("ombud_overview_drift_total") or 0.0


def lives(count: int, seed: int) -> list[list[TicketEvent]]:
    """The events of so many tickets, each moved about at random by its own methods."""
    dice = random.Random(seed)
    stories = []
    for number in range(count):
        causes = (Cause(key=f"k{step}", actor="user:x", at=AT) for step in itertools.count())
        ticket = Ticket.open(
            f"tkt_{number}",
            number,
            mailbox="support",
            subject="s",
            channel="mail",
            customer=Contact(address="a@b.c"),
            message_id="m",
            may_auto_respond=False,
            cause=next(causes),
        )
        for _ in range(dice.randint(0, 6)):
            match dice.randint(0, 4):
                case 0:
                    ticket.add_note("m", next(causes))
                case 1:
                    ticket.assign(dice.choice(["ada", None]), None, next(causes))
                case 2:
                    ticket.set_priority(dice.choice(list(Priority)), next(causes))
                case 3:
                    ticket.customer_replied("m", "a@b.c", next(causes))
                case _ if ticket.status is not Status.WAITING:
                    ticket.agent_replied("m", next(causes), then=Status.WAITING)
        events = [parse_event(one.type, one.data) for one in ticket.outbox]
        stories.append([event for event in events if isinstance(event, TicketEvent)])
    return stories


def counted(stories: list[list[TicketEvent]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for events in stories:
        total.update(numbers_of(events[-1].facts))
    return {name: number for name, number in total.items() if number}


async def shown(house: House) -> dict[str, int]:
    return {name: number for name, number in (await read_overview(house.platform.stores)).items() if number}


async def insist(projection: OverviewProjection, event: TicketEvent) -> None:
    """As the runner does: again when somebody was first."""
    while True:
        try:
            return await projection.handle(Received(event))
        except Conflict:
            continue


async def test_each_ticket_is_counted_as_its_latest_event_leaves_it(house: House) -> None:
    stories = lives(40, seed=1)
    for events in stories:
        for event in events:
            await house.api.projection.handle(Received(event))

    assert counted(stories) == await shown(house)


async def test_a_storm_of_repeated_and_reordered_events_at_once_is_counted_exactly(house: House) -> None:
    stories = lives(60, seed=2)
    storm = [event for events in stories for event in events * 3]
    random.Random(3).shuffle(storm)

    await asyncio.gather(*(insist(house.api.projection, event) for event in storm))

    assert counted(stories) == await shown(house)


async def test_two_readers_of_the_same_tickets_count_each_once(house: House) -> None:
    """A rebalance with a paused member: both read on from the same place, in the order of the bus."""
    stories = lives(40, seed=4)
    readers = [OverviewProjection(house.platform.stores) for _ in range(2)]

    async def read(reader: OverviewProjection, events: list[TicketEvent]) -> None:
        for event in events:
            await insist(reader, event)

    await asyncio.gather(*(read(reader, events) for reader in readers for events in stories))

    assert counted(stories) == await shown(house)


async def test_reading_the_whole_topic_again_changes_nothing(house: House) -> None:
    stories = lives(30, seed=5)
    for _ in range(2):
        for events in stories:
            for event in events:
                await house.api.projection.handle(Received(event))

    assert counted(stories) == await shown(house)


async def test_a_death_between_counting_and_moving_the_row_counts_once(house: House) -> None:
    """What the dead process did: the increment under the event's token, and nothing after it."""
    projection, stores = house.api.projection, house.platform.stores
    await projection.count("tkt_1", 1, OPEN)
    by = difference(numbers_of(DONE), numbers_of(OPEN)) | {"changes": 1}
    await stores.documents.increment(counter_of(shard_of("tkt_1")), by, once="tkt_1.2")

    await projection.count("tkt_1", 2, DONE)

    assert dict(numbers_of(DONE)) == await shown(house)


async def test_a_version_that_was_skipped_or_comes_late_does_no_harm(house: House) -> None:
    projection = house.api.projection
    await projection.count("tkt_1", 1, OPEN)
    newer = await projection.count("tkt_1", 3, OPEN)

    late = await projection.count("tkt_1", 2, DONE)

    assert (newer, late) == (True, False)
    assert dict(numbers_of(OPEN)) == await shown(house)


async def test_records_of_the_topic_are_counted_and_those_of_letters_passed_over(house: House) -> None:
    handle = routed(house.api.projection.routes())
    event = lives(1, seed=6)[0][0]

    def record(kind: str, value: bytes) -> Record:
        return Record(Partition("t", 0), 0, event.ticket_id, value, {"ce_type": kind}, AT)

    await handle(record(TicketOpened.type, event.model_dump_json().encode()))
    await handle(record("ombud.letter.sent.v1", b"never parsed"))
    await handle(record("ombud.ticket.of_the_future.v1", b"never parsed"))

    assert (await shown(house))["total"] == 1


def test_every_event_of_a_ticket_is_one_that_the_projection_reads() -> None:
    assert all(issubclass(kind, TicketEvent) for name, kind in EVENTS.items() if ".ticket." in name)


async def test_the_overview_shows_every_state_and_priority_even_at_zero(house: House) -> None:
    await house.api.projection.count("tkt_1", 1, OPEN)
    await house.api.projection.count("tkt_2", 1, LATE)

    answer = (await house.client.get("/v1/overview")).json()

    assert (answer["total"], answer["breached"]) == (2, 1)
    assert set(answer["status"]) == set(Status)
    assert (answer["status"]["open"], answer["status"]["closed"]) == (2, 0)
    assert answer["priority"] == {"low": 0, "medium": 0, "high": 1, "critical": 1}
    assert answer["category"] == {"login": 1, "a.b$c": 1}
    assert (answer["sentiment"], answer["handled_by"]) == ({"none": 2}, {"unassigned": 2})


async def projected(house: House, count: int) -> None:
    for _ in range(count):
        ticket = await house.ticket()
        await house.api.projection.count(ticket.id, ticket.version, ticket.facts())


async def test_a_refresh_of_a_right_overview_finds_no_difference(house: House) -> None:
    await projected(house, 12)
    before = await shown(house)

    answer = (await house.client.post("/v1/overview/refresh")).json()

    assert (answer["tickets"], answer["difference"], answer["uncounted"], answer["unsettled"]) == (
        12,
        0,
        0,
        0,
    )
    assert answer["corrections"] == {}
    assert before == await shown(house)


async def test_a_refresh_repairs_a_broken_counter_and_reports_the_difference(house: House) -> None:
    await projected(house, 12)
    right = await shown(house)
    ticket = (await house.client.get("/v1/tickets")).json()["data"][0]
    counter = counter_of(shard_of(ticket["id"]))
    await house.platform.stores.documents.increment(counter, {"status=new": 3, "total": 2, "status=ghost": 5})
    drifted = drift()

    answer = (await house.client.post("/v1/overview/refresh")).json()
    again = (await house.client.post("/v1/overview/refresh")).json()

    assert answer["difference"] == 5
    assert answer["corrections"] == {"status=new": -3, "total": -2, "status=ghost": -5}
    assert answer["overview"] == Overview.of(right).model_dump(mode="json")
    assert (await shown(house), again["difference"]) == (right, 0)
    assert drift() == drifted + 5


async def test_a_refresh_repairs_a_counter_that_was_lost_whole(house: House) -> None:
    await projected(house, 12)
    right = await shown(house)
    for shard in range(16):
        await house.platform.stores.documents.set_counter(counter_of(shard), {})

    found = await refresh_overview(house.platform.stores, house.platform.clock, house.api.projection)

    assert found.difference == 12
    assert right == await shown(house)


async def test_a_refresh_counts_tickets_whose_events_are_no_longer_on_the_bus(house: House) -> None:
    for _ in range(7):
        await house.ticket()

    answer = (await house.client.post("/v1/overview/refresh")).json()

    assert (answer["tickets"], answer["uncounted"], answer["difference"]) == (7, 7, 0)
    assert answer["overview"]["total"] == 7


async def test_many_tickets_without_a_row_are_counted_side_by_side_and_each_once(house: House) -> None:
    projection = house.api.projection
    stores = house.platform.stores
    tickets = await asyncio.gather(*(house.ticket(priority=Priority.HIGH) for _ in range(60)))
    for ticket in tickets[:20]:
        await projection.count(ticket.id, ticket.version, ticket.facts())

    found = await refresh_overview(stores, house.platform.clock, projection)

    assert (found.tickets, found.uncounted, found.difference) == (60, 40, 0)
    assert (await shown(house))["priority=high"] == 60


async def test_a_refresh_counts_a_ticket_by_the_facts_that_its_events_carry(house: House) -> None:
    """It reads a part of each ticket: the part must say what the whole says."""
    states: list[dict[str, Any]] = [
        {},
        {"category": "login", "sentiment": Sentiment.NEGATIVE, "handled_by": "agent"},
        {"status": Status.WAITING, "priority": Priority.CRITICAL, "breached": ["first_response"]},
    ]
    for state in states:
        ticket = await house.ticket(**state)
        (part,) = await house.platform.stores.tickets.glance(Counted, {"id": ticket.id}, 1)
        assert (part.id, part.version, part.facts()) == (ticket.id, ticket.version, ticket.facts())


async def test_a_refresh_mends_a_row_that_says_otherwise_than_its_ticket(house: House) -> None:
    ticket = await house.ticket()
    await house.api.projection.count(ticket.id, ticket.version, LATE)

    answer = (await house.client.post("/v1/overview/refresh")).json()

    assert answer["difference"] == 1
    assert dict(numbers_of(ticket.facts())) == await shown(house)


async def test_two_refreshes_at_once_correct_once(house: House) -> None:
    await projected(house, 5)
    right = await shown(house)
    for shard in range(16):
        await house.platform.stores.documents.increment(counter_of(shard), {"total": 1})

    await asyncio.gather(*(house.client.post("/v1/overview/refresh") for _ in range(3)))

    assert right == await shown(house)


async def test_a_refresh_amid_events_leaves_the_overview_exact(house: House) -> None:
    """Tickets are changed and counted all the while; at the end nothing is counted twice or not at all."""
    tickets = [await house.ticket() for _ in range(20)]
    projection, stores = house.api.projection, house.platform.stores

    async def live(ticket_id: str) -> None:
        for step in range(6):
            cause = Cause(key=f"live:{step}", actor="user:x", at=AT)
            assignee = f"agent {step % 2}"
            changed = await stores.tickets.change(
                ticket_id,
                lambda ticket, who=assignee, why=cause: ticket.assign(who, None, why),  # type: ignore[misc]
            )
            await asyncio.sleep(0)
            await projection.count(ticket_id, changed.version, changed.facts())

    await asyncio.gather(
        *(live(ticket.id) for ticket in tickets),
        refresh_overview(stores, house.platform.clock, projection),
        refresh_overview(stores, house.platform.clock, projection),
    )
    last = await refresh_overview(stores, house.platform.clock, projection)

    assert (last.difference, last.unsettled) == (0, 0)
    assert (await shown(house))["total"] == 20
    assert (await shown(house))["handled_by=agent"] == 20


@pytest.mark.parametrize("facts", [OPEN, DONE, LATE])
def test_the_difference_between_two_states_turns_one_into_the_other(facts: Facts) -> None:
    for other in (OPEN, DONE, LATE):
        numbers = numbers_of(facts)
        numbers.update(difference(numbers_of(other), numbers_of(facts)))

        assert +numbers == numbers_of(other)
