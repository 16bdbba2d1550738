"""Lists of tickets: filters, order, pages, search."""

from typing import Any

import pytest

from shared.domain.priority import Priority
from shared.domain.status import Status
from tests.unit.api.house import House, ids, problem


async def filled(house: House) -> list[str]:
    """Five tickets a minute apart, each different."""
    made = [
        await house.ticket(0, status=Status.OPEN, assignee="ada"),
        await house.ticket(1, status=Status.WAITING, priority=Priority.HIGH, team="it"),
        await house.ticket(2, status=Status.OPEN, category="network", subject="No network upstairs"),
        await house.ticket(3, status=Status.CLOSED, mailbox="sales"),
        await house.ticket(4, customer_address="bo@example.com"),
    ]
    return [ticket.id for ticket in made]


async def test_the_ticket_that_changed_last_stands_first_when_nothing_is_said(house: House) -> None:
    made = await filled(house)

    answer = await house.client.get("/v1/tickets")

    assert answer.status_code == 200
    assert made[::-1] == ids(answer)
    assert answer.json()["next_cursor"] is None
    assert "link" not in answer.headers


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("status=open", [2, 0]),
        ("status=open&status=waiting", [2, 1, 0]),
        ("priority=high", [1]),
        ("priority=high&priority=medium&status=open", [2, 0]),
        ("assignee=ada", [0]),
        ("team=it", [1]),
        ("mailbox=sales", [3]),
        ("category=network", [2]),
        ("customer=BO@example.com", [4]),
        ("number=10003", [2]),
        ("number=99999", []),
        ("updated_after=2026-03-01T12:03:00Z", [4, 3]),
        ("updated_before=2026-03-01T13:01:00%2B01:00", [0]),
        ("opened_after=2026-03-01T12:01:00Z&opened_before=2026-03-01T12:02:00Z", [1]),
        ("assignee=%7B%22%24ne%22%3A1%7D", []),
        ("assignee=%27%20OR%201%3D1%20--", []),
    ],
)
async def test_a_list_holds_what_meets_every_condition_and_nothing_else(
    house: House, asked: str, expected: list[int]
) -> None:
    made = await filled(house)

    answer = await house.client.get(f"/v1/tickets?{asked}")

    assert [made[index] for index in expected] == ids(answer)


@pytest.mark.parametrize("sort", ["updated_at", "opened_at", "number"])
async def test_a_list_stands_in_the_order_asked_for_and_turned_round_with_a_minus(
    house: House, sort: str
) -> None:
    made = await filled(house)

    upwards = await house.client.get("/v1/tickets", params={"sort": sort})
    downwards = await house.client.get("/v1/tickets", params={"sort": f"-{sort}"})

    assert made == ids(upwards)
    assert made[::-1] == ids(downwards)


@pytest.mark.parametrize("sort", ["-updated_at", "opened_at", "number"])
async def test_a_ticket_is_found_under_each_mailbox_that_a_mail_of_it_came_to(
    house: House, sort: str
) -> None:
    made = [
        await house.ticket(0),
        await house.ticket(1, mailbox="sales"),
        await house.ticket(2, also_in=["sales", "press"]),
        await house.ticket(3, mailbox="press"),
        await house.ticket(4, mailbox="sales", also_in=["support"]),
    ]
    descending = sort.startswith("-")

    for mailbox, expected in {"support": [0, 2, 4], "sales": [1, 2, 4], "press": [2, 3], "x": []}.items():
        found: list[str] = []
        url: str | None = f"/v1/tickets?mailbox={mailbox}&sort={sort}&limit=2"
        while url:
            answer = await house.client.get(url)
            found += ids(answer)
            url = answer.links.get("next", {}).get("url")
        listed = [made[index] for index in expected]
        assert found == [ticket.id for ticket in (listed[::-1] if descending else listed)]
        searched = await house.client.get(f"/v1/tickets?mailbox={mailbox}&q=log")
        assert set(ids(searched)) == {ticket.id for ticket in listed}


async def test_pages_show_each_ticket_once_while_others_are_opened_and_changed(house: House) -> None:
    for number in range(23):
        await house.ticket(number // 3)  # several share an instant
    before = set(ids(await house.client.get("/v1/tickets?limit=200")))
    seen: list[str] = []
    url: str | None = "/v1/tickets?limit=5&sort=opened_at"

    while url:
        answer = await house.client.get(url)
        seen += ids(answer)
        await house.ticket(-60)  # before the first page
        await house.ticket(500)  # behind the last one
        url = answer.links.get("next", {}).get("url")
        if len(seen) > 30:
            break

    assert len(seen) == len(set(seen))
    assert before <= set(seen)


async def test_the_next_page_may_have_another_size(house: House) -> None:
    made = await filled(house)
    first = await house.client.get("/v1/tickets?limit=1&sort=number")

    rest = await house.client.get(
        "/v1/tickets", params={"limit": 200, "sort": "number", "cursor": first.json()["next_cursor"]}
    )

    assert made[1:] == ids(rest)


async def test_a_cursor_is_refused_with_another_question_or_another_letter(house: House) -> None:
    await filled(house)
    cursor = (await house.client.get("/v1/tickets?limit=1")).json()["next_cursor"]

    for asked in (
        {"cursor": cursor, "status": "open"},
        {"cursor": cursor, "sort": "number"},
        {"cursor": cursor[:-2] + ("AA" if cursor[-2:] != "AA" else "BB")},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "é\x00"},
    ):
        problem(await house.client.get("/v1/tickets", params=asked), 400, "bad_cursor")
    problem(await house.client.get("/v1/letters", params={"cursor": cursor}), 400, "bad_cursor")


async def test_search_finds_all_the_words_within_the_other_conditions(house: House) -> None:
    made = await filled(house)

    found = await house.client.get("/v1/tickets?q=network%20UPSTAIRS")
    elsewhere = await house.client.get("/v1/tickets?q=network&status=closed")
    operators = await house.client.get("/v1/tickets", params={"q": 'login" OR * NEAR('})

    assert [made[2]] == ids(found)
    assert ids(elsewhere) == []
    assert operators.status_code == 200


@pytest.mark.parametrize("with_it", ["sort=number", "cursor=abc"])
async def test_search_has_no_order_but_its_own(house: House, with_it: str) -> None:
    fault = problem(await house.client.get(f"/v1/tickets?q=login&{with_it}"), 422, "invalid")

    assert fault["errors"][0]["parameter"] == "q"


@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ("status=frozen", "status"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("sort=subject", "sort"),
        ("sort=-updated_at%3B", "sort"),
        ("number=99999999999999999999", "number"),
        ("number=-1", "number"),
        ("assignee=a%00b", "assignee"),
        ("assignee=", "assignee"),
        ("q=%00", "q"),
        ("q=%20", "q"),
        ("customer=nobody", "customer"),
        ("updated_after=yesterday", "updated_after"),
        ("updated_after=1767225600", "updated_after"),
        ("updated_after=2026-03-01T12:00:00", "updated_after"),
        ("updated_after=2026-02-30T12:00:00Z", "updated_after"),
        ("updated_after=0001-01-01T00:00:00%2B23:00", "updated_after"),
        ("status[$ne]=open", "status[$ne]"),
        ("stauts=open", "stauts"),
    ],
)
async def test_a_parameter_that_makes_no_sense_is_refused_by_name(
    house: House, asked: str, parameter: str
) -> None:
    fault = problem(await house.client.get(f"/v1/tickets?{asked}"), 422, "invalid")

    assert parameter in {error["parameter"] for error in fault["errors"]}


async def test_what_is_shown_of_a_ticket_is_its_public_shape(house: House) -> None:
    ticket = await house.ticket(assignee="ada")

    (shown,) = (await house.client.get("/v1/tickets")).json()["data"]

    assert (shown["id"], shown["number"], shown["version"]) == (ticket.id, ticket.number, ticket.version)
    assert shown["customer"] == {"address": "mia@example.com", "name": "Mia"}
    assert shown["opened_at"] == "2026-03-01T12:00:00Z"
    hidden: set[str] = {"outbox", "causes", "history", "customer_address"}
    assert hidden.isdisjoint(shown)


async def test_the_messages_of_a_ticket_come_page_by_page_in_their_order(house: House) -> None:
    ticket, other = await house.ticket(), await house.ticket()
    made = [(await house.message(ticket.id, minutes)).id for minutes in (3, 1, 2)]
    await house.message(other.id)

    first = await house.client.get(f"/v1/tickets/{ticket.id}/messages?limit=2")
    second = await house.client.get(first.links["next"]["url"])

    assert [made[1], made[2]] == ids(first)
    assert [made[0]] == ids(second)
    assert second.json()["next_cursor"] is None


async def test_messages_and_timeline_of_a_ticket_that_is_not_there_are_not_found(house: House) -> None:
    for path in ("", "/messages", "/timeline"):
        problem(await house.client.get(f"/v1/tickets/tkt_none{path}"), 404, "not_found")


async def test_a_ticket_is_read_with_its_version_as_etag_and_not_sent_twice(house: House) -> None:
    ticket = await house.ticket()
    url = f"/v1/tickets/{ticket.id}"

    first = await house.client.get(url)
    etag = first.headers["etag"]
    known: dict[str, Any] = {}
    for tags in (etag, f'W/{etag}, "99"', "*"):
        known[tags] = await house.client.get(url, headers={"If-None-Match": tags})
    older = await house.client.get(url, headers={"If-None-Match": '"0"'})

    assert etag == f'"{ticket.version}"'
    assert {answer.status_code for answer in known.values()} == {304}
    assert {answer.text for answer in known.values()} == {""}
    assert {answer.headers["etag"] for answer in known.values()} == {etag}
    assert older.status_code == 200
