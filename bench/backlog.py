"""A backlog: mails that waited in the mailbox while Ombud was down, and how soon all is as before.

Two figures: how fast they are drained (the whole way), and how long after the start new events are young
again: the p99 of their age, by the services' own metrics, below `YOUNG` seconds for good. Meanwhile mail goes
on to come, at `TRICKLE` mails/s: without it nothing would tell how old new events get.
"""

import asyncio
import json
import math
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.client import Client
from bench.cluster import Cluster, Program, Run
from bench.counting import Counted, counted
from bench.load import drop, maildir_of, stream
from bench.mails import mail
from bench.options import Options
from bench.table import Row
from bench.whole_way import settled, until
from deploy.local.cluster import SERVICES

YOUNG = 5.0
"""Seconds; a bound of the histogram's buckets."""
TRICKLE = 5.0
LOOK_EVERY = 1.0
"""Seconds of events that one p99 is taken of."""
AFTERWARDS = 10.0
"""Seconds that it goes on to be looked at when the backlog is drained."""

_BUCKET = re.compile(r"^ombud_event_age_seconds_bucket\{(.*)\} (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Buckets = dict[tuple[str, float], float]
"""Events so far, by group and the age that they were not above."""


@dataclass
class _Ages:
    """How old events were, second by second."""

    worst: float = 0.0
    last_old: float = 0.0
    """When a second's p99 was last above `YOUNG`; seconds from the start."""


async def embedded(folder: Path, options: Options) -> list[Row]:
    """On `make run`."""
    return await _measured(partial(Run, folder / "data"), options, "embedded")


async def cluster(folder: Path, options: Options) -> list[Row]:
    """On `make cluster`."""
    return await _measured(partial(Cluster, folder / "data"), options, "cluster")


async def _measured(make: Callable[[], Program], options: Options, name: str) -> list[Row]:
    async with make() as running:
        with counted(running) as count:
            await settled(count)
    since = datetime.now(UTC)
    raws = [mail(number, running.ready["address"], "backlog") for number in range(options.mails)]
    await asyncio.to_thread(drop, maildir_of(running), raws)
    async with make() as running:
        with counted(running, since) as count:
            return await _drained(running, count, options.mails, name)


async def _drained(running: Program, count: Callable[[], Counted], mails: int, name: str) -> list[Row]:
    stop, ages, started = asyncio.Event(), _Ages(), time.perf_counter()
    at_start = count()
    tasks = [
        asyncio.create_task(stream(running, TRICKLE, "trickle", stop)),
        asyncio.create_task(_look_at_ages(_urls(running), ages, started, stop)),
    ]
    await until(count, Counted(mails, 0, mails))
    drained = time.perf_counter() - started
    while time.perf_counter() - started < max(drained, ages.last_old) + AFTERWARDS:
        await asyncio.sleep(LOOK_EVERY)
    stop.set()
    await asyncio.gather(*tasks)
    rate = (mails - at_start.letters) / drained
    young = Row(f"{name}: p99 of events' age below {YOUNG:g} s again, for good, after", ages.last_old, "s")
    return [
        Row(f"{name}: backlog of {mails:,}, drained", rate, "mails/s", goal="as the whole way"),
        Row(f"{name}: … in, from ready", drained, "s", note=f"started in {running.started_in:.1f} s"),
        young,
        Row(f"{name}: oldest p99 of a second (upper bound of its bucket)", ages.worst, "s"),
    ]


def _urls(running: Program) -> list[str]:
    """Where the services answer `/metrics`."""
    ports = Path(running.ready["outbox"]).parent / "ports.json"
    if not ports.exists():
        return [running.ready["api"]]
    services = {f"{service}-1" for service in SERVICES}
    return [f"http://127.0.0.1:{p}" for name, p in json.loads(ports.read_text()).items() if name in services]


async def _look_at_ages(urls: list[str], ages: _Ages, started: float, stop: asyncio.Event) -> None:
    last: Buckets = {}
    while not stop.is_set():
        await asyncio.sleep(LOOK_EVERY)
        now: Buckets = {}
        for url in urls:
            async with Client(url) as client:
                now |= _buckets((await client.get("/metrics")).decode())
        for age in _p99s(now, last):
            ages.worst = max(ages.worst, age)
            if age > YOUNG:
                ages.last_old = time.perf_counter() - started
        last = now


def _buckets(text: str) -> Buckets:
    return {
        (labels["group"], float(labels["le"])): float(number)
        for labels, number in ((dict(_LABEL.findall(one[1])), one[2]) for one in _BUCKET.finditer(text))
    }


def _p99s(now: Buckets, before: Buckets) -> Iterator[float]:
    """For each group that did something in between: the bucket that the p99 of the ages falls into."""
    for group in {group for group, _ in now}:
        fresh = {le: number - before.get((group, le), 0.0) for (g, le), number in now.items() if g == group}
        if fresh[math.inf] > 0:
            yield min(le for le, number in fresh.items() if number >= 0.99 * fresh[math.inf])
