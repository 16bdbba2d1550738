"""The quarantine over the API: seen, downloaded, edited, tried again, let through, by those who may."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import pytest

from shared.domain.events import MAIL_TOPIC
from shared.domain.ids import digest
from shared.domain.ledger import Outcome
from shared.domain.mail_fetched import RELEASED, MailFetched
from shared.ports.bus import Record
from tests.unit.api.house import House, ids, ledger_entry, open_house, problem

ORIGINAL = b"From: mia@example.com\r\nSubject: Help\r\n\r\n\xff\x00"
BETTER = b"From: mia@example.com\r\nSubject: Better\r\n\r\nHelp"
AS_MAIL = {"Content-Type": "message/rfc822"}


async def set_aside(house: House) -> str:
    made = await ledger_entry(house, 1, digest=await house.platform.blobs.put(ORIGINAL))
    return f"/v1/quarantine/{made.id}"


async def published(house: House) -> list[Record]:
    return await house.platform.bus.browse(MAIL_TOPIC, 100)


async def edit(house: House, path: str, data: bytes = BETTER) -> httpx2.Response:
    return await house.client.post(f"{path}/edit", content=data, headers=AS_MAIL)


async def test_the_quarantine_lists_what_was_set_aside_latest_first_and_gives_it_out(house: House) -> None:
    for uid in range(1, 4):
        await ledger_entry(house, uid, digest=await house.platform.blobs.put(b"mail %d" % uid))
    await ledger_entry(house, 9, Outcome.INGESTED, digest=await house.platform.blobs.put(b"fine"))

    first = await house.client.get("/v1/quarantine?limit=2")
    second = await house.client.get(first.links["next"]["url"])
    raw = await house.client.get("/v1/quarantine/mail_2/raw")

    assert (ids(first), ids(second)) == (["mail_3", "mail_2"], ["mail_1"])
    assert first.json()["data"][0]["reason"] == "cannot be parsed"
    assert raw.content == b"mail 2"
    assert raw.headers["content-disposition"] == 'attachment; filename="mail_2.eml"'
    problem(await house.client.get("/v1/quarantine/mail_9/raw"), 404, "not_found")
    problem(await house.client.get("/v1/quarantine/mail_77/raw"), 404, "not_found")


async def test_an_edited_mail_keeps_its_original_and_tells_who_edited_it(house: House) -> None:
    path = await set_aside(house)
    first, again = await edit(house, path), await edit(house, path)
    original = await house.client.get(f"{path}/raw")
    edited = await house.client.get(f"{path}/raw?edited=true")
    shown = (await house.client.get(path)).json()

    assert first.status_code == again.status_code == 200
    assert first.json() == again.json() == shown
    assert (original.content, edited.content) == (ORIGINAL, BETTER)
    assert (shown["digest"], shown["edited"]) == (digest(ORIGINAL), digest(BETTER))
    assert [(one["what"], one["by"]) for one in shown["deeds"]] == [("edited", "user:tests")]


@pytest.mark.parametrize("edited", [True, False])
async def test_a_mail_that_was_never_edited_is_given_out_as_an_attachment_that_runs_nowhere(
    house: House, edited: bool
) -> None:
    answer = await house.client.get(f"{await set_aside(house)}/raw?edited={str(edited).lower()}")

    assert answer.content == ORIGINAL
    assert answer.headers["content-disposition"] == 'attachment; filename="mail_1.eml"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_mail_is_given_to_intake_again_as_it_was_edited(house: House) -> None:
    path = await set_aside(house)
    await edit(house, path)
    answer = await house.client.post(f"{path}/retry")
    (record,) = await published(house)
    fetched = MailFetched.parse(record.headers, record.value)

    assert (answer.status_code, answer.json()["outcome"]) == (202, "quarantined")
    assert fetched.entry == answer.json()["id"] or fetched.uid == 1
    assert (fetched.digest, fetched.raw) == (digest(BETTER), None)
    assert record.headers[RELEASED] == str((await house.platform.stores.ledger.get("mail_1")).version)
    assert [one["what"] for one in answer.json()["deeds"]] == ["edited", "retried"]


async def test_a_mail_is_let_through_with_its_headers_and_the_reason(house: House) -> None:
    answer = await house.client.post(f"{await set_aside(house)}/release")
    (record,) = await published(house)

    assert (answer.status_code, answer.json()["deeds"][0]["what"]) == (202, "released")
    assert record.value.startswith(b"From: mia@example.com\r\nSubject: Help\r\n")
    assert b"could not be read: cannot be parsed" in record.value
    assert b"\xff\x00" not in record.value


async def test_what_is_not_in_quarantine_or_was_never_fetched_stays_as_it_is(house: House) -> None:
    await ledger_entry(house, 2, Outcome.INGESTED)
    await ledger_entry(house, 3, digest="")
    for deed in ("edit", "retry", "release"):
        for entry, status, code in (
            ("mail_2", 409, "move_not_allowed"),
            ("mail_3", 422, "invalid"),
            ("mail_9", 404, "not_found"),
        ):
            answer = await house.client.post(
                f"/v1/quarantine/{entry}/{deed}", content=BETTER, headers=AS_MAIL
            )
            problem(answer, status, code)

    assert "ombud mailbox reconcile" in answer.json()["detail"] or status == 404
    assert await published(house) == []


async def test_an_edit_without_bytes_or_as_something_else_is_refused(house: House) -> None:
    path = await set_aside(house)
    as_json = await house.client.post(f"{path}/edit", json={"raw": "x"})

    problem(await edit(house, path, b""), 422, "invalid")
    assert "message/rfc822" in problem(as_json, 415, "unsupported_media_type")["detail"]
    assert (await house.client.get(path)).json()["edited"] == ""


async def test_a_mail_may_be_longer_than_other_bodies_up_to_a_limit_of_its_own(tmp_path: Path) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100

    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, body_limit=1024, mail_limit=3000)
        path = await set_aside(house)
        fits = await edit(house, path, b"x" * 3000)
        told = await edit(house, path, b"x" * 3001)
        streamed = await house.client.post(f"{path}/edit", content=pieces(), headers=AS_MAIL)
        shown = (await house.client.get(path)).json()

    assert fits.status_code == 200
    problem(told, 413, "too_large")
    problem(streamed, 413, "too_large")
    assert shown["edited"] == digest(b"x" * 3000)


async def test_who_may_read_mail_may_look_and_only_who_may_write_it_may_change_it(house: House) -> None:
    path = await set_aside(house)
    reader, agent = await house.bearer("mail:read"), await house.bearer("tickets:read", "tickets:write")

    for looked_at in (path, f"{path}/raw", "/v1/quarantine"):
        assert (await house.client.get(looked_at, headers=reader)).status_code == 200
        problem(await house.client.get(looked_at, headers=agent), 403, "forbidden")
    for deed in ("edit", "retry", "release"):
        for key in (reader, agent):
            answer = await house.client.post(f"{path}/{deed}", content=BETTER, headers={**AS_MAIL, **key})
            assert "mail:write" in problem(answer, 403, "forbidden")["detail"]
    assert await published(house) == []
