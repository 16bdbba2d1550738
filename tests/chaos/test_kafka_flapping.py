"""A real Kafka that dies, stands still and comes back: row 3 of the test matrix.

Under traffic: nothing that was acknowledged is lost, each key keeps its order, nothing is started again.
While it is down: the mailbox's cursor stays before mails that are not on the bus, and the API reads on.
One broker alone going away under idle clients is in `tests/contract/test_bus_kafka_outages.py`, the whole
product with frozen servers in `tests/story/test_outages.py`.
"""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from deploy.local.kafka import Kafka
from deploy.local.readiness import wait_for_readiness
from services.api.keys import create_key
from services.ingest.cursor import cursor_id
from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.process import Process, free_port
from services.settings import OmbudSettings
from shared.adapters.kafka_bus import KafkaBus
from shared.runtime.settings import KafkaSettings, MongoSettings
from shared.runtime.wiring import open_platform
from shared.stores.stores import Stores
from tests.chaos.harness import seed_of
from tests.chaos.traffic import scene
from tests.contract.bus_adapters import kafka_options
from tests.helpers import eventually, standing_still, unique
from tests.story.programs import mail

FROZEN = 3.0
"""Seconds that the broker stands still: longer than the bus waits for an answer."""
SECRET = "a secret of the tests, and nobody else's"

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300), pytest.mark.xdist_group("kafka flapping")]


async def flap(broker: Kafka, *, kill: bool) -> None:
    """Gone and back, or still and on."""
    if kill:
        broker.kill()
        await asyncio.to_thread(broker.start)
        return
    with standing_still(broker.pid):
        await asyncio.sleep(FROZEN)  # the outage itself; nothing is awaited


async def test_nothing_is_lost_or_out_of_order_while_the_broker_flaps_under_traffic(broker: Kafka) -> None:
    chance = random.Random(seed_of())
    kills = [True, False, chance.random() < 0.5]
    chance.shuffle(kills)
    options = kafka_options(broker.bootstrap, answer_seconds=2.0, silent_seconds=0.5, stop_seconds=5.0)
    async with KafkaBus.open(options) as bus, scene(bus, unique("topic")) as on_stage:
        for kill in kills:
            await flap(broker, kill=kill)
            await on_stage.traffic.goes_on()
        await on_stage.settled()


class Desk:
    """Ingest and the API as processes, and the stores beside them."""

    def __init__(self, folder: Path, client: httpx2.AsyncClient, stores: Stores) -> None:
        self._folder = folder
        self._client = client
        self._stores = stores
        self.maildir = folder / "mail"

    async def tickets(self) -> Counter[str]:
        """How many tickets have this subject, as the API lists them."""
        answer = await self._client.get("/v1/tickets?limit=200")
        assert answer.status_code == 200, answer.text
        return Counter(ticket["subject"] for ticket in answer.json()["data"])

    async def cursor(self) -> int:
        """The UID up to which mail is on the bus."""
        return (await self._stores.cursors.get(cursor_id("support"))).uid

    def ingest_said(self, event: str) -> bool:
        """Whether ingest has logged this."""
        return f'"{event}"' in (self._folder / "ingest.log").read_text()


@asynccontextmanager
async def desk(folder: Path, settings: OmbudSettings) -> AsyncIterator[Desk]:
    """Both processes, ready, until the `with` ends."""
    make_maildir(folder / "mail")
    async with AsyncExitStack() as stack:
        wired = await open_platform(settings, stack, "desk")
        await wired.prepare()
        key = await create_key(wired.platform.stores, wired.platform.clock, "desk", ["*"])
        ports = {name: free_port() for name in ("ingest", "api")}
        for name, port in ports.items():
            log = folder / f"{name}.log"
            environment = told(settings, folder) | {"OMBUD_HTTP__PORT": str(port)}
            process = Process(name, [sys.executable, "-m", "services", name], log, environment=environment)
            process.start()
            stack.push_async_callback(asyncio.to_thread, process.stop)
        await wait_for_readiness({name: (port, folder / f"{name}.log") for name, port in ports.items()})
        client = httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{ports['api']}",
            headers={"authorization": f"Bearer {key}"},
            timeout=10,
        )
        yield Desk(folder, await stack.enter_async_context(client), wired.platform.stores)


def told(settings: OmbudSettings, folder: Path) -> dict[str, str]:
    """The environment of a process with these settings and the mailbox in `folder`."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OMBUD_")}
    return clean | {
        "OMBUD_DATA": str(folder),
        "OMBUD_SECRET": SECRET,
        "OMBUD_KAFKA__BOOTSTRAP": settings.kafka.bootstrap,
        "OMBUD_KAFKA__PARTITIONS": str(settings.kafka.partitions),
        "OMBUD_MONGO__URL": settings.mongo.url.get_secret_value(),
        "OMBUD_MONGO__DATABASE": settings.mongo.database,
        "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@example.com",
        "OMBUD_MAILBOXES__SUPPORT__MAILDIR": str(folder / "mail"),
    }


@pytest.mark.mongo
async def test_while_kafka_is_down_the_cursor_stays_and_the_api_reads_and_afterwards_each_mail_is_a_ticket(
    broker: Kafka, mongo_url: str, mongo_database: str, tmp_path: Path
) -> None:
    fixed: dict[str, Any] = {
        "data": tmp_path,
        "secret": SECRET,
        "kafka": KafkaSettings(bootstrap=broker.bootstrap, partitions=4),
        "mongo": MongoSettings(url=mongo_url, database=mongo_database),
    }
    async with desk(tmp_path, OmbudSettings(**fixed)) as running:
        for number in range(5):
            deliver(running.maildir, mail(f"before-{number}"))
        await eventually(lambda: arrived(running, 5), awaited="the tickets of before", within=30)
        before = await running.cursor()
        broker.kill()
        for number in range(10):
            deliver(running.maildir, mail(f"during-{number}"))
        await eventually(
            lambda: running.ingest_said("bus.publish_waits"), awaited="ingest waits for Kafka", within=40
        )
        assert len(await running.tickets()) == 5
        assert await running.cursor() == before

        await asyncio.to_thread(broker.start)
        await eventually(lambda: arrived(running, 15), awaited="a ticket of each mail", within=60)
        assert set((await running.tickets()).values()) == {1}
        await eventually(lambda: moved_to(running, before + 10), awaited="the cursor moves on", within=20)


async def arrived(running: Desk, count: int) -> bool:
    return len(await running.tickets()) == count


async def moved_to(running: Desk, uid: int) -> bool:
    return await running.cursor() == uid
