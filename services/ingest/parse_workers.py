"""Large and suspicious mails are parsed in processes of their own, so that none can hold up or end this one.

A process is started when the first such mail comes and leaves when none has come for a while. One that takes
longer than `parse_seconds` is killed and the mail is `Unreadable`; so is a mail that takes more than
`parse_memory`, and one that a process died of twice. No process outlives this one: each watches its input.
The processes are given no secrets: their environment holds what Python needs to start.

Raises `Unavailable` when no process can be started, which says nothing of the mail.
"""

import asyncio
import os
import pickle
import sys
from asyncio.subprocess import PIPE, Process
from typing import cast

import structlog

from services.ingest.parse_worker import LENGTH, Answer
from services.ingest.parsing import ParsedMail
from services.ingest.settings import Limits
from shared import metrics
from shared.domain.errors import Unavailable, Unreadable

START_SECONDS = 30.0
IDLE_SECONDS = 60.0
_PROGRAM = "from services.ingest.parse_worker import main; main()"  # not -m: pickles name modules
TRIES = 2
"""A process may also be ended by something else, once."""

_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")

log = structlog.get_logger()


class _Worker:
    """One process. Not for two mails at a time; after any exception it is of no more use."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._into = cast("asyncio.StreamWriter", process.stdin)  # never None: both are asked for as pipes
        self._from = cast("asyncio.StreamReader", process.stdout)
        self.leaving: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Returns once it takes mails. Raises `asyncio.IncompleteReadError` when it ended before."""
        await self._read_frame()

    async def parse(self, raw: bytes) -> Answer:
        """Raises OSError or `asyncio.IncompleteReadError` when it dies of the mail."""
        self._into.write(LENGTH.pack(len(raw)))
        self._into.write(raw)
        await self._into.drain()
        answer: Answer = pickle.loads(await self._read_frame())  # noqa: S301 (our own process wrote it)
        return answer

    async def end(self) -> None:
        """Kill it, and wait until it is gone and its pipes are closed."""
        if self.leaving is not None:
            self.leaving.cancel()
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    def leave(self) -> None:
        """It ends by itself now that nothing will come."""
        self._into.close()

    async def _read_frame(self) -> bytes:
        (length,) = LENGTH.unpack(await self._from.readexactly(LENGTH.size))
        return await self._from.readexactly(length)


class ParseWorkers:
    """See the module. `most` processes at a time; further mails wait, and their time does not run yet."""

    def __init__(self, limits: Limits, most: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._limits = limits
        self._room = asyncio.Semaphore(most)
        self._idle_seconds = idle_seconds
        self._idle: list[_Worker] = []

    @property
    def idle(self) -> list[int]:
        """The process ids of those that wait for a mail."""
        return [worker.pid for worker in self._idle]

    async def parse(self, raw: bytes) -> ParsedMail:
        """Read a mail. Raises `Unreadable` and `Unavailable`."""
        async with self._room:
            for _ in range(TRIES):
                answer = await self._parsed_once(raw)
                if answer is not None:
                    break
        if answer is None:
            raise Unreadable(f"the process that read it died of it, {TRIES} times")
        if answer.mail is None:
            raise Unreadable(answer.reason)
        return answer.mail

    async def close(self) -> None:
        """End those that wait; nothing may be parsed any more."""
        while self._idle:
            await self._idle.pop().end()

    async def _parsed_once(self, raw: bytes) -> Answer | None:
        """None when the process died of it."""
        worker = self._waiting() or await self._started()
        try:
            async with asyncio.timeout(self._limits.parse_seconds):
                answer = await worker.parse(raw)
        except TimeoutError:
            await self._ended(worker, "killed")
            return Answer(None, f"reading it takes longer than parse_seconds={self._limits.parse_seconds:g}")
        except (OSError, asyncio.IncompleteReadError):
            await self._ended(worker, "died")
            return None
        except BaseException:  # cancelled: its answer would be taken for the next mail's
            await worker.end()
            raise
        metrics.MAIL_PARSE_WORKERS.labels("read" if answer.mail is not None else "unreadable").inc()
        self._wait(worker)
        return answer

    async def _ended(self, worker: _Worker, outcome: str) -> None:
        log.warning("mail.parse_worker_ended", outcome=outcome, pid=worker.pid)
        metrics.MAIL_PARSE_WORKERS.labels(outcome).inc()
        await worker.end()

    def _waiting(self) -> _Worker | None:
        if not self._idle:
            return None
        worker = self._idle.pop()
        if worker.leaving is not None:
            worker.leaving.cancel()
        return worker

    def _wait(self, worker: _Worker) -> None:
        self._idle.append(worker)
        loop = asyncio.get_running_loop()
        worker.leaving = loop.call_later(self._idle_seconds, self._leave, worker)

    def _leave(self, worker: _Worker) -> None:
        self._idle.remove(worker)
        worker.leave()

    async def _started(self) -> _Worker:
        command = (sys.executable, "-c", _PROGRAM, self._limits.model_dump_json())
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
            )
        except OSError as fault:
            raise Unavailable("parse worker", str(fault)) from fault
        worker = _Worker(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.ready()
        except (TimeoutError, asyncio.IncompleteReadError) as fault:
            await worker.end()
            raise Unavailable("parse worker", "it does not start") from fault
        except BaseException:
            await worker.end()
            raise
        return worker
