"""Changing tickets: conditions, repeats, and what a state forbids."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.status import Status
from tests.unit.api.house import House, ids, problem

UNTIL = f"{datetime.now(UTC).year + 1}-01-31T12:00:00.1239Z"
UNTIL_KEPT = UNTIL.replace("1239Z", "123000Z")
LATER = (datetime.now(UTC) + timedelta(days=30)).isoformat()

CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "reply", {"text": "We are on it."}),
    ("POST", "note", {"text": "Second time this week."}),
    ("PUT", "status", {"status": "resolved", "reason": "answered"}),
    ("POST", "snooze", {"until": LATER}),
    ("PUT", "assignee", {"assignee": "ada", "team": "it"}),
    ("PUT", "priority", {"priority": "critical"}),
]
SAYING = ("reply", "note")
"""Those that make a message."""

each_change = pytest.mark.parametrize(
    ("method", "what", "body"), CHANGES, ids=[what for _, what, _ in CHANGES]
)


async def test_a_reply_is_kept_told_and_makes_the_ticket_wait(house: House) -> None:
    ticket = await house.ticket()

    answer = await house.client.post(f"/v1/tickets/{ticket.id}/reply", json={"text": "Try again."})

    shown, stored = answer.json(), await house.platform.stores.tickets.get(ticket.id)
    assert answer.status_code == 201
    assert (shown["ticket"]["status"], answer.headers["etag"]) == ("waiting", '"2"')
    assert (shown["message"]["direction"], shown["message"]["subject"]) == ("outbound", ticket.subject)
    assert stored.outbox[-1].type == "ombud.ticket.agent_replied.v1"
    assert shown["message"]["id"] in stored.outbox[-1].data


async def test_a_reply_may_leave_the_ticket_in_the_state_that_is_asked_for(house: House) -> None:
    ticket = await house.ticket()

    answer = await house.client.post(
        f"/v1/tickets/{ticket.id}/reply", json={"text": "Done.", "then": "resolved"}
    )

    assert answer.json()["ticket"]["status"] == "resolved"


async def test_a_note_is_kept_and_moves_nothing(house: House) -> None:
    ticket = await house.ticket()

    answer = await house.client.post(f"/v1/tickets/{ticket.id}/note", json={"text": "Hm."})

    assert answer.json()["ticket"]["status"] == "new"
    assert answer.json()["message"]["direction"] == "note"
    assert [answer.json()["message"]["id"]] == ids(
        await house.client.get(f"/v1/tickets/{ticket.id}/messages")
    )


async def test_status_assignee_and_priority_become_what_is_put(house: House) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"

    await house.client.put(f"{url}/status", json={"status": "open"})
    await house.client.put(f"{url}/assignee", json={"assignee": "ada", "team": None})
    answer = await house.client.put(f"{url}/priority", json={"priority": "critical"})

    shown = answer.json()
    assert (shown["status"], shown["assignee"], shown["handled_by"]) == ("open", "ada", "agent")
    assert (shown["priority"], shown["version"], answer.headers["etag"]) == ("critical", 4, '"4"')
    assert shown == (await house.client.get(url)).json()


async def test_a_ticket_is_put_on_hold_until_the_instant_that_is_asked_for(house: House) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"

    snoozed = (await house.client.post(f"{url}/snooze", json={"until": UNTIL})).json()
    opened = (await house.client.put(f"{url}/status", json={"status": "open"})).json()

    assert (snoozed["status"], snoozed["snoozed_until"]) == ("on_hold", UNTIL_KEPT)
    assert (opened["status"], opened["snoozed_until"]) == ("open", None)


@pytest.mark.parametrize("until", ["2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"])
async def test_a_ticket_cannot_be_put_off_until_the_past_or_for_ever(house: House, until: str) -> None:
    ticket = await house.ticket()

    refused = await house.client.post(f"/v1/tickets/{ticket.id}/snooze", json={"until": until})

    assert [one["pointer"] for one in problem(refused, 422, "invalid")["errors"]] == ["/until"]
    assert (await house.platform.stores.tickets.get(ticket.id)).version == 1


async def test_a_move_that_the_state_forbids_says_which_are_allowed(house: House) -> None:
    ticket = await house.ticket(status=Status.CLOSED)
    url = f"/v1/tickets/{ticket.id}"

    moved = await house.client.put(f"{url}/status", json={"status": "waiting"})
    replied = await house.client.post(f"{url}/reply", json={"text": "Too late"})

    assert problem(moved, 409, "move_not_allowed")["allowed"] == ["open", "spam"]
    assert problem(replied, 409, "move_not_allowed")["allowed"] == ["open", "spam"]
    assert ids(await house.client.get(f"{url}/messages")) == []


@each_change
async def test_a_change_meant_for_another_version_is_refused_and_leaves_nothing(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"

    for tags in ('"7"', 'W/"1"', "nonsense", ""):
        refused = await house.client.request(method, f"{url}/{what}", json=body, headers={"If-Match": tags})
        problem(refused, 412, "precondition_failed")

    assert (await house.client.get(url)).json()["version"] == 1
    assert ids(await house.client.get(f"{url}/messages")) == []


@each_change
async def test_a_change_meant_for_this_version_or_any_is_made(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    for tags in ('"1"', '"0", "1"', "*"):
        ticket = await house.ticket()
        answer = await house.client.request(
            method, f"/v1/tickets/{ticket.id}/{what}", json=body, headers={"If-Match": tags}
        )
        assert (answer.is_success, answer.headers["etag"]) == (True, '"2"')


@each_change
async def test_the_same_change_under_one_key_is_made_once_even_with_if_match(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"
    headers = {"Idempotency-Key": "change-1", "If-Match": '"1"'}

    first = await house.client.request(method, f"{url}/{what}", json=body, headers=headers)
    again = await house.client.request(method, f"{url}/{what}", json=body, headers=headers)

    assert (first.status_code, first.json()) == (again.status_code, again.json())
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert (await house.client.get(url)).json()["version"] == 2
    assert len(ids(await house.client.get(f"{url}/messages"))) == (1 if what in SAYING else 0)


@each_change
async def test_ten_calls_at_once_under_one_key_make_one_change(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"

    answers = await asyncio.gather(
        *(
            house.client.request(method, f"{url}/{what}", json=body, headers={"Idempotency-Key": "k"})
            for _ in range(10)
        )
    )

    assert all(answer.is_success for answer in answers), [answer.text for answer in answers]
    assert (await house.client.get(url)).json()["version"] == 2
    assert len(ids(await house.client.get(f"{url}/messages"))) == (1 if what in SAYING else 0)


@each_change
async def test_another_change_under_the_same_key_is_refused(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"
    headers = {"Idempotency-Key": "change-2"}
    await house.client.request(method, f"{url}/{what}", json=body, headers=headers)

    other_body = {"text": "Other words"} if what != "note" else {"text": "Another note"}
    other = await house.client.post(f"{url}/note", json=other_body, headers=headers)

    problem(other, 422, "idempotency_key_reused")
    assert (await house.client.get(url)).json()["version"] == 2


@each_change
async def test_a_change_of_a_ticket_that_is_not_there_is_not_found(
    house: House, method: str, what: str, body: dict[str, Any]
) -> None:
    answer = await house.client.request(method, f"/v1/tickets/tkt_none/{what}", json=body)

    problem(answer, 404, "not_found")


async def test_of_many_who_change_the_same_version_one_wins(house: House) -> None:
    ticket = await house.ticket()

    answers = await asyncio.gather(
        *(
            house.client.put(
                f"/v1/tickets/{ticket.id}/assignee",
                json={"assignee": f"agent {number}", "team": None},
                headers={"If-Match": '"1"'},
            )
            for number in range(10)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 9


async def test_changes_at_once_without_a_condition_are_all_made(house: House) -> None:
    ticket = await house.ticket()

    answers = await asyncio.gather(
        *(
            house.client.post(f"/v1/tickets/{ticket.id}/note", json={"text": f"note {number}"})
            for number in range(8)
        )
    )

    assert {answer.status_code for answer in answers} == {201}
    assert (await house.client.get(f"/v1/tickets/{ticket.id}")).json()["version"] == 9


@pytest.mark.parametrize(
    ("method", "what", "body", "pointer"),
    [
        ("POST", "reply", {"text": "x", "then": "new"}, "/then"),
        ("POST", "reply", {}, "/text"),
        ("POST", "note", {"text": "x", "to": "all"}, "/to"),
        ("PUT", "status", {"status": "done"}, "/status"),
        ("PUT", "status", {"status": "open", "reason": "a\nb"}, "/reason"),
        ("PUT", "assignee", {"assignee": "ada"}, "/team"),
        ("PUT", "assignee", {"assignee": {"$ne": 1}, "team": None}, "/assignee"),
        ("PUT", "priority", {"priority": None}, "/priority"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_changes(
    house: House, method: str, what: str, body: dict[str, Any], pointer: str
) -> None:
    ticket = await house.ticket()

    answer = await house.client.request(method, f"/v1/tickets/{ticket.id}/{what}", json=body)

    assert pointer in {error.get("pointer") for error in problem(answer, 422, "invalid")["errors"]}
    assert (await house.client.get(f"/v1/tickets/{ticket.id}")).json()["version"] == 1


@pytest.mark.parametrize("key", ["", "with space", "é", "x" * 256])
async def test_an_idempotency_key_that_is_none_is_refused(house: House, key: str) -> None:
    ticket = await house.ticket()

    answer = await house.client.post(
        f"/v1/tickets/{ticket.id}/note", json={"text": "x"}, headers=[(b"Idempotency-Key", key.encode())]
    )

    assert problem(answer, 422, "invalid")["errors"][0]["parameter"] == "Idempotency-Key"
