"""What any test may need: a free port, a name of its own, a process that stands still, and waiting for
something with a deadline.
"""

import asyncio
import inspect
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from services.sandbox.process import free_port

__all__ = ["eventually", "eventually_sync", "free_port", "standing_still", "unique"]

POLL_EVERY = 0.02  # seconds


def unique(prefix: str) -> str:
    """A name that no other test, worker or run uses: for topics, groups, databases, users."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


@contextmanager
def standing_still(pid: int) -> Iterator[None]:
    """A process that is frozen (SIGSTOP) for the body of the `with`; ended in there is fine too.

    The signal alone promises nothing yet: threads that run go on until the kernel comes round to them.
    """
    os.kill(pid, signal.SIGSTOP)
    try:
        eventually_sync(lambda: _stands(pid), awaited=f"every thread of {pid} to stand still")
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _stands(pid: int) -> bool:
    """Whether every thread is stopped (proc(5), `stat`); a system without /proc is taken at its word."""
    stats = [task.read_text() for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)


async def eventually(
    predicate: Callable[[], Any | Awaitable[Any]], *, awaited: str = "", within: float = 10.0
) -> Any:
    """Ask until the answer is truthy and return it; fail after `within` seconds, saying what was awaited.

    The predicate may be a plain or an async function. An AssertionError in it counts as "not yet" and is
    shown when the time is up; any other exception is raised at once.
    """
    deadline = time.monotonic() + within
    while True:
        last: Any = None
        try:
            last = predicate()
            if inspect.isawaitable(last):
                last = await last
            if last:
                return last
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(_overdue(predicate, awaited, within, last))
        await asyncio.sleep(POLL_EVERY)


def eventually_sync(predicate: Callable[[], Any], *, awaited: str = "", within: float = 10.0) -> Any:
    """The same for tests without an event loop; the predicate is a plain function."""
    deadline = time.monotonic() + within
    while True:
        last: Any = None
        try:
            last = predicate()
            if last:
                return last
        except AssertionError as not_yet:
            last = not_yet
        if time.monotonic() > deadline:
            raise AssertionError(_overdue(predicate, awaited, within, last))
        time.sleep(POLL_EVERY)


def _overdue(predicate: Callable[[], Any], awaited: str, within: float, last: Any) -> str:
    return f"awaited for {within:g} s: {awaited or _source(predicate)}; the last answer was {last!r}"


def _source(predicate: Callable[[], Any]) -> str:
    try:
        return " ".join(inspect.getsource(predicate).split())
    except (OSError, TypeError):
        return repr(predicate)
