"""I8: the resident memory of each process of a trial, looked at now and then.

A process that was started again has another memory: what was seen of its former life is left out.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

EVERY = 2.0
"""Seconds between two looks."""
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1024 / 1024


async def weigh(pids: Callable[[], Mapping[str, int]], into: dict[str, list[tuple[float, float]]]) -> None:
    """Note (seconds, MB) by process until cancelled; `pids` tells which processes there are at the moment."""
    started = time.monotonic()
    known: dict[str, int] = {}
    while True:
        for name, pid in pids().items():
            try:
                megabytes = _resident(pid)
            except (OSError, IndexError):
                continue  # it has just died
            if known.setdefault(name, pid) != pid:
                known[name] = pid
                into.pop(name, None)
            into.setdefault(name, []).append((time.monotonic() - started, megabytes))
        await asyncio.sleep(EVERY)


def _resident(pid: int) -> float:
    """Megabytes in memory. Raises `OSError`, or `IndexError` in the moment of its end."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB
