"""Replicas of the waiting service: any number of processes on one topic and group, added and taken away."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.client import Client
from services.sandbox.process import Process, free_port

SECRET = "only for replicas of a bench or a test"  # noqa: S105  # it signs nothing


class Replicas:
    """Processes `one`, `two`, …; `environment` holds their settings. All are gone at the end."""

    def __init__(self, folder: Path, arguments: Mapping[str, str], environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._command = [sys.executable, "-m", "bench.waiting"]
        self._command += [word for name, value in arguments.items() for word in (f"--{name}", value)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OMBUD_")}
        self._environment = {**clean, "OMBUD_SECRET": SECRET, **environment}
        self._running: list[tuple[Process, int]] = []
        self.exits: list[int | None] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.scale(0)

    def __len__(self) -> int:
        return len(self._running)

    async def scale(self, to: int) -> None:
        """Have so many: new ones are started, or the newest are told to stop and waited for, side by side."""
        fewer = self._running[to:]
        del self._running[to:]
        self.exits += await asyncio.gather(*(asyncio.to_thread(process.stop) for process, _ in fewer))
        more = [self._replica(number) for number in range(len(self._running), to)]
        self._running += more
        await asyncio.gather(*(asyncio.to_thread(process.start) for process, _ in more))

    async def ready(self) -> bool:
        """Whether all of them are: joined, and every server answers."""
        answers = await asyncio.gather(*(_is_ready(port) for _, port in self._running))
        return all(answers)

    def _replica(self, number: int) -> tuple[Process, int]:
        name, port = f"replica-{number + 1}", free_port()
        own = {"OMBUD_INSTANCE": name, "OMBUD_HTTP__PORT": str(port), "OMBUD_DATA": str(self._folder)}
        log = self._folder / f"{name}.log"
        return Process(name, self._command, log, environment={**self._environment, **own}, grace=40.0), port


async def _is_ready(port: int) -> bool:
    try:
        async with Client(f"http://127.0.0.1:{port}") as client:
            await client.get("/readyz")
    except (OSError, RuntimeError, asyncio.IncompleteReadError):
        return False
    return True
