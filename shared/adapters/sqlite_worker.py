"""A thread that owns one connection and works in batches.

Whoever calls `ask`, `run` or `execute` on the event loop gets a future. All calls of one turn of the loop are
handed over together; the thread takes everything that stands waiting, works it off as one batch, and
answers the whole batch in one turn of the loop. So the cost of changing threads is paid once a batch, and
for a writer so is the cost of making it durable (group commit): while one batch is being synced to the
disk, the next gathers. Nothing waits for a timer. Requests of one kind are worked off together: see `Bulk`.

On failure: each caller gets its own answer. A call that fails changes nothing and disturbs no other: many
that are done together are taken back and halved until the one at fault stands alone. When
the transaction as a whole fails (locked, disk full), every call of the batch raises `Unavailable` and none
of them has happened. A batch whose process is killed has happened wholly or not at all.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future as ThreadFuture
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog

from shared.adapters.sqlite_errors import translate
from shared.domain.errors import Unavailable
from shared.metrics import STORE_SECONDS

LARGEST_BATCH = 1_000
"""Calls in one transaction; more would let the first of them wait too long."""

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")
Value = str | int | float | bytes | None

log = structlog.get_logger()


class Outcome(NamedTuple):
    """What one statement did: the rows it changed (-1 when it changes none) and the rows it returned."""

    changed: int
    rows: list[tuple[Any, ...]]


@dataclass(slots=True)
class Statement:
    """One SQL statement, which SQLite by itself does wholly or not at all."""

    sql: str
    values: Sequence[Value]

    def __call__(self, connection: sqlite3.Connection) -> Outcome:
        """Execute it."""
        cursor = connection.execute(self.sql, self.values)
        rows = cursor.fetchall()
        return Outcome(cursor.rowcount, rows)


Bulk = Callable[[sqlite3.Connection, Sequence[R]], Sequence[A]]
"""Does requests of one kind, and gives the answer to each in their order.

Raises when one of them cannot be done. What it changed is then taken back, and it is called again with fewer
of them; so besides changing the file it must do nothing.
"""


class _Call(NamedTuple):
    bulk: Bulk[Any, Any]
    request: Any
    caller: asyncio.Future[Any]


class _Batch(Protocol):
    def __call__(self, connection: sqlite3.Connection, calls: Sequence[_Call]) -> list[Any]: ...


def read_together(connection: sqlite3.Connection, calls: Sequence[_Call]) -> list[Any]:
    """Work off a batch of reads: each sees all that was committed before it began."""
    return _by_kind(connection, calls, _read)


def write_together(connection: sqlite3.Connection, calls: Sequence[_Call]) -> list[Any]:
    """Work off a batch of writes in one transaction, and answer when it is on the disk."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        answers = _by_kind(connection, calls, _write)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return answers


def _by_kind(
    connection: sqlite3.Connection,
    calls: Sequence[_Call],
    work_off: Callable[[sqlite3.Connection, Bulk[Any, Any], list[Any]], Sequence[Any]],
) -> list[Any]:
    kinds: dict[Bulk[Any, Any], list[int]] = {}
    for place, call in enumerate(calls):
        kinds.setdefault(call.bulk, []).append(place)
    answers: list[Any] = [None] * len(calls)
    for bulk, places in kinds.items():
        found = work_off(connection, bulk, [calls[place].request for place in places])
        for place, answer in zip(places, found, strict=True):
            answers[place] = answer
    return answers


def _read(connection: sqlite3.Connection, bulk: Bulk[R, A], requests: list[R]) -> Sequence[A | Exception]:
    try:
        return bulk(connection, requests)
    except Exception as error:  # noqa: BLE001 (it is the callers' error, and must not end the thread)
        return [error] * len(requests)


def _write(connection: sqlite3.Connection, bulk: Bulk[R, A], requests: list[R]) -> Sequence[A | Exception]:
    connection.execute("SAVEPOINT bulk")
    try:
        answers = bulk(connection, requests)
    except Exception as error:
        if not connection.in_transaction:
            # SQLite gave the transaction up (disk full, input/output error): nobody's write has happened.
            raise error if isinstance(error, sqlite3.Error) else _lost() from error
        connection.execute("ROLLBACK TO bulk")
        connection.execute("RELEASE bulk")
        if len(requests) == 1:
            return [error]
        half = len(requests) // 2
        return [*_write(connection, bulk, requests[:half]), *_write(connection, bulk, requests[half:])]
    if not connection.in_transaction:
        raise _lost()
    connection.execute("RELEASE bulk")
    return answers


def _lost() -> sqlite3.OperationalError:
    return sqlite3.OperationalError("the transaction was lost")


class Worker:
    """One thread, one connection; see the head of this file. Must be made on a running event loop."""

    def __init__(self, name: str, path: Path, connection: sqlite3.Connection, batch: _Batch) -> None:
        self._name = f"sqlite_{name}"
        self._path = path
        self._connection = connection
        self._batch = batch
        self._loop = asyncio.get_running_loop()
        self._waiting: list[_Call] = []
        self._handed: SimpleQueue[list[_Call] | None] = SimpleQueue()
        self._open = True
        self._ended: ThreadFuture[None] = ThreadFuture()
        self._thread = Thread(target=self._live, name=self._name, daemon=True)
        self._thread.start()

    def run(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Let the thread call `job` with its connection, wholly or not at all.

        `job` must not keep the connection, nor wait for anything but SQLite.
        """
        return self.ask(lambda connection, _: [job(connection)], None)

    def execute(self, sql: str, values: Sequence[Value] = ()) -> asyncio.Future[Outcome]:
        """Let the thread execute one statement."""
        return self.run(Statement(sql, values))

    def ask(self, bulk: Bulk[R, A], request: R) -> asyncio.Future[A]:
        """Let the thread do the request, together with others of its kind."""
        if not self._open:
            raise Unavailable("sqlite", "the file is closed")
        caller: asyncio.Future[A] = self._loop.create_future()
        if not self._waiting:
            self._loop.call_soon(self._hand_over)
        self._waiting.append(_Call(bulk, request, caller))
        return caller

    async def close(self) -> None:
        """Answer everybody who waits, then end the thread and close its connection."""
        if self._open:
            self._open = False
            self._hand_over()
            self._handed.put(None)
        await asyncio.wrap_future(self._ended)
        self._thread.join()

    def _hand_over(self) -> None:
        calls, self._waiting = self._waiting, []
        if calls:
            self._handed.put(calls)

    def _live(self) -> None:
        go_on = True
        while go_on:
            calls, go_on = self._take()
            for start in range(0, len(calls), LARGEST_BATCH):
                self._work_off(calls[start : start + LARGEST_BATCH])
        self._connection.close()
        self._ended.set_result(None)

    def _take(self) -> tuple[list[_Call], bool]:
        """All the calls that stand waiting, and whether more may come."""
        taken: list[_Call] = []
        handed = self._handed.get()
        while handed is not None:
            taken.extend(handed)
            try:
                handed = self._handed.get_nowait()
            except Empty:
                return taken, True
        return taken, False

    def _work_off(self, calls: Sequence[_Call]) -> None:
        begun = time.perf_counter()
        try:
            answers = self._batch(self._connection, calls)
        except Exception as error:  # noqa: BLE001 (told to every caller; the thread must live on)
            log.warning("sqlite.batch_failed", calls=len(calls), reason=str(error))
            answers = [error] * len(calls)
        STORE_SECONDS.labels(self._name).observe(time.perf_counter() - begun)
        try:
            self._loop.call_soon_threadsafe(self._answer, calls, answers)
        except RuntimeError:
            # The loop was closed without closing us: nobody is left to hear the answers.
            return

    def _answer(self, calls: Sequence[_Call], answers: Sequence[Any]) -> None:
        for call, answer in zip(calls, answers, strict=True):
            if call.caller.done():
                continue
            if isinstance(answer, Exception):
                call.caller.set_exception(translate(answer, self._path))
            else:
                call.caller.set_result(answer)
