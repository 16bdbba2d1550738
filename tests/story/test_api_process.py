"""The API as a process of its own: over HTTP, with its relay, its reader and the embedded adapters."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from services.api.keys import create_key
from services.api.service import build
from services.api.settings import ApiSettings
from shared.runtime.process import Running, run_process
from shared.runtime.settings import ConsumerSettings, HttpSettings, MailboxSettings, Settings
from tests.helpers import eventually

Scene = Callable[[Running, httpx2.AsyncClient], Awaitable[None]]


class ApiProcess(Settings):
    """The settings of a process that is the API alone."""

    api: ApiSettings = ApiSettings()


async def play(folder: Path, scene: Scene) -> int:
    """Start the process, act, stop it in good order; its exit code."""
    settings = ApiProcess(
        data=folder,
        http=HttpSettings(port=0),
        mailboxes={"support": MailboxSettings(address="support@example.org")},
        consumer=ConsumerSettings(commit_every=0.05),
    )

    async def announce(running: Running) -> None:
        platform = running.wired.platform
        key = await create_key(platform.stores, platform.clock, "story", ["*"])
        headers = {"Authorization": f"Bearer {key}"}
        try:
            async with httpx2.AsyncClient(base_url=running.url, headers=headers) as client:
                await scene(running, client)
        finally:
            running.stop.set()

    return await run_process(settings, "api", {"api": build}, announce)


async def open_one(client: httpx2.AsyncClient, number: int) -> str:
    asked = {
        "mailbox": "support",
        "subject": f"Ticket {number}",
        "text": "Help",
        "customer": {"address": "a@b.c"},
    }
    answer = await client.post("/v1/tickets", json=asked, headers={"Idempotency-Key": str(number)})
    assert answer.status_code == 201, answer.text
    ticket_id: str = answer.json()["id"]
    return ticket_id


async def overview(client: httpx2.AsyncClient) -> dict[str, Any]:
    numbers: dict[str, Any] = (await client.get("/v1/overview")).json()
    return numbers


async def test_what_the_api_changes_shows_in_the_overview_also_after_a_restart(tmp_path: Path) -> None:
    async def first(_: Running, client: httpx2.AsyncClient) -> None:
        made = [await open_one(client, number) for number in range(6)]
        for ticket_id in made[:2]:
            await client.post(f"/v1/tickets/{ticket_id}/reply", json={"text": "Try again."})

        async def counted() -> bool:
            shown = await overview(client)
            return (shown["status"]["new"], shown["status"]["waiting"]) == (4, 2)

        await eventually(counted)

    async def second(_: Running, client: httpx2.AsyncClient) -> None:
        assert (await overview(client))["total"] == 6
        await open_one(client, 6)

        async def counted() -> bool:
            return bool((await overview(client))["total"] == 7)

        await eventually(counted)
        refreshed = (await client.post("/v1/overview/refresh")).json()
        assert (refreshed["tickets"], refreshed["difference"]) == (7, 0)

    assert await play(tmp_path, first) == 0
    assert await play(tmp_path, second) == 0


async def test_the_api_stands_beside_health_and_metrics_on_one_port(tmp_path: Path) -> None:
    async def scene(_: Running, client: httpx2.AsyncClient) -> None:
        await client.get("/v1/me")
        live, ready = await client.get("/livez"), await client.get("/readyz")
        metrics, docs = await client.get("/metrics"), await client.get("/docs")

        assert (live.status_code, ready.status_code, docs.status_code) == (200, 200, 200)
        assert 'ombud_http_request_seconds_count{method="GET",route="/v1/me",status="200"}' in metrics.text

    assert await play(tmp_path, scene) == 0


async def test_a_raw_mail_of_many_pieces_comes_whole_over_http(tmp_path: Path) -> None:
    raw = b"Subject: large\r\n\r\n" + bytes(range(256)) * 8000

    async def scene(running: Running, client: httpx2.AsyncClient) -> None:
        platform = running.wired.platform
        ticket_id = await open_one(client, 1)
        (message,) = (await client.get(f"/v1/tickets/{ticket_id}/messages")).json()["data"]
        stored = await platform.stores.messages.get(message["id"])
        stored.raw = await platform.blobs.put(raw)
        stored.touch()
        await platform.stores.messages.save(stored, if_version=stored.version - 1)

        answer = await client.get(f"/v1/tickets/{ticket_id}/raw/{message['id']}")

        assert answer.content == raw
        assert answer.headers["content-length"] == str(len(raw))

    assert await play(tmp_path, scene) == 0
