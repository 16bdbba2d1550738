"""The brake: mail loops end, people do not, and nobody else is held up."""

import time
from datetime import timedelta
from pathlib import Path

from services.notify.brake import Brake
from services.notify.commands import list_letters
from services.notify.rules import WINDOWS, Kind, Wanted
from shared import metrics
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.cause import Cause
from shared.domain.letters import LetterState
from shared.domain.messages import Direction
from shared.domain.ticket import Contact
from shared.stores.stores import Stores
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import acknowledge, handlers_on, message, states, tell, ticket_in
from tests.unit.notify.samples import NOW, QUICK


def braked() -> float:
    labels = {"kind": "acknowledgement", "outcome": "braked"}
    return metrics.REGISTRY.get_sample_value("ombud_letters_total", labels) or 0.0


async def test_the_brake_lets_so_many_letters_through_and_shows_the_rest(
    stores: Stores, published: Published
) -> None:
    handlers, before = handlers_on(stores), braked()
    for number in range(8):
        await acknowledge(
            handlers, number, customer="Ada+loop@customer.example" if number % 2 else "ada@customer.example"
        )

    assert await states(stores) == {LetterState.QUEUED: 3, LetterState.FAILED: 5}
    failed = (await list_letters(stores, "failed")).items
    assert {one.reason for one in failed} == {
        "brake: more than 3 automatic letters to this address in ten minutes"
    }
    assert {one.wake_at for one in failed} == {None}
    assert braked() == before + 5
    assert [one.type for one in published.envelopes] == ["ombud.letter.failed.v1"] * 5


async def test_the_brake_is_off_again_when_its_time_is_over(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(6):
        await acknowledge(handlers, number)
    await acknowledge(handlers, 6, NOW + timedelta(minutes=10))

    assert await states(stores) == {LetterState.QUEUED: 4, LetterState.FAILED: 3}


async def test_slow_loops_are_held_by_the_hour_and_by_the_day(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(60):
        await acknowledge(handlers, number, NOW.replace(hour=0) + timedelta(minutes=10 * number))

    assert (await states(stores))[LetterState.QUEUED] == 30
    reasons = {one.reason.rpartition(" in ")[2] for one in (await list_letters(stores, "failed")).items}
    assert reasons == {"day"}


async def test_one_address_under_the_brake_holds_up_no_other(stores: Stores) -> None:
    handlers = handlers_on(stores)
    for number in range(20):
        await acknowledge(handlers, number, customer=f"person{number}@customer.example")

    assert await states(stores) == {LetterState.QUEUED: 20}


async def test_letters_on_one_ticket_are_counted_too(stores: Stores, published: Published) -> None:
    await ticket_in(stores, may_auto_respond=False)
    brake = Brake(stores.documents, QUICK)
    reasons = [
        await brake.holds(
            f"let_{n}",
            Wanted(Kind.SLA_BREACHED, Contact(address=f"p{n}@x.org"), automatic=True),
            "tkt_1",
            NOW,
        )
        for n in range(6)
    ]
    assert reasons == [""] * 3 + ["brake: more than 3 automatic letters on this ticket in ten minutes"] * 3


async def test_every_counter_of_the_brake_is_forgotten_but_not_before_its_longest_window_is_over(
    tmp_path: Path,
) -> None:
    to_lead = Wanted(Kind.SLA_BREACHED, Contact(address="lead@x.org"), automatic=True)
    async with SqliteFile.open(tmp_path / "brake.sqlite") as file:
        await Brake(SqliteDocuments(file), QUICK).holds("let_1", to_lead, "tkt_1", NOW)
        counters = (await file.fetch("SELECT DISTINCT counter FROM sys_counters")).rows
        kept = dict((await file.fetch("SELECT counter, at / 1000.0 FROM sys_expiries")).rows)

    assert len(counters) == 2
    assert set(kept) == {counter for (counter,) in counters}
    assert min(kept.values()) > time.time() + max(WINDOWS.values())


async def test_an_acknowledgement_is_counted_by_its_address_alone(stores: Stores) -> None:
    brake = Brake(stores.documents, QUICK)
    for number in range(5):
        wanted = Wanted(Kind.ACKNOWLEDGEMENT, Contact(address=f"p{number}@x.org"), automatic=True)
        await brake.holds(f"let_{number}", wanted, "tkt_1", NOW)

    to_lead = Wanted(Kind.SLA_BREACHED, Contact(address="lead@x.org"), automatic=True)
    assert await brake.holds("let_9", to_lead, "tkt_1", NOW) == ""


async def test_a_letter_counts_once_for_the_brake_however_often_its_event_comes(stores: Stores) -> None:
    brake = Brake(stores.documents, QUICK)
    wanted = Wanted(Kind.ACKNOWLEDGEMENT, Contact(address="ada@customer.example"), automatic=True)

    assert [await brake.holds("let_1", wanted, "tkt_1", NOW) for _ in range(12)] == [""] * 12
    assert await brake.holds("let_2", wanted, "tkt_2", NOW) == ""


async def test_agents_replies_know_no_brake(stores: Stores, published: Published) -> None:
    ticket = await ticket_in(stores, may_auto_respond=False)
    for number in range(12):
        doc_id, read = f"msg_{number + 10}", ticket.version
        await stores.messages.add(message(doc_id, Direction.OUTBOUND, text="again"))
        ticket.agent_replied(doc_id, Cause(f"api:{number}", "user:bob", NOW))
        await stores.tickets.save(ticket, if_version=read)
    await tell(handlers_on(stores), published)

    assert await states(stores) == {LetterState.QUEUED: 12}
