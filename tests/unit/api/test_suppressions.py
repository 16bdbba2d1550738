"""Addresses that get no letters, over the API: listed with what speaks against them, held back, lifted."""

from datetime import timedelta
from typing import Any

import pytest

from shared.domain.suppressions import Suppression, suppression_id
from tests.unit.api.house import AT, House, problem


async def bounced(house: House, address: str, minutes: int = 0, *, hard: bool = True, times: int = 1) -> None:
    at = house.api.now() - timedelta(hours=1) + timedelta(minutes=minutes)
    known = Suppression(id=suppression_id(address), address=address, since=at)
    for number in range(times):
        known.note_bounce(f"msg_{number}", hard, "userunknown" if hard else "mailboxfull", at)
    await house.platform.stores.suppressions.add(known)


async def seen(house: House, address: str) -> dict[str, Any]:
    answer = await house.client.get(f"/v1/suppressions/{address}")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_addresses_are_listed_the_newest_first_with_reason_and_evidence(house: House) -> None:
    await bounced(house, "a@example.com", 0)
    await bounced(house, "b@example.com", 1, hard=False, times=3)
    await bounced(house, "c@example.com", 2, hard=False)

    first = await house.client.get("/v1/suppressions?limit=2")
    second = await house.client.get(first.links["next"]["url"])
    listed = [*first.json()["data"], *second.json()["data"]]

    assert [(one["address"][0], one["held"]) for one in listed] == [("c", False), ("b", True), ("a", True)]
    assert (listed[1]["reason"], listed[1]["soft"], listed[1]["soft_limit"]) == ("mailboxfull", 3, 3)
    assert listed[1]["evidence"] == ["msg_0", "msg_1", "msg_2"]
    assert (listed[1]["until"] is None, listed[2]["until"]) == (False, None)
    assert second.json()["next_cursor"] is None
    problem(await house.client.get("/v1/suppressions?cursor=x"), 400, "bad_cursor")


async def test_an_address_is_lifted_once_and_who_did_it_is_told(house: House) -> None:
    await bounced(house, "mia@example.com")
    first = await house.client.delete("/v1/suppressions/MIA@example.com")
    again = await house.client.delete(
        "/v1/suppressions/mia@example.com", headers=await house.bearer("mail:write", name="another")
    )

    assert (first.status_code, first.json()) == (200, again.json())
    assert (first.json()["held"], first.json()["lifted_by"]) == (False, "user:tests")
    assert await seen(house, "mia@example.com") == first.json()
    problem(await house.client.delete("/v1/suppressions/bo@example.com"), 404, "not_found")
    problem(await house.client.get("/v1/suppressions/bo@example.com"), 404, "not_found")


async def test_an_address_is_held_back_by_hand_until_it_is_lifted(house: House) -> None:
    asked = {"reason": "asked us by phone"}
    first = await house.client.put("/v1/suppressions/Bo%2Fsales@example.com", json=asked)
    again = await house.client.put("/v1/suppressions/bo/sales@example.com", json=asked)
    held = await seen(house, "bo/sales@example.com")
    known = await house.platform.stores.suppressions.get(suppression_id("bo/sales@example.com"))

    assert first.json() == again.json() == held
    assert (held["held"], held["held_by"], held["reason"]) == (True, "user:tests", "asked us by phone")
    assert known.holds(AT + timedelta(days=4000))
    assert (await house.client.delete("/v1/suppressions/bo/sales@example.com")).json()["held"] is False


@pytest.mark.parametrize("address", ["none", "a@b@c", "%20@example.com", "a%00@example.com", "@", "a" * 300])
async def test_what_is_no_address_is_not_held_back(house: House, address: str) -> None:
    answer = await house.client.put(f"/v1/suppressions/{address}", json={"reason": "x"})

    fault = problem(answer, 422, "invalid")
    assert fault["errors"][0]["parameter"] == "address"


async def test_a_reason_is_a_line(house: House) -> None:
    for reason in ("", " ", "two\nlines", "x" * 201):
        answer = await house.client.put("/v1/suppressions/bo@example.com", json={"reason": reason})
        problem(answer, 422, "invalid")


async def test_who_may_read_mail_may_look_and_only_who_may_write_it_may_change_it(house: House) -> None:
    await bounced(house, "mia@example.com")
    reader, agent = await house.bearer("mail:read"), await house.bearer("tickets:read", "tickets:write")
    path = "/v1/suppressions/mia@example.com"

    assert (await house.client.get(path, headers=reader)).status_code == 200
    problem(await house.client.get(path, headers=agent), 403, "forbidden")
    problem(await house.client.get("/v1/suppressions", headers=agent), 403, "forbidden")
    for key in (reader, agent):
        problem(await house.client.delete(path, headers=key), 403, "forbidden")
        problem(await house.client.put(path, json={"reason": "x"}, headers=key), 403, "forbidden")
    assert (await seen(house, "mia@example.com"))["held"] is True
