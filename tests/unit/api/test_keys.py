"""Who may call: keys, scopes, and answers that tell strangers nothing."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from services.api.keys import Keys, create_key, list_keys, revoke_key
from shared.domain.errors import Invalid, NotFound
from tests.fakes.clock import FakeClock
from tests.unit.api.house import House, open_house, problem

READ, WRITE, MAIL, ADMIN = "tickets:read", "tickets:write", "mail:read", "admin"


async def test_a_key_says_who_it_is(house: House) -> None:
    headers = await house.bearer(READ, WRITE, name="billing")

    shown = (await house.client.get("/v1/me", headers=headers)).json()

    assert (shown["name"], shown["scopes"]) == ("billing", [READ, WRITE])


async def test_unknown_wrong_malformed_and_missing_keys_get_the_same_answer(house: House) -> None:
    right = await house.key("*")
    stranger = f"ombud_{'0' * 12}_{'0' * 48}"
    answers = [
        await house.client.get("/v1/me", headers={"Authorization": value})
        for value in (
            f"Bearer {stranger}",
            f"Bearer {right[:-1]}{'0' if right[-1] != '0' else '1'}",
            f"Bearer {right}x",
            f"Basic {right}",
            "Bearer",
            "",
        )
    ]

    told = set()
    for answer in answers:
        fault = problem(answer, 401, "unauthorized")
        told.add((fault["detail"], answer.headers["www-authenticate"]))
    assert told == {
        (
            "no valid key came with the request. Send `Authorization: Bearer ombud_…`.",
            'Bearer realm="ombud"',
        )
    }


@pytest.mark.parametrize("path", ["/v1/tickets", "/v1/tickets/tkt_1", "/v1/nothing", "/v1/", "/v1"])
async def test_without_a_key_nothing_is_told_apart_under_v1(house: House, path: str) -> None:
    problem(await house.client.get(path, headers={"Authorization": ""}), 401, "unauthorized")


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (READ, "GET", "/v1/tickets"),
        (READ, "GET", "/v1/tickets/tkt_1"),
        (READ, "GET", "/v1/tickets/tkt_1/messages"),
        (READ, "GET", "/v1/tickets/tkt_1/timeline"),
        (READ, "GET", "/v1/letters"),
        (READ, "GET", "/v1/overview"),
        (WRITE, "POST", "/v1/tickets"),
        (WRITE, "POST", "/v1/tickets/tkt_1/reply"),
        (WRITE, "POST", "/v1/tickets/tkt_1/note"),
        (WRITE, "PUT", "/v1/tickets/tkt_1/status"),
        (WRITE, "PUT", "/v1/tickets/tkt_1/assignee"),
        (WRITE, "PUT", "/v1/tickets/tkt_1/priority"),
        (MAIL, "GET", "/v1/tickets/tkt_1/raw/msg_1"),
        (MAIL, "GET", "/v1/quarantine"),
        (MAIL, "GET", "/v1/quarantine/mail_1/raw"),
        (MAIL, "GET", "/v1/mails/a@example.com"),
        (ADMIN, "POST", "/v1/overview/refresh"),
    ],
)
async def test_a_route_is_open_to_its_scope_and_closed_to_all_others(
    house: House, scope: str, method: str, path: str
) -> None:
    mine = await house.bearer(scope)
    others = await house.bearer(*({READ, WRITE, MAIL, ADMIN} - {scope}))

    refused = await house.client.request(method, path, headers=others)
    passed = await house.client.request(method, path, headers=mine)

    assert scope in problem(refused, 403, "forbidden")["detail"]
    assert passed.status_code not in (401, 403)


async def test_a_revoked_key_is_refused_once_it_is_forgotten(house: House) -> None:
    stores, clock = house.platform.stores, FakeClock()
    made = await create_key(stores, clock, "short", [READ])
    keys = Keys(stores, clock, remember=5.0)
    known = await keys.verify(made)

    await revoke_key(stores, clock, made.split("_")[1])
    remembered = await keys.verify(made)
    await clock.advance(5.0)
    forgotten = await keys.verify(made)

    assert known is not None
    assert remembered is not None
    assert forgotten is None


async def test_a_key_is_read_once_while_it_is_remembered(house: House) -> None:
    stores, clock = house.platform.stores, FakeClock()
    made = await create_key(stores, clock, "busy", [READ])
    keys = Keys(stores, clock, remember=5.0)
    await keys.verify(made)
    await stores.api_keys.collection.delete(made.split("_")[1])

    assert await keys.verify(made) is not None


async def test_a_revoked_key_works_no_longer_over_http(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, key_cache_seconds=0)
        made = await house.key(READ)
        headers = {"Authorization": f"Bearer {made}"}
        before = await house.client.get("/v1/me", headers=headers)

        await revoke_key(house.platform.stores, house.platform.clock, made.split("_")[1])

        assert before.status_code == 200
        problem(await house.client.get("/v1/me", headers=headers), 401, "unauthorized")


async def test_only_a_digest_of_the_secret_is_stored(house: House) -> None:
    made = await house.key(READ)
    _, key_id, secret = made.split("_")

    stored = await house.platform.stores.api_keys.get(key_id)

    assert secret not in stored.model_dump_json()


async def test_keys_are_listed_oldest_first_with_the_revoked_ones(house: House) -> None:
    stores, clock = house.platform.stores, FakeClock()
    for number in range(3):
        await create_key(stores, clock, f"key {number}", [READ])
        await clock.advance(1.0)
    _, middle, *_ = await list_keys(stores)
    await revoke_key(stores, clock, middle.id)
    await clock.advance(1.0)

    again = await revoke_key(stores, clock, middle.id)

    listed = await list_keys(stores)
    assert [key.name for key in listed] == ["key 0", "key 1", "key 2", "tests"]
    assert [key.revoked_at is None for key in listed] == [True, False, True, True]
    assert listed[1].revoked_at == again.revoked_at != clock.now()


async def test_a_key_needs_a_known_scope_and_a_printable_name(house: House) -> None:
    stores, clock = house.platform.stores, house.platform.clock
    for name, scopes in (("x", []), ("x", ["tickets"]), ("", [READ]), ("a\nb", [READ]), ("x" * 81, [READ])):
        with pytest.raises(Invalid):
            await create_key(stores, clock, name, scopes)


async def test_a_key_that_is_not_there_cannot_be_revoked(house: House) -> None:
    with pytest.raises(NotFound):
        await revoke_key(house.platform.stores, house.platform.clock, "0" * 12)
