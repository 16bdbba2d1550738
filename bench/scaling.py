"""Scaling: a handler that waits 2 s for a model, by 1, 2 and 4 replicas, each with `IN_FLIGHT` at once.

What limits it is waiting, so twice the replicas do twice the work on the same cores: in flight / 2 s each.
"""

import asyncio
import time
from pathlib import Path

from bench.model import SlowModel
from bench.options import Options
from bench.replicas import Replicas
from bench.stage import Stage, stage
from bench.table import Row
from shared.ports.bus import Message

MODEL_SECONDS = 2.0
IN_FLIGHT = 8
SIZES = (1, 2, 4)
LEAST_SECONDS = 12.0
"""Of a measurement: several rounds of the model."""
WARMING = 5.0
"""Seconds in which the group settles before anything is counted."""


async def measure(folder: Path, options: Options) -> list[Row]:
    """Records a second for each number of replicas, beside what waiting allows."""
    rows: list[Row] = []
    async with stage("Kafka and MongoDB", folder) as on, SlowModel(MODEL_SECONDS) as model:
        for size in SIZES:
            rate = await _rate(on, model, size, max(LEAST_SECONDS, options.seconds))
            limit = size * IN_FLIGHT / MODEL_SECONDS
            rows.append(Row(f"{size} replicas, a model of 2 s", rate, "/s", limit, "in flight / 2 s"))
            if size > 1:
                grown = rate / (rows[0].figure or rate)
                rows.append(Row("  times one replica", grown, "x", size, "replicas"))
    return rows


async def _rate(on: Stage, model: SlowModel, size: int, seconds: float) -> float:
    topic = f"waiting-{size}"
    bus = on.wired.platform.bus
    await bus.prepare([topic])
    # More than can be done in the time, so that nobody ever waits for work.
    records = int(size * IN_FLIGHT / MODEL_SECONDS * (seconds + WARMING + 30))
    await bus.publish([Message(topic, f"key-{number}", b"%d" % number) for number in range(records)])
    environment = {
        "OMBUD_KAFKA__BOOTSTRAP": on.settings.kafka.bootstrap,
        "OMBUD_KAFKA__PARTITIONS": str(on.settings.kafka.partitions),
        "OMBUD_MONGO__URL": on.settings.mongo.url.get_secret_value(),
        "OMBUD_MONGO__DATABASE": f"scaling{size}",
        "OMBUD_CONSUMER__CONCURRENCY": str(IN_FLIGHT),
        "OMBUD_LOG__LEVEL": "warning",
    }
    arguments = {"topic": topic, "group": topic, "model": model.url}
    async with Replicas(on.folder / topic, arguments, environment) as replicas:
        await replicas.scale(size)
        while not await replicas.ready():
            await asyncio.sleep(0.1)
        await asyncio.sleep(WARMING)
        before, started = model.answered, time.perf_counter()
        await asyncio.sleep(seconds)
        return (model.answered - before) / (time.perf_counter() - started)
