"""Every error is a problem document, and tells nothing that is not the caller's business."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI

from services.api.keys import Keys
from services.api.middleware import Authenticated, BodyLimit, Observed
from services.api.problems import KINDS, install
from shared.domain.errors import (
    Conflict,
    Duplicate,
    Invalid,
    OmbudError,
    Temporary,
    Unavailable,
    UndeclaredFilter,
)
from shared.metrics import REGISTRY
from tests.unit.api.house import House, open_house, problem


async def test_a_path_that_is_not_there_is_a_problem(house: House) -> None:
    for path in ("/nothing", "/v1/nothing", "/v1/tickets/", "/docs/"):
        problem(await house.client.get(path), 404, "not_found")


async def test_a_method_that_is_not_offered_is_told_which_are(house: House) -> None:
    answer = await house.client.delete("/v1/tickets")

    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"
    assert (await house.client.post("/docs")).headers["allow"] == "GET"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH", "TRACE", "SPAM"])
async def test_any_other_method_is_refused(house: House, method: str) -> None:
    assert (await house.client.request(method, "/v1/tickets")).status_code == 405


@pytest.mark.parametrize("body", [b"{", b"", b"nul", b"\xff\xfe", b"[" * 100_000])
async def test_a_body_that_is_not_json_is_a_problem(house: House, body: bytes) -> None:
    answer = await house.client.post(
        "/v1/tickets", content=body, headers={"Content-Type": "application/json"}
    )

    assert problem(answer, answer.status_code, answer.json()["code"])["status"] in (400, 422)


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", None])
async def test_a_body_of_another_media_type_is_told_which_is_understood(
    house: House, media_type: str | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}

    answer = await house.client.post("/v1/tickets", content=b'{"a": 1}', headers=headers)

    assert "application/json" in problem(answer, 415, "unsupported_media_type")["detail"]


async def test_a_body_over_the_limit_is_refused_by_its_length_and_by_its_bytes(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100

    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, body_limit=2000)
        headers = {"Content-Type": "application/json"}
        body = json.dumps(
            {"mailbox": "support", "subject": "s", "text": "t" * 1800, "customer": {"address": "a@b.c"}}
        )
        told = await house.client.post("/v1/tickets", content="x" * 2001, headers=headers)
        streamed = await house.client.post("/v1/tickets", content=chunks(), headers=headers)
        fits = await house.client.post("/v1/tickets", content=body, headers=headers)

    problem(told, 413, "too_large")
    problem(streamed, 413, "too_large")
    assert fits.status_code == 201


async def test_a_request_without_key_is_refused_before_its_body_is_read(house: House) -> None:
    read = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal read
        read += 1
        yield b"{}"

    headers = {"Content-Type": "application/json", "Authorization": ""}
    answer = await house.client.post("/v1/tickets", content=chunks(), headers=headers)

    problem(answer, 401, "unauthorized")
    assert read == 0


async def test_an_answer_bears_the_requests_id_given_or_made(house: House) -> None:
    given = await house.client.get("/v1/me", headers={"X-Request-Id": "abc-12345"})
    made = await house.client.get("/v1/me")
    hostile = await house.client.get("/v1/me", headers={"X-Request-Id": "a b\tc<script>"})

    assert given.headers["x-request-id"] == "abc-12345"
    assert len(made.headers["x-request-id"]) == 32
    assert len(hostile.headers["x-request-id"]) == 32


async def test_requests_are_counted_by_template_and_not_by_path(house: House) -> None:
    def counted(route: str, method: str, status: str) -> float:
        labels = {"method": method, "route": route, "status": status}
        return REGISTRY.get_sample_value("ombud_http_request_seconds_count", labels) or 0.0

    before = counted("/v1/tickets/{ticket_id}", "GET", "404"), counted("unmatched", "other", "404")

    for number in range(3):
        await house.client.get(f"/v1/tickets/tkt_{number}")
        await house.client.request(f"SPAM{number}", f"/nothing/{number}")

    after = counted("/v1/tickets/{ticket_id}", "GET", "404"), counted("unmatched", "other", "404")
    assert (after[0] - before[0], after[1] - before[1]) == (3, 3)


@asynccontextmanager
async def failing(house: House, error: Exception) -> AsyncIterator[httpx2.AsyncClient]:
    """Our problems and middleware around a route that fails."""
    app = FastAPI()
    install(app, [])

    @app.get("/v1/fails")
    async def fails() -> None:
        raise error

    app.add_middleware(Authenticated, keys=Keys(house.platform.stores, house.platform.clock, 0))
    app.add_middleware(BodyLimit, limit=100, mail_limit=100)
    app.add_middleware(Observed)
    headers = {"Authorization": f"Bearer {await house.key('*')}"}
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(
        transport=transport, base_url="http://ombud.test", headers=headers
    ) as client:
        yield client


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (Unavailable("MongoDB", "secret host down"), 503, "unavailable", "5"),
        (Temporary("later"), 503, "unavailable", "5"),
        (Conflict("tkt_secret"), 409, "conflict", "1"),
        (Duplicate("secret"), 409, "conflict", "1"),
        (Invalid("too big", {"subject": "long"}), 422, "invalid", None),
        (UndeclaredFilter("secret field"), 500, "internal", None),
        (OmbudError("secret"), 500, "internal", None),
        (RuntimeError("secret /etc/passwd"), 500, "internal", None),
    ],
)
async def test_a_failure_inside_says_what_to_do_and_nothing_of_what_is_inside(
    house: House, error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    async with failing(house, error) as client:
        answer = await client.get("/v1/fails")

    problem(answer, status, code)
    assert answer.headers.get("retry-after") == retry_after
    for inside in ("secret", "Traceback", "RuntimeError", "passwd"):
        assert inside not in answer.text


async def test_when_keys_cannot_be_looked_up_the_caller_is_told_to_wait(tmp_path: Path) -> None:
    """The store is closed, as it is while a database is away: not the key is at fault."""
    async with AsyncExitStack() as stack:
        house = await open_house(tmp_path, stack, key_cache_seconds=0)
        app, headers = house.app, dict(house.client.headers)
    transport = httpx2.ASGITransport(app=app)

    async with httpx2.AsyncClient(
        transport=transport, base_url="http://ombud.test", headers=headers
    ) as client:
        answer = await client.get("/v1/me")

    problem(answer, 503, "unavailable")


async def test_an_answer_that_breaks_off_does_not_look_whole(house: House) -> None:
    async def breaks(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    sent: list[str] = []

    async def send(message: Any) -> None:
        sent.append(message["type"])

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(RuntimeError, match="half way"):
        await Observed(breaks)(scope, receive, send)

    assert sent == ["http.response.start"]


async def test_every_problem_is_explained_where_its_type_points(house: House) -> None:
    page = (await house.client.get("/docs/problems")).text

    for kind in KINDS.values():
        assert f'id="{kind.code}"' in page
        assert kind.title.replace("'", "&#39;") in page
