"""The store that benches are run on: were its documents not true, the figures would be of something else."""

from pathlib import Path

from bench.rest import rest_of
from bench.seed import Seeder, order_of
from services.api.overview import read_overview, refresh_overview
from services.api.projections import OverviewProjection
from shared.domain.status import Status
from shared.ports.documents import Order
from shared.stores.stores import FIRST_TICKET_NUMBER
from tests.fakes.clock import FakeClock
from tests.platforms import embedded


async def test_a_refresh_of_the_overview_finds_nothing_wrong_in_a_seeded_store(tmp_path: Path) -> None:
    clock = FakeClock()
    async with embedded(tmp_path, clock) as ground:
        stores = ground.platform.stores
        await Seeder(stores.documents).add(150)
        await Seeder(stores.documents).add(50)
        found = await refresh_overview(stores, clock, OverviewProjection(stores))

        assert (found.tickets, found.difference, found.uncounted) == (200, 0, 0)
        assert (await read_overview(stores))["total"] == 200
        assert (await read_overview(stores))["status=closed"] > 100


async def test_a_ticket_that_comes_after_the_seeding_gets_a_number_of_its_own(tmp_path: Path) -> None:
    async with embedded(tmp_path, FakeClock()) as ground:
        stores = ground.platform.stores
        await Seeder(stores.documents).add(20)
        newest = await stores.tickets.find({}, Order("number", descending=True), limit=1)

        assert newest.items[0].number == FIRST_TICKET_NUMBER + 20
        assert await stores.next_ticket_number() == FIRST_TICKET_NUMBER + 21


async def test_a_whole_seeding_holds_everything_that_belongs_to_a_ticket(tmp_path: Path) -> None:
    clock = FakeClock()
    async with embedded(tmp_path, clock) as ground:
        stores = ground.platform.stores
        await Seeder(stores.documents, whole=True).add(30)
        (ticket, *_) = (await stores.tickets.find({}, limit=1)).items
        belonging = list(rest_of(ticket, clock.now()))

        assert {spec.name for spec, _ in belonging} == {
            "messages",
            "thread_ids",
            "ledger",
            "triages",
            "letters",
            "deadlines",
        }
        for spec, document in belonging:
            stored = await stores.documents.collection(spec).get(document.id)
            assert stored.version == document.version
        assert (await stores.triages.get(ticket.triage_id or "")).priority is ticket.priority


async def test_words_are_found_as_often_as_the_bench_says(tmp_path: Path) -> None:
    async with embedded(tmp_path, FakeClock()) as ground:
        stores = ground.platform.stores
        await Seeder(stores.documents).add(30)
        one = await stores.tickets.collection.search(order_of(FIRST_TICKET_NUMBER + 7))

        assert [ticket.number for ticket in one] == [FIRST_TICKET_NUMBER + 7]
        assert len(await stores.tickets.collection.search("order")) == 30


async def test_old_tickets_are_mostly_closed_and_answered_before(tmp_path: Path) -> None:
    async with embedded(tmp_path, FakeClock()) as ground:
        stores = ground.platform.stores
        await Seeder(stores.documents).add(100)
        closed = (await stores.tickets.find({"status": "closed"}, limit=200)).items

        assert 60 < len(closed) < 95
        assert all(ticket.status is Status.CLOSED and ticket.closed_at is not None for ticket in closed)
        assert all((ticket.first_response_at or ticket.updated_at) <= ticket.updated_at for ticket in closed)
        assert not any(ticket.outbox for ticket in closed)
