"""The product in this process, on real servers, each behind a proxy that fails as a test tells it to.

All five services as a process builds them, with the adapters for Kafka and MongoDB, reading from Dovecot and
writing to a sink. In the short form they are less patient than in production, for an outage lasts a second
then. What judges a run looks at the servers directly, never through a proxy.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pymongo import MongoClient

from deploy.local.kafka import Kafka
from services.cli.serve import VERBS, builder
from services.ingest.settings import IngestSettings
from services.notify.settings import NotifySettings, RetrySettings
from services.sandbox.smtp_sink import SmtpSink
from services.settings import OmbudSettings
from shared.adapters.gridfs_blobs import GridfsBlobs
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_options import KafkaOptions
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.system_clock import SystemClock
from shared.domain.cause import Cause
from shared.domain.errors import Unavailable
from shared.domain.messages import Direction, Message
from shared.runtime.consumer import Consumer
from shared.runtime.outbox import Relay
from shared.runtime.service import Ping, Platform, Service
from shared.runtime.settings import ConsumerSettings, SmtpSettings
from shared.runtime.wiring import Wired
from shared.stores.stores import Stores
from tests.chaos import oracle
from tests.chaos.evidence import Evidence
from tests.chaos.harness import DRAINED_WITHIN, LONG, size
from tests.chaos.invariants import CHECKS
from tests.chaos.load import TO, Load
from tests.chaos.offsets import DEAD, KafkaOffsets
from tests.helpers import eventually, free_port, unique
from tests.platforms import SECRET
from tests.servers.mailbox import ImapBox, hasty, settings_of
from tests.servers.proxy import FaultProxy

LINKS = ("imap", "smtp", "mongo", "kafka")
NAMED = {"imap": "mailbox support", "smtp": "smtp", "mongo": "mongo", "kafka": "kafka"}
"""What readiness calls a link."""
JUDGED = ("I1", "I2", "I3", "I4", "I5")

RECOVERED_WITHIN = size(60, 180)
"""Seconds from a fault's end. In production a mailbox is tried again after a minute at most, then it has to
be read, and a dead connection is known as one after another minute."""

INGEST = hasty(1.0)
RETRY = RetrySettings(first_pause=0.2, longest_pause=0.5, greylist_pause=0.2)
NOTIFY = NotifySettings(
    connections=4,
    connect_seconds=1,
    answer_seconds=1,
    accept_seconds=1,
    idle_seconds=0.5,
    poll_seconds=0.2,
    lease_seconds=3,
    retry=RETRY,
    undo_seconds=0,
)
CONSUMER = ConsumerSettings(first_pause=0.05, longest_pause=0.5, commit_every=0.2, drain=1.0)
MONGO_SECONDS: dict[str, Any] = {"selection_seconds": 1.0, "answer_seconds": 1.0}
KAFKA_SECONDS: dict[str, Any] = {
    "session_seconds": 4.0,
    "heartbeat_seconds": 0.3,
    "drain_seconds": 1.0,
    "answer_seconds": 1.0,
    "silent_seconds": 0.5,
    "stop_seconds": 2.0,
}
LOOKS = "&heartbeatFrequencyMS=500"
"""How often MongoDB's client looks after the server."""
RELAY_SECONDS: dict[str, Any] = {"sweep_after": 1.0}

if LONG:  # the patience of production
    INGEST, NOTIFY, CONSUMER = (
        IngestSettings(),
        NotifySettings(retry=RETRY, undo_seconds=0),
        ConsumerSettings(),
    )
    MONGO_SECONDS, KAFKA_SECONDS, RELAY_SECONDS, LOOKS = {}, {}, {}, ""


class Linked:
    """The product at work; `links` are its proxies by name, `load` brings mails, letters lie in `outbox`.

    `store` and `ledger` are the database without a proxy, `stores` are the product's own.
    """

    def __init__(
        self,
        *,
        seed: str,
        links: dict[str, FaultProxy],
        load: Load,
        outbox: Path,
        store: oracle.MongoStore,
        ledger: Any,
        stores: Stores,
        pings: dict[str, Ping],
    ) -> None:
        self.seed = seed
        self.links = links
        self.load = load
        self.replies: list[str] = []
        self._outbox = outbox
        self._store = store
        self._ledger = ledger
        self._stores = stores
        self._pings = pings
        self._offsets = KafkaOffsets(f"127.0.0.1:{links['kafka'].port}")

    async def deliver(self, count: int) -> None:
        """The next `count` mails, at once."""
        await asyncio.to_thread(self.load.deliver, self.load.mails(count))

    async def answer(self, count: int) -> None:
        """Answer so many tickets as agents do, those that had the fewest answers first."""
        tickets = [one.ticket for one in (await self._stored()).kept]
        for ticket in sorted(dict.fromkeys(tickets), key=self.replies.count)[:count]:
            await self._answer(ticket)

    async def recovers(self, after: str) -> None:
        """Wait until all is ready and every mail taken in, as it must be soon after a fault (I7)."""

        async def recovered() -> bool:
            entered = await self.taken_in()
            assert entered >= self.load.copies, (
                f"{entered} of {self.load.copies} deliveries are in the ledger"
            )
            for name, ping in self._pings.items():
                assert await _answers(ping), f"not ready: {name}"
            return True

        await eventually(recovered, awaited=f"recovery from {after}", within=RECOVERED_WITHIN)

    async def taken_in(self) -> int:
        """How many deliveries the ledger knows."""
        return await asyncio.to_thread(self._ledger.count_documents, {})

    async def names(self, link: str) -> bool:
        """Whether readiness says that this link is at fault."""
        return not await _answers(self._pings[NAMED[link]])

    async def judge(self) -> None:
        """Wait until nothing is under way any more; fail with everything that is wrong."""
        await eventually(self._done, awaited="nothing under way", within=DRAINED_WITHIN)
        run = await self._evidence()
        wrong = [f"{name}: {one}" for name in JUDGED for one in CHECKS[name](run)]
        wrong += [f"dead: {n} on {topic}" for topic, n in run.dead.items() if n]
        assert run.sent
        assert not wrong, "\n".join(wrong)

    async def _answer(self, ticket: str) -> None:
        number = len(self.replies)
        self.replies.append(ticket)
        cause = Cause(f"api:{ticket}:{number}", "user:bob", SystemClock().now())
        message = Message(
            id=f"msg_reply_{number}",
            ticket_id=ticket,
            direction=Direction.OUTBOUND,
            author="agent",
            text="We look into it.",
            at=cause.at,
        )
        await self._stores.messages.add(message)
        await self._stores.tickets.change(ticket, lambda changed: changed.agent_replied(message.id, cause))

    async def _done(self) -> bool:
        for kind in ("tickets", "letters"):
            assert not await asyncio.to_thread(self._store.unpublished, kind), f"unpublished {kind}"
        waiting = [one for one in (await self._stored()).letters if _waits(one.state, one.automatic)]
        assert not waiting, f"{len(waiting)} letters wait: {waiting[0]}"
        behind = {name: n for name, n in (await self._offsets.lag()).items() if n and not name.endswith(DEAD)}
        assert not behind, f"lag: {behind}"
        return True

    async def _evidence(self) -> Evidence:
        run = await self._stored()
        run.handed = await asyncio.to_thread(oracle.handed, self._outbox)
        run.dead = {name: n for name, n in (await self._offsets.lag()).items() if name.endswith(DEAD)}
        return run

    async def _stored(self) -> Evidence:
        run = Evidence(sent=self.load.sent, replies=self.replies)
        await asyncio.to_thread(oracle.read_store, self._store, run)
        return run


def _waits(state: str, automatic: bool) -> bool:
    """An automatic letter whose answer was lost stays as it is: it may have gone out."""
    return state == "queued" or (state == "sending" and not automatic)


async def _answers(ping: Ping) -> bool:
    try:
        await ping()
    except Unavailable:
        return False
    return True


@asynccontextmanager
async def linked(folder: Path, box: ImapBox, mongo_url: str, seed: str) -> AsyncIterator[Linked]:
    """The product at work in `folder`; stopped in good order at the end. Raises `Refused` without Kafka."""
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(SmtpSink("127.0.0.1", 0, folder / "outbox"))
        servers = {
            "imap": (box.host, box.port),
            "smtp": sink.address,
            "mongo": _place_of(mongo_url),
            "kafka": ("127.0.0.1", free_port()),
        }
        links = {
            name: await stack.enter_async_context(FaultProxy(server, seed=f"{seed} {name}"))
            for name, server in servers.items()
        }
        broker = Kafka(folder / "kafka", servers["kafka"][1], advertised=links["kafka"].port)
        stack.push_async_callback(asyncio.to_thread, broker.stop)
        await asyncio.to_thread(broker.start)
        database = unique("links")
        client = stack.enter_context(MongoClient[dict[str, Any]](mongo_url))
        stack.callback(client.drop_database, database)
        wired = await _wired(stack, broker, _through(mongo_url, links["mongo"].port), database)
        settings = _settings(folder, box, links)
        services = [await builder(name)(wired.platform, settings, stack) for name in VERBS]
        pings = {**wired.pings, **{name: ping for one in services for name, ping in one.pings.items()}}
        async with _at_work(wired, services, pings):
            yield Linked(
                seed=seed,
                links=links,
                load=Load(seed, folder / "sent.jsonl", box.maildir),
                outbox=sink.outbox,
                store=oracle.MongoStore(mongo_url, database),
                ledger=client[database]["ledger"],
                stores=wired.platform.stores,
                pings=pings,
            )


async def _wired(stack: AsyncExitStack, broker: Kafka, url: str, database: str) -> Wired:
    mongo = await stack.enter_async_context(Mongo.open(url, database, **MONGO_SECONDS))
    options = KafkaOptions(broker.bootstrap, partitions=4, **KAFKA_SECONDS)
    bus = await stack.enter_async_context(KafkaBus.open(options))
    documents, relay = MongoDocuments(mongo), Relay(bus, **RELAY_SECONDS)
    platform = Platform(
        clock=SystemClock(),
        bus=bus,
        documents=documents,
        blobs=GridfsBlobs(mongo),
        stores=Stores.over(documents, relay),
        instance="linked",
        secret=SECRET,
    )
    return Wired(platform, relay, {"kafka": bus.ping, "mongo": documents.ping})


def _settings(folder: Path, box: ImapBox, links: dict[str, FaultProxy]) -> OmbudSettings:
    return OmbudSettings(
        data=folder,
        mailboxes={"support": settings_of(box, address=TO, port=links["imap"].port)},
        smtp=SmtpSettings(host="127.0.0.1", port=links["smtp"].port, tls="none"),
        ingest=INGEST,
        notify=NOTIFY,
        consumer=CONSUMER,
    )


@asynccontextmanager
async def _at_work(wired: Wired, services: list[Service], pings: dict[str, Ping]) -> AsyncIterator[None]:
    """Everything that a process runs, but for HTTP and signals; `pings` gets the consumers' too."""
    platform, stop = wired.platform, asyncio.Event()
    await eventually(lambda: _answers(wired.prepare), awaited="topics and indexes", within=60)
    consumers = {
        reader.group: Consumer(reader, platform.bus, platform.clock, CONSUMER, platform.instance)
        for service in services
        for reader in service.readers
    }
    pings |= {f"consumer {name}": consumer.ping for name, consumer in consumers.items()}
    relay = asyncio.create_task(wired.relay.run())
    swept = [(store.spec.name, store.collection) for store in platform.stores.publishing()]
    parts = [
        *(consumer.run(stop) for consumer in consumers.values()),
        *(task(stop) for service in services for task in service.tasks.values()),
        wired.relay.sweep(swept, stop),
    ]
    running = [asyncio.create_task(part) for part in parts]
    try:
        yield
    finally:
        assert not [task for task in running if task.done()], "a part ended by itself"
        stop.set()
        await asyncio.wait_for(asyncio.gather(*running), 30)
        relay.cancel()
        await asyncio.gather(relay, return_exceptions=True)


def _place_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "127.0.0.1", parts.port or 27017


def _through(url: str, port: int) -> str:
    """The same database by way of this loopback port."""
    parts = urlsplit(url)
    login, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{login}{at}127.0.0.1:{port}", query=f"{parts.query}{LOOKS}").geturl()
