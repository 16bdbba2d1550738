"""A process: one or more services, the HTTP server, the relay; the only place with signals.

Order: HTTP first, so that `/livez` and `/readyz` tell what is going on; then topics and indexes are made,
waiting for servers that are not there yet; then consumers and tasks. On SIGTERM or SIGINT everything is told
to stop, finishes what is in flight, and the relay publishes what is left. When one part ends that should not,
the others are stopped in the same good order and the process exits with 1: its supervisor starts it again.
"""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from importlib.metadata import version

import structlog
import uvicorn

from shared import metrics
from shared.domain.errors import OmbudError, Refused, Unavailable
from shared.runtime import failpoints
from shared.runtime.consumer import Consumer
from shared.runtime.health import Health
from shared.runtime.service import Build, Ping, Service
from shared.runtime.settings import HttpSettings, Settings
from shared.runtime.waiting import wait_until
from shared.runtime.wiring import Wired, open_platform

STOPPING_SECONDS = 25.0
"""From the signal to the end, at most."""
PREPARE_AGAIN = 1.0
"""Seconds between two tries to make topics and indexes."""

log = structlog.get_logger()

Announce = Callable[["Running"], Awaitable[None]]


@dataclass(frozen=True)
class Running:
    """A process that is up: what it stands on and where it answers."""

    wired: Wired
    url: str
    health: Health
    stop: asyncio.Event


async def run_process(
    settings: Settings, name: str, builds: Mapping[str, Build], announce: Announce | None = None
) -> int:
    """Run until a signal comes or a part fails; returns the exit code. Raises `Refused` when it cannot start.

    `announce` is called once, when every part runs and is ready.
    """
    failpoints.arm(settings.failpoints)
    async with AsyncExitStack() as stack:
        wired = await open_platform(settings, stack, name)
        services = [await build(wired.platform, settings, stack) for build in builds.values()]
        consumers = {
            reader.group: Consumer(
                reader, wired.platform.bus, wired.platform.clock, settings.consumer, wired.platform.instance
            )
            for service in services
            for reader in service.readers
        }
        process = _Process(settings, name, wired, services, consumers)
        return await process.run(announce)


class _Process:
    def __init__(
        self,
        settings: Settings,
        name: str,
        wired: Wired,
        services: list[Service],
        consumers: dict[str, Consumer],
    ) -> None:
        self._settings = settings
        self._name = name
        self._wired = wired
        self._services = services
        self._consumers = consumers
        self._stop = asyncio.Event()
        self._failed = False
        self._prepared = False

    async def run(self, announce: Announce | None) -> int:
        metrics.BUILD_INFO.labels(version("ombud"), self._name).set(1)
        health = Health(self._pings(), next((s.app for s in self._services if s.app), None))
        listening = _listen(self._settings.http)
        server = _Server(uvicorn.Config(health, log_config=None, lifespan="off", access_log=False))
        running = Running(self._wired, _url(listening), health, self._stop)
        self._catch_signals()
        relay = asyncio.create_task(self._wired.relay.run(), name="relay")
        try:
            async with asyncio.timeout(None) as bound, asyncio.TaskGroup() as group:
                group.create_task(self._part("http", self._serve(server, listening)))
                group.create_task(self._part("services", self._work()))
                if announce is not None:
                    group.create_task(self._part("announce", _when_ready(running, announce), may_end=True))
                await self._stop.wait()
                bound.reschedule(asyncio.get_running_loop().time() + STOPPING_SECONDS)
        except TimeoutError:
            log.error("process.parts_do_not_stop", seconds=STOPPING_SECONDS)  # noqa: TRY400 (which, the parts say)
            self._failed = True
        await self._wired.relay.drain(self._settings.consumer.drain)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)
        log.info("process.stopped", failed=self._failed)
        return 1 if self._failed else 0

    async def _serve(self, server: "_Server", listening: socket.socket) -> None:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(server.serve(sockets=[listening]))
            serving.add_done_callback(lambda _: self._stop.set())
            await self._stop.wait()
            server.should_exit = True

    async def _work(self) -> None:
        if not await self._prepare():
            return
        async with asyncio.TaskGroup() as group:
            for name, consumer in self._consumers.items():
                group.create_task(self._part(f"consumer {name}", consumer.run(self._stop)))
            for service in self._services:
                for name, task in service.tasks.items():
                    group.create_task(self._part(f"{service.name} {name}", task(self._stop)))
            publishing = self._wired.platform.stores.publishing()
            swept = [(store.spec.name, store.collection) for store in publishing]
            group.create_task(self._part("sweep", self._wired.relay.sweep(swept, self._stop)))
            log.info("process.running", services=[service.name for service in self._services])

    async def _prepare(self) -> bool:
        while not self._stop.is_set():
            try:
                await self._wired.prepare()
            except Unavailable as down:
                log.warning("process.waits", dependency=down.dependency, reason=str(down))
                await wait_until(self._stop, PREPARE_AGAIN)
            else:
                self._prepared = True
                return True
        return False

    async def _part(self, name: str, work: Awaitable[None], *, may_end: bool = False) -> None:
        """Await `work`; if it fails, or ends though nobody said stop, the whole process stops."""
        try:
            await work
        except OmbudError as fault:
            log.error("process.part_failed", part=name, reason=str(fault))  # noqa: TRY400 (it says what to do)
            self._failed = True
            self._stop.set()
        except Exception:
            log.exception("process.part_failed", part=name)
            self._failed = True
            self._stop.set()
        else:
            if not may_end and not self._stop.is_set():
                log.error("process.part_ended", part=name)
                self._failed = True
                self._stop.set()

    def _pings(self) -> dict[str, Ping]:
        pings = {"prepared": self._ping_prepared, **self._wired.pings}
        for service in self._services:
            pings.update(service.pings)
        pings.update({f"consumer {name}": consumer.ping for name, consumer in self._consumers.items()})
        return pings

    async def _ping_prepared(self) -> None:
        if not self._prepared:
            raise Unavailable("start", "topics and indexes are not there yet")

    def _catch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before consumers have drained."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process."""
        yield


def _listen(http: HttpSettings) -> socket.socket:
    """The place that was asked for; where nobody asked for one and the usual is taken, a free one."""
    chosen = "port" in http.model_fields_set
    try:
        return _bound(http.host, http.port)
    except OSError as fault:
        if fault.errno == errno.EADDRINUSE and not chosen:
            log.warning("process.port_taken", port=http.port, instead="a free one")
            return _bound(http.host, 0)
        raise Refused(
            f"cannot listen on {http.host}:{http.port} ({os.strerror(fault.errno or 0)}): "
            "set OMBUD_HTTP__HOST and OMBUD_HTTP__PORT, 0 for a free one"
        ) from fault


def _bound(host: str, port: int) -> socket.socket:
    return socket.create_server((host, port), backlog=1024)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://{'127.0.0.1' if host in ('0.0.0.0', '::') else host}:{port}"  # noqa: S104 (reads, binds nothing)


async def _when_ready(running: Running, announce: Announce) -> None:
    while not running.stop.is_set():
        if not await running.health.check():
            await announce(running)
            return
        await wait_until(running.stop, 0.05)
