"""Ombud as a person starts it: a program that prints JSON, an API, a mailbox, a folder of letters."""

import asyncio
import imaplib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2

from tests.helpers import eventually


class Program:
    """One run of a command; `lines` grows with what it prints. Ended with SIGTERM, its exit code checked.

    Replies go out at once, without the time to cancel them, unless `environment` says otherwise.
    What it says on stderr goes to the test's own, or is appended to the file `log`.
    """

    def __init__(
        self, arguments: Sequence[str], environment: Mapping[str, str], log: Path | None = None
    ) -> None:
        self._log = log
        self._arguments = [sys.executable, *arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OMBUD_")}
        self._environment = {**clean, "OMBUD_NOTIFY__UNDO_SECONDS": "0", **environment}
        self.lines: list[dict[str, Any]] = []

    async def __aenter__(self) -> Self:
        with ExitStack() as opened:
            log = opened.enter_context(self._log.open("ab")) if self._log else None
            self.process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env=self._environment,
                limit=2**24,
            )
        self._reading = asyncio.create_task(self._read())
        try:
            await eventually(lambda: self.lines or self.process.returncode is not None, within=90.0)
            assert self.lines, f"ended with {self.process.returncode} before it was ready"
        except BaseException:
            await self._end(signal.SIGKILL)
            raise
        self.ready = self.lines[0]
        self.client = httpx2.AsyncClient(
            base_url=self.ready["api"], headers={"authorization": f"Bearer {self.ready['key']}"}, timeout=10.0
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.client.aclose()
        await self._end(signal.SIGTERM)
        if kind is None:
            assert self.process.returncode in (0, -signal.SIGKILL)

    async def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, as an operator would, and wait for its end."""
        await self._end(signal.SIGTERM)

    def pid_of(self, name: str) -> int:
        """The process id that `name` has now, after restarts."""
        pids = {one["name"]: one["pid"] for one in self.ready["processes"]}
        for line in self.lines:
            if line["event"] == "restarted":
                pids[line["name"]] = line["pid"]
        return int(pids[name])

    async def get(self, path: str) -> Any:
        """The answer of the API, which must be 200."""
        answer = await self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def tickets(self) -> list[dict[str, Any]]:
        """Every ticket, by all the pages of the list."""
        found: list[dict[str, Any]] = []
        path: str | None = "/v1/tickets?limit=200"
        while path:
            page = await self.get(path)
            found += page["data"]
            path = f"/v1/tickets?limit=200&cursor={page['next_cursor']}" if page["next_cursor"] else None
        return found

    def letters(self) -> list[Message]:
        """The letters that left, as the sink keeps them."""
        return [message_from_bytes(f.read_bytes()) for f in sorted(Path(self.ready["outbox"]).glob("*.eml"))]

    def append(self, *raws: bytes) -> None:
        """Put mails into the mailbox as any IMAP client does."""
        imap = self.ready["imap"]
        with imaplib.IMAP4(imap["host"], imap["port"], timeout=10) as client:
            client.login(imap["user"], imap["password"])
            for raw in raws:
                client.append(imap["folder"], "", "", raw)

    async def _end(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)
            await asyncio.wait_for(self.process.wait(), 60)
        await self._reading

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.lines.append(json.loads(line))


def mail(token: str, *, sender: str = "", subject: str = "", text: str = "Hello", **headers: str) -> bytes:
    """A mail that its token tells apart; underscores in header names stand for hyphens."""
    lines = {
        "From": sender or f"{token}@example.org",
        "To": "support@sandbox.example",
        "Subject": subject or f"Question {token}",
        "Message-ID": f"<{token}@example.org>",
        "Date": "Fri, 20 Nov 2026 12:00:00 +0000",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{head}\r\n{text}\r\n".encode()


def cluster(data: Path, replicas: int = 1, mongo_members: int = 1, **environment: str) -> Program:
    """`make cluster`."""
    arguments = ["-m", "deploy.local.cluster", "--json", "--data", str(data), "--replicas", str(replicas)]
    arguments += ["--mongo-members", str(mongo_members)]
    return Program(arguments, environment)


def beside(data: Path, running: Program) -> dict[str, str]:
    """What the command line has to be told to work on a running cluster."""
    return {
        "OMBUD_DATA": str(data),
        "OMBUD_SECRET": (data / "secret").read_text().strip(),
        "OMBUD_KAFKA__BOOTSTRAP": running.ready["kafka"],
        "OMBUD_MONGO__URL": running.ready["mongo"],
    }


async def ombud(environment: Mapping[str, str], *arguments: str) -> str:
    """What a verb of the command line prints; it must succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services", *arguments),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode()


def embedded(data: Path, log: Path | None = None, **environment: str) -> Program:
    """`make run`."""
    settings = {"OMBUD_DATA": str(data), "OMBUD_HTTP__PORT": "0", **environment}
    return Program(["-m", "services", "run", "--json"], settings, log)
