"""A cluster for a bench: started by the very command of `make cluster`, asked over its own interfaces."""

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


class Program:
    """A program of ours that prints a `ready` line and then more, as JSON."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self._arguments = arguments
        self._environment = environment
        self.ready: dict[str, Any] = {}
        self.pids: dict[str, int] = {}
        self.started_in = 0.0
        self._changed = asyncio.Event()

    async def __aenter__(self) -> Self:
        started = time.perf_counter()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **self._environment},
            limit=2**24,
        )
        line = await asyncio.wait_for(self._line(), 120)
        if line.get("event") != "ready":
            raise RuntimeError(f"not ready: {line}")
        self.ready, self.started_in = line, time.perf_counter() - started
        self.pids = {one["name"]: one["pid"] for one in line.get("processes", [])} or {
            "run": self.process.pid
        }
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(self.process.wait(), 90)
        await self._reading

    async def restarted(self, name: str) -> float:
        """Kill a process; return the seconds from its new start to its first 200 at /readyz."""
        port = self._port_of(name)
        self._changed.clear()
        os.kill(self.pids[name], signal.SIGKILL)
        await asyncio.wait_for(self._changed.wait(), 30)
        started = time.perf_counter()
        while not await asyncio.to_thread(_answers, f"http://127.0.0.1:{port}/readyz"):
            await asyncio.sleep(0.02)
        return time.perf_counter() - started

    def _port_of(self, name: str) -> int:
        data = Path(self.ready["outbox"]).parent
        return int(json.loads((data / "ports.json").read_text())[name])

    async def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = await self.process.stdout.readline()
        return dict(json.loads(line)) if line else {}

    async def _read(self) -> None:
        while line := await self._line():
            if line.get("event") == "restarted":
                self.pids[line["name"]] = line["pid"]
                self._changed.set()


class Cluster(Program):
    """`make cluster` on a folder."""

    def __init__(self, data: Path, replicas: int = 1) -> None:
        super().__init__(
            ["-m", "deploy.local.cluster", "--json", "--data", str(data), "--replicas", str(replicas)],
            {"OMBUD_LOG__LEVEL": "warning"},
        )


class Run(Program):
    """`make run` on a folder."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            ["-m", "services", "run", "--json", "--quiet"], {"OMBUD_DATA": str(data), "OMBUD_HTTP__PORT": "0"}
        )


def resident_mb(pid: int) -> float:
    """Megabytes in memory, of the process alone."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB


def cpu_seconds(pid: int) -> float:
    """Processor seconds so far, of the process and of its children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def with_children(pid: int) -> list[int]:
    """The process and all below it."""
    below = [one for file in Path(f"/proc/{pid}/task").glob("*/children") for one in file.read_text().split()]
    return [pid, *(one for child in below for one in with_children(int(child)))]


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 (our own loopback address)
            return bool(answer.status == 200)
    except (OSError, urllib.error.URLError):
        return False
