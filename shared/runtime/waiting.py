"""Waiting for a time, the word to stop, or work; what is no longer waited for is cancelled."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def wait_until(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after `seconds`.

    Not by `asyncio.wait_for`: in Python 3.11 it forgets a cancellation that comes in the moment of the event.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def first_of(*waits: Coroutine[Any, Any, Any]) -> None:
    """Return as soon as one of them is over; the others are cancelled. Raises nothing of theirs."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Await the work and return True; when told to stop before, cancel it and return False.

    Raises what the work raises.
    """
    task = asyncio.create_task(work)
    try:
        await first_of(asyncio.wait({task}), stop.wait())
        return task.done() and task.result() is None
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
