"""Work on what strangers wrote is done in processes apart, so that none of it can hold up or end this one.

A process is started when the first question comes and leaves when none has come for a while. One that takes
longer than it may is killed and the question `TookTooLong`; one that processes died of twice is `Unreadable`.
No process outlives this one: each watches its input (worker_process.py). The processes are given no secrets:
their environment holds what Python needs to start.

Raises `Unavailable` when no process can be started, which says nothing of the question.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import structlog

from shared.domain.errors import TookTooLong, Unavailable, Unreadable
from shared.runtime.worker_process import LENGTH

START_SECONDS = 30.0
IDLE_SECONDS = 60.0
TRIES = 2
"""A process may also be ended by something else, once."""

_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Work:
    """What the processes do. `program` is Python that ends in `serve`; it finds `argument` in `sys.argv[1]`.

    `name` is said in logs and errors; `ended` is told `killed` or `died` when a process ended of a question.
    """

    name: str
    program: str
    argument: str
    seconds: float
    ended: Callable[[str], None]


class _Worker:
    """One process. Not for two questions at a time; after any exception it is of no more use."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._into = cast("asyncio.StreamWriter", process.stdin)  # never None: both are asked for as pipes
        self._from = cast("asyncio.StreamReader", process.stdout)
        self.leaving: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int:
        return self._process.pid

    async def ready(self) -> None:
        """Returns once it takes questions. Raises `asyncio.IncompleteReadError` when it ended before."""
        await self._read_frame()

    async def ask(self, question: bytes) -> bytes:
        """Raises OSError or `asyncio.IncompleteReadError` when it dies of the question."""
        self._into.write(LENGTH.pack(len(question)))
        self._into.write(question)
        await self._into.drain()
        return await self._read_frame()

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


class Workers:
    """See the module. `most` processes at a time; further questions wait, and their time does not run yet."""

    def __init__(self, work: Work, most: int, idle_seconds: float = IDLE_SECONDS) -> None:
        self._work = work
        self._room = asyncio.Semaphore(most)
        self._idle_seconds = idle_seconds
        self._idle: list[_Worker] = []

    @property
    def idle(self) -> list[int]:
        """The process ids of those that wait for a question."""
        return [worker.pid for worker in self._idle]

    async def ask(self, question: bytes) -> bytes:
        """The answer. Raises `TookTooLong`, `Unreadable` and `Unavailable`."""
        async with self._room:
            for _ in range(TRIES):
                answer = await self._asked_once(question)
                if answer is not None:
                    return answer
        raise Unreadable(f"the process that read it died of it, {TRIES} times")

    async def close(self) -> None:
        """End those that wait; nothing may be asked any more."""
        while self._idle:
            await self._idle.pop().end()

    async def _asked_once(self, question: bytes) -> bytes | None:
        """None when the process died of it."""
        worker = self._waiting() or await self._started()
        try:
            async with asyncio.timeout(self._work.seconds):
                answer = await worker.ask(question)
        except TimeoutError as fault:
            await self._ended(worker, "killed")
            raise TookTooLong(f"it takes longer than {self._work.seconds:g} s") from fault
        except (OSError, asyncio.IncompleteReadError):
            await self._ended(worker, "died")
            return None
        except BaseException:  # cancelled: its answer would be taken for the next question's
            await worker.end()
            raise
        self._wait(worker)
        return answer

    async def _ended(self, worker: _Worker, outcome: str) -> None:
        log.warning("worker.ended", worker=self._work.name, outcome=outcome, pid=worker.pid)
        self._work.ended(outcome)
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
        command = (sys.executable, "-c", self._work.program, self._work.argument)
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=PIPE, stdout=PIPE, env=environment, start_new_session=True
            )
        except OSError as fault:
            raise Unavailable(self._work.name, str(fault)) from fault
        worker = _Worker(process)
        try:
            async with asyncio.timeout(START_SECONDS):
                await worker.ready()
        except (TimeoutError, asyncio.IncompleteReadError) as fault:
            await worker.end()
            raise Unavailable(self._work.name, "it does not start") from fault
        except BaseException:
            await worker.end()
            raise
        return worker
