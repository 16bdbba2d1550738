"""Memory: each process at rest, and under a steady load, whether it is flat over the last half.

What grows without an end shows as a slope that stays over longer runs; what only fills up (caches, pools, the
allocator's free lists) flattens. Of the servers it is shown as well, but a database's cache may grow as told.
"""

import asyncio
import time
from pathlib import Path

from bench.cluster import Cluster, resident_mb
from bench.counting import counted
from bench.figures import slope
from bench.load import stream
from bench.options import Options
from bench.table import Row
from bench.whole_way import settled
from deploy.local.cluster import SERVICES

AT_REST = 5.0
"""Seconds of quiet before the load."""
SAMPLES = 240
"""Of each process, over the whole load."""

Series = dict[str, list[tuple[float, float]]]


async def measure(folder: Path, options: Options) -> list[Row]:
    """`make cluster` under `rate` mails/s for `minutes`."""
    seconds = options.minutes * 60
    async with Cluster(folder / "data") as running:
        with counted(running) as count:
            await settled(count)
            await asyncio.sleep(AT_REST)
            rest = {name: resident_mb(pid) for name, pid in running.pids.items()}
            before, stop = count(), asyncio.Event()
            sending = asyncio.create_task(stream(running, options.rate, "memory", stop))
            series = await _sampled(running, seconds)
            done = await asyncio.to_thread(count)
            stop.set()
            sent = await sending
    behind = sent - (done.letters - before.letters)
    rows = [Row("mails sent", sent, "mails", note=f"{behind} not answered yet when the last was sent")]
    for name, points in series.items():
        rows += _rows(name, rest[name], points)
    return rows


async def _sampled(running: Cluster, seconds: float) -> Series:
    series: Series = {name: [] for name in running.pids}
    started = time.perf_counter()
    while (now := time.perf_counter() - started) < seconds:
        for name, pid in running.pids.items():
            series[name].append((now, resident_mb(pid)))
        await asyncio.sleep(seconds / SAMPLES)
    return series


def _rows(name: str, rest: float, points: list[tuple[float, float]]) -> list[Row]:
    half = points[len(points) // 2 :]
    an_hour = slope(half) * 3600
    middle = sum(megabytes for _, megabytes in half) / len(half)
    grown = slope(half) * (half[-1][0] - half[0][0]) / middle * 100
    ours = name.removesuffix("-1") in SERVICES
    return [
        Row(f"{name}: largest", max(m for _, m in points), "MB", rest, "at rest"),
        Row(
            f"{name}: last half", an_hour, "MB/h", goal="flat" if ours else "", note=f"{grown:+.1f} % over it"
        ),
    ]
