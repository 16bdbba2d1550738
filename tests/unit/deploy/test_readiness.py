"""A service is waited for until it says that it is ready; one that never does is named."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.readiness import readiness, wait_for_readiness
from shared.domain.errors import Refused
from tests.helpers import free_port


@asynccontextmanager
async def service(*answers: str) -> AsyncIterator[int]:
    """A server that gives these answers (status and body) in turn, the last for ever; yields its port."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        assert request.startswith(b"GET /readyz ")
        status, _, body = (left.pop(0) if len(left) > 1 else left[0]).partition(" ")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write((head + body).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_a_service_is_ready_when_it_answers_200() -> None:
    async with service("200 {}") as port:
        assert await asyncio.to_thread(readiness, port) is None


async def test_a_service_that_is_not_ready_says_why() -> None:
    async with service('503 {"kafka": "no answer"}') as port:
        assert await asyncio.to_thread(readiness, port) == '503 {"kafka": "no answer"}'


def test_where_nobody_listens_there_is_no_answer() -> None:
    said = readiness(free_port())

    assert said is not None
    assert said.startswith("no answer: ")


async def test_waiting_ends_when_the_last_service_is_ready(tmp_path: Path) -> None:
    async with service("200 {}") as quick, service("503 {}", "503 {}", "200 {}") as slow:
        await wait_for_readiness(
            {"api-1": (quick, tmp_path / "a"), "triage-1": (slow, tmp_path / "b")}, within=10
        )


async def test_services_that_do_not_get_ready_are_named_with_the_end_of_their_log(tmp_path: Path) -> None:
    """The one line that says which of twelve processes to look at."""
    log = tmp_path / "triage-1.log"
    log.write_text("begun\nthe model's key is missing\n")
    async with service("200 {}") as good, service("503 broken") as bad:
        with pytest.raises(Refused) as refused:
            await wait_for_readiness({"api-1": (good, log), "triage-1": (bad, log)}, within=0.2)

    assert str(refused.value) == (
        "triage-1 was not ready within 0.2 s (503 broken)\nbegun\nthe model's key is missing"
    )
