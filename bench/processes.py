"""Each service as a process: seconds from its start to ready, and memory at rest."""

import asyncio
from pathlib import Path

from bench.cluster import Cluster, resident_mb
from bench.options import Options
from bench.table import Row
from deploy.local.cluster import SERVICES

AT_REST = 5.0
"""Seconds of quiet before memory is read."""


async def measure(folder: Path, options: Options) -> list[Row]:
    """Start to ready, one service after the other, then memory after some quiet."""
    rows = []
    async with Cluster(folder / "data") as running:
        await asyncio.sleep(AT_REST)
        for service in SERVICES:
            seconds = await running.restarted(f"{service}-1")
            rows.append(Row(f"{service}: start to ready", seconds, "s", goal="< 3"))
        await asyncio.sleep(AT_REST)
        for name, pid in running.pids.items():
            goal = "< 120" if name.removesuffix("-1") in SERVICES else ""
            rows.append(Row(f"{name}: memory at rest", resident_mb(pid), "MB", goal=goal))
    return rows
