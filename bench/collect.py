"""Collect: mails a second from Dovecot to events that Kafka has acknowledged, beside the bare loop."""

import asyncio
import time
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from aiokafka import AIOKafkaProducer
from imapclient import IMAPClient

from bench.mails import mail
from bench.options import Options
from bench.table import Row
from deploy.local.kafka import Kafka
from deploy.local.mongo import Mongo
from services.ingest.collect import Collector
from services.ingest.cursor import cursor_id
from services.ingest.mailboxes import open_mailbox
from services.sandbox.dovecot import Dovecot
from services.settings import OmbudSettings
from shared.adapters.kafka_bus import KafkaBus
from shared.adapters.kafka_options import KafkaOptions
from shared.domain.events import MAIL_TOPIC
from shared.runtime.settings import KafkaSettings, MailboxSettings, MongoSettings
from shared.runtime.wiring import open_platform

BATCH = 200


async def measure(folder: Path, options: Options) -> list[Row]:
    """Our collector with its lease, cursor and headers, and imapclient's fetch with aiokafka's send alone."""
    kafka, mongo = Kafka(folder / "kafka", None), Mongo(folder / "mongo", None)
    dovecot = Dovecot(folder / "imap", {"support": "secret"})
    for server in (kafka, mongo, dovecot):
        await asyncio.to_thread(server.start)
    try:
        for number in range(options.mails):
            dovecot.deliver("support", mail(number, "support@example.org"))
        host, port = dovecot.imap_address
        await asyncio.to_thread(_warm, host, port)
        async with KafkaBus.open(KafkaOptions(kafka.bootstrap)) as bus:
            await bus.prepare([MAIL_TOPIC])
        bare, ours = [], []
        for turn in range(3):
            bare.append(await _bare(kafka.bootstrap, host, port, f"bare-{turn}"))
            ours.append(await _ours(kafka.bootstrap, mongo.url, host, port, f"ombud{turn}", options.mails))
    finally:
        for server in (dovecot, mongo, kafka):
            await asyncio.to_thread(server.stop)
    return [
        Row(
            "collect, best of 3 turns", max(ours), "mails/s", max(bare), "fetch + send alone", ">= 0.5 of it"
        ),
        Row("collect, worst of 3 turns", min(ours), "mails/s", min(bare), "fetch + send alone"),
    ]


def _warm(host: str, port: int) -> None:
    """Let Dovecot index the mailbox before anybody is timed."""
    with IMAPClient(host, port, ssl=False) as client:
        client.login("support", "secret")
        client.select_folder("INBOX", readonly=True)
        client.fetch(client.search(["ALL"]), ["RFC822.SIZE"])


async def _bare(bootstrap: str, host: str, port: int, topic: str) -> float:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, enable_idempotence=True, linger_ms=5, max_batch_size=256 * 1024
    )
    client = await asyncio.to_thread(partial(IMAPClient, host, port, ssl=False))
    await producer.start()
    try:
        await asyncio.to_thread(client.login, "support", "secret")
        await asyncio.to_thread(client.select_folder, "INBOX", readonly=True)
        uids = await asyncio.to_thread(client.search, ["ALL"])
        await (await producer.send(MAIL_TOPIC, b"warm"))
        started = time.perf_counter()
        sent = []
        for batch in _batched(uids):
            fetched = await asyncio.to_thread(client.fetch, batch, ["BODY.PEEK[]", "INTERNALDATE"])
            for uid, data in fetched.items():
                sent.append(await producer.send(MAIL_TOPIC, data[b"BODY[]"], key=f"{topic}-{uid}".encode()))
        await asyncio.gather(*sent)
        return len(sent) / (time.perf_counter() - started)
    finally:
        await producer.stop()
        await asyncio.to_thread(client.logout)


def _batched(uids: list[int]) -> list[list[int]]:
    return [uids[start : start + BATCH] for start in range(0, len(uids), BATCH)]


async def _ours(bootstrap: str, url: str, host: str, port: int, database: str, mails: int) -> float:
    mailbox = MailboxSettings.model_validate(
        {
            "address": "support@example.org",
            "host": host,
            "port": port,
            "tls": "none",
            "username": "support",
            "password": "secret",
        }
    )
    settings = OmbudSettings.model_validate(
        {
            "kafka": KafkaSettings(bootstrap=bootstrap),
            "mongo": MongoSettings.model_validate({"url": url, "database": database}),
            "mailboxes": {"support": mailbox},
            "secret": "only for this bench, it signs nothing",
        }
    )
    async with AsyncExitStack() as stack:
        wired = await open_platform(settings, stack, "bench")
        await wired.prepare()
        opened = partial(open_mailbox, "support", mailbox, settings.ingest)
        collector = Collector(wired.platform, settings.ingest, "support", opened)
        stop = asyncio.Event()
        started = time.perf_counter()
        running = asyncio.create_task(collector.run(stop))
        cursors = wired.platform.stores.cursors
        while (await cursors.get_many([cursor_id("support")])).get(cursor_id("support"), None) is None:
            await asyncio.sleep(0.01)
        while (await cursors.get(cursor_id("support"))).uid < mails:
            await asyncio.sleep(0.01)
        took = time.perf_counter() - started
        stop.set()
        await running
    return mails / took
