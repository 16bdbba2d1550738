"""A process runs until it is told to stop; a part that ends by itself ends it, with 1."""

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from shared.domain.errors import Refused, Unavailable
from shared.runtime.process import Running, run_process
from shared.runtime.service import Build, Platform, Service, Task
from shared.runtime.settings import HttpSettings, Settings


def settings(data: Path, **http: Any) -> Settings:
    """Those of a process on the embedded adapters; by default on a free port."""
    return Settings(data=data, http=HttpSettings(**({"port": 0} | http)))


def service(*tasks: Task, **pings: Any) -> Build:
    """A service of these tasks."""

    async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
        return Service("s", tasks={str(n): task for n, task in enumerate(tasks)}, pings=pings)

    return build


async def until_told(stop: asyncio.Event) -> None:
    await stop.wait()


async def stop_at_once(running: Running) -> None:
    running.stop.set()


async def test_a_process_that_is_told_to_stop_ends_with_zero(tmp_path: Path) -> None:
    assert await run_process(settings(tmp_path), "p", {"s": service(until_told)}, stop_at_once) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_in_good_order_also_when_it_comes_twice(
    tmp_path: Path, number: signal.Signals
) -> None:
    ended = []

    async def slow_to_stop(stop: asyncio.Event) -> None:
        await stop.wait()
        os.kill(os.getpid(), number)
        await asyncio.sleep(0.05)
        ended.append(True)

    async def signalled(_: Running) -> None:
        os.kill(os.getpid(), number)

    assert await run_process(settings(tmp_path), "p", {"s": service(slow_to_stop)}, signalled) == 0
    assert ended == [True]


async def test_a_part_that_fails_stops_the_others_in_good_order_and_ends_it_with_one(tmp_path: Path) -> None:
    stopped = asyncio.Event()

    async def fails(_: asyncio.Event) -> None:
        raise ZeroDivisionError("a fault of ours")

    async def other(stop: asyncio.Event) -> None:
        await stop.wait()
        stopped.set()

    with capture_logs() as logs:
        code = await run_process(settings(tmp_path), "p", {"s": service(fails, other)})

    assert (code, stopped.is_set()) == (1, True)
    assert [line["part"] for line in logs if line["event"] == "process.part_failed"] == ["s 0"]


async def test_a_part_that_ends_though_nobody_said_stop_ends_the_process_with_one(tmp_path: Path) -> None:
    async def ends(_: asyncio.Event) -> None:
        return

    with capture_logs() as logs:
        code = await run_process(settings(tmp_path), "p", {"s": service(ends)})

    assert code == 1
    assert "process.part_ended" in [line["event"] for line in logs]


async def test_a_part_that_refuses_to_go_on_says_why_without_a_traceback(tmp_path: Path) -> None:
    async def refuses(_: asyncio.Event) -> None:
        raise Refused("mend this")

    with capture_logs() as logs:
        assert await run_process(settings(tmp_path), "p", {"s": service(refuses)}) == 1
    (line,) = [line for line in logs if line["event"] == "process.part_failed"]

    assert line["reason"] == "mend this"
    assert "exc_info" not in line


async def test_it_answers_before_its_services_are_ready_and_names_what_is_missing(tmp_path: Path) -> None:
    answered: dict[str, Any] = {}

    async def missing() -> None:
        if "ready" not in answered:
            raise Unavailable("the oracle", "it sleeps")

    async def ask(stop: asyncio.Event) -> None:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            answered["live"] = (await client.get("/livez")).status_code
            before = await client.get("/readyz")
            answered["ready"] = (before.status_code, before.json()["checks"]["oracle"])
        await stop.wait()

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    build = service(ask, oracle=missing)
    code = await run_process(settings(tmp_path, port=port), "p", {"s": build}, stop_at_once)

    assert code == 0
    assert answered["live"] == 200
    assert answered["ready"] == (503, "the oracle does not answer: it sleeps")


async def test_a_port_that_was_asked_for_and_is_taken_is_refused_with_what_to_do(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(Refused, match=rf"cannot listen on 127\.0\.0\.1:{port}.*OMBUD_HTTP__PORT"):
            await run_process(settings(tmp_path, port=port), "p", {"s": service(until_told)})


async def test_where_nobody_asked_for_a_port_and_the_usual_is_taken_it_takes_a_free_one(
    tmp_path: Path,
) -> None:
    urls: list[str] = []

    async def look(running: Running) -> None:
        urls.append(running.url)
        running.stop.set()

    usual = HttpSettings.model_fields["port"].default
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            taken.bind(("127.0.0.1", usual))
        except OSError:
            pass  # then somebody else holds it, which is what we want
        else:
            taken.listen()
        http = Settings(data=tmp_path)
        assert await run_process(http, "p", {"s": service(until_told)}, look) == 0

    assert urls[0] != f"http://127.0.0.1:{usual}"


async def test_an_address_that_is_not_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="OMBUD_HTTP__HOST"):
        await run_process(settings(tmp_path, host="192.0.2.1"), "p", {"s": service(until_told)})
