"""Opening tickets: each once, however often it is asked for."""

import asyncio
from typing import Any

import pytest

from services.api import commands
from services.api.bodies import NewTicket
from services.api.conditions import Deed
from services.api.context import Call
from shared.domain.events import PriorityChanged, TicketOpened
from shared.domain.ticket import Ticket
from shared.metrics import REGISTRY
from shared.stores.collections import ApiKey
from tests.unit.api.house import AT, House, ids, problem

ASKED: dict[str, Any] = {
    "mailbox": "support",
    "subject": "Cannot log in",
    "text": "Since this morning my password is refused.",
    "customer": {"address": "Mia@Example.com", "name": "Mia Berg"},
}


def opened_so_far() -> float:
    return REGISTRY.get_sample_value("ombud_tickets_opened_total", {"channel": "api"}) or 0.0


async def test_a_ticket_is_opened_with_its_first_message(house: House) -> None:
    answer = await house.client.post("/v1/tickets", json=ASKED, headers={"X-Request-Id": "request-0042"})

    shown = answer.json()
    stored = await house.platform.stores.tickets.get(shown["id"])
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/tickets/{stored.id}"
    assert answer.headers["etag"] == '"1"'
    assert (await house.client.get(answer.headers["location"])).json() == shown
    assert (shown["channel"], shown["status"], shown["customer"]["address"]) == (
        "api",
        "new",
        "mia@example.com",
    )
    event = TicketOpened.model_validate_json(stored.outbox[0].data)
    message = await house.platform.stores.messages.get(event.message_id)
    assert (message.text, message.direction, message.ticket_id) == (ASKED["text"], "inbound", stored.id)
    assert (event.actor, event.correlation_id, event.may_auto_respond) == ("user:tests", "request-0042", True)


async def test_a_priority_given_at_the_start_is_a_persons_word(house: House) -> None:
    answer = await house.client.post("/v1/tickets", json={**ASKED, "priority": "critical"})

    stored = await house.platform.stores.tickets.get(answer.json()["id"])
    assert answer.json()["sources"] == {"priority": "person"}
    assert [envelope.type for envelope in stored.outbox] == [TicketOpened.type, PriorityChanged.type]


async def test_the_same_call_under_one_key_opens_one_ticket(house: House) -> None:
    before = opened_so_far()
    headers = {"Idempotency-Key": "order-1"}

    first = await house.client.post("/v1/tickets", json=ASKED, headers=headers)
    again = await house.client.post("/v1/tickets", json=ASKED, headers=headers)

    assert (again.status_code, again.json()) == (201, first.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert len(ids(await house.client.get("/v1/tickets"))) == 1
    assert opened_so_far() == before + 1


async def test_twenty_calls_at_once_under_one_key_open_one_ticket(house: House) -> None:
    headers = {"Idempotency-Key": "order-2"}

    answers = await asyncio.gather(
        *(house.client.post("/v1/tickets", json=ASKED, headers=headers) for _ in range(20))
    )

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert len(ids(await house.client.get("/v1/tickets"))) == 1


async def test_calls_without_a_key_each_open_their_own(house: House) -> None:
    for _ in range(2):
        await house.client.post("/v1/tickets", json=ASKED)

    assert len(ids(await house.client.get("/v1/tickets"))) == 2


async def test_another_call_under_the_same_key_is_refused(house: House) -> None:
    headers = {"Idempotency-Key": "order-3"}
    first = await house.client.post("/v1/tickets", json=ASKED, headers=headers)

    other = await house.client.post("/v1/tickets", json={**ASKED, "text": "Other"}, headers=headers)
    elsewhere = await house.client.post(
        f"/v1/tickets/{first.json()['id']}/note", json={"text": "x"}, headers=headers
    )

    problem(other, 422, "idempotency_key_reused")
    problem(elsewhere, 422, "idempotency_key_reused")
    assert (await house.client.get(first.headers["location"])).json() == first.json()


async def test_the_same_idempotency_key_of_another_caller_is_another(house: House) -> None:
    other = await house.bearer("*", name="another")
    first = await house.client.post("/v1/tickets", json=ASKED, headers={"Idempotency-Key": "1"})

    second = await house.client.post("/v1/tickets", json=ASKED, headers={"Idempotency-Key": "1", **other})

    assert first.json()["id"] != second.json()["id"]


async def test_a_repeat_finishes_what_a_dead_process_began(house: House) -> None:
    """The message was stored, then the process died: the ticket gets the id that the message names."""
    call = Call(ApiKey(id="k", name="k", secret_digest="", scopes=[], created_at=AT), "request", "")
    deed = Deed("call_abc", "payload", call)
    body = NewTicket.model_validate(ASKED)
    done = await commands.open_ticket(house.api, body, deed)
    await house.platform.stores.tickets.collection.delete(done.ticket.id)

    again = await commands.open_ticket(house.api, body, deed)

    assert again.ticket.id == done.ticket.id
    assert isinstance(await house.platform.stores.tickets.get(done.ticket.id), Ticket)
    assert not again.replayed


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"mailbox": "nowhere"}, "/mailbox"),
        ({"subject": ""}, "/subject"),
        ({"subject": " "}, "/subject"),
        ({"subject": "a\r\nBcc: b@example.com"}, "/subject"),
        ({"text": "a\x00b"}, "/text"),
        ({"text": "\n \t"}, "/text"),
        ({"text": 5}, "/text"),
        ({"text": "x" * 100_001}, "/text"),
        ({"customer": {"address": "mia"}}, "/customer/address"),
        ({"customer": {"address": "a@b, c@d"}}, "/customer/address"),
        ({"customer": {"address": "a@b.c", "name": "x\ny"}}, "/customer/name"),
        ({"customer": {"$ne": 1}}, "/customer/$ne"),
        ({"priority": "urgent"}, "/priority"),
        ({"unknown/field": 1}, "/unknown~1field"),
    ],
)
async def test_a_field_at_fault_is_named_and_nothing_is_opened(
    house: House, change: dict[str, Any], pointer: str
) -> None:
    fault = problem(await house.client.post("/v1/tickets", json=ASKED | change), 422, "invalid")

    assert pointer in {error.get("pointer") for error in fault["errors"]}
    assert ids(await house.client.get("/v1/tickets")) == []


async def test_a_lone_surrogate_is_a_fault_of_the_request(house: House) -> None:
    body = b'{"mailbox":"support","subject":"\\ud800","text":"a","customer":{"address":"a@b.c"}}'

    answer = await house.client.post(
        "/v1/tickets", content=body, headers={"Content-Type": "application/json"}
    )

    problem(answer, 422, "invalid")
