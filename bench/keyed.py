"""Keyed concurrency: a handler that waits 20 ms, by our consumer and by the loop everybody writes first."""

import asyncio
import time
from pathlib import Path

from aiokafka import AIOKafkaConsumer

from bench.options import Options
from bench.table import Row
from deploy.local.kafka import Kafka
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.system_clock import SystemClock
from shared.ports.bus import Message, Record
from shared.runtime.consumer import Consumer
from shared.runtime.service import Reader
from shared.runtime.settings import ConsumerSettings

HANDLER_SECONDS = 0.020
RECORDS = 40_000
SERIAL_RECORDS = 150
IN_FLIGHT = 256


async def measure(folder: Path, options: Options) -> list[Row]:
    """Records a second for both, and of the consumer with a handler that does nothing."""
    kafka = Kafka(folder / "kafka", None)
    await asyncio.to_thread(kafka.start)
    try:
        async with KafkaBus.open(KafkaOptions(kafka.bootstrap)) as bus:
            await bus.prepare(["bench"])
            for start in range(0, RECORDS, 2000):
                numbers = range(start, min(start + 2000, RECORDS))
                await bus.publish(
                    [Message("bench", f"key-{n % 5000}", b"{}", {"n": str(n)}) for n in numbers]
                )
            serial = await _serial(kafka.bootstrap)
            keyed = await _ours(bus, "keyed", HANDLER_SECONDS, RECORDS // 2)
            nothing = await _ours(bus, "nothing", 0.0, RECORDS)
    finally:
        await asyncio.to_thread(kafka.stop)
    ideal = IN_FLIGHT / HANDLER_SECONDS
    return [
        Row("serial loop, handler of 20 ms, commit each", serial, "/s", 1 / HANDLER_SECONDS, "1 / 20 ms"),
        Row(f"consumer, handler of 20 ms, {IN_FLIGHT} in flight", keyed, "/s", ideal, "in flight / 20 ms"),
        Row("… times the serial loop", keyed / serial, "x", goal=">= 100"),
        Row("consumer, handler that does nothing", nothing, "/s"),
    ]


async def _serial(bootstrap: str) -> float:
    consumer = AIOKafkaConsumer(
        "bench",
        bootstrap_servers=bootstrap,
        group_id="serial",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        started, done = 0.0, 0
        async for _ in consumer:
            started = started or time.perf_counter()
            await asyncio.sleep(HANDLER_SECONDS)
            await consumer.commit()
            done += 1
            if done == SERIAL_RECORDS:
                return done / (time.perf_counter() - started)
    finally:
        await consumer.stop()
    return 0.0


async def _ours(bus: KafkaBus, group: str, seconds: float, records: int) -> float:
    stop, done, started = asyncio.Event(), 0, 0.0

    async def handle(_: Record) -> None:
        nonlocal done, started
        started = started or time.perf_counter()
        if seconds:
            await asyncio.sleep(seconds)
        done += 1
        if done == records:
            stop.set()

    settings = ConsumerSettings(concurrency=IN_FLIGHT)
    consumer = Consumer(Reader("bench", group, handle), bus, SystemClock(), settings, "bench")
    running = asyncio.create_task(consumer.run(stop))
    await stop.wait()
    took = time.perf_counter() - started
    await running
    return records / took
