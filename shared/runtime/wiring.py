"""Opens the platform of a process: the adapters that the settings ask for, and the stores over them.

The adapters are imported only when they are used: a process pays in memory for what it runs on.
Opening never waits for a server: one that is missing shows in readiness, and is used when it comes.
"""

import contextlib
import os
import secrets
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared.adapters.system_clock import SystemClock
from shared.domain.errors import Refused
from shared.domain.events import TOPICS
from shared.ports.blobs import Blobs
from shared.ports.bus import Bus
from shared.ports.documents import Documents
from shared.runtime.outbox import Relay
from shared.runtime.service import Ping, Platform
from shared.runtime.settings import KafkaSettings, Settings
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores

DEAD_SUFFIX = ".dead"
EMBEDDED_FILE = "ombud.sqlite"
KEPT_SECRET = Path("secret")
SHORTEST_SECRET = 16


@dataclass(frozen=True)
class Wired:
    """A platform with what only the process needs of it."""

    platform: Platform
    relay: Relay
    pings: dict[str, Ping]

    async def prepare(self) -> None:
        """Make topics, collections and indexes where they are missing. Raises `Unavailable`."""
        await self.platform.bus.prepare([*TOPICS, *(topic + DEAD_SUFFIX for topic in TOPICS)])
        await self.platform.documents.prepare(COLLECTIONS)


async def open_platform(settings: Settings, stack: AsyncExitStack, name: str) -> Wired:
    """The platform for a process called `name`; closed with the stack. Raises `Refused`."""
    clock = SystemClock()
    if settings.embedded:
        bus, documents, blobs = await _embedded(settings, stack)
        pings: dict[str, Ping] = {"store": documents.ping}
    else:
        bus, documents, blobs = await _servers(settings, stack)
        pings = {"kafka": bus.ping, "mongo": documents.ping}
    relay = Relay(bus)
    platform = Platform(
        clock=clock,
        bus=bus,
        documents=documents,
        blobs=blobs,
        stores=Stores.over(documents, relay),
        instance=settings.instance or f"{socket.gethostname()}-{name}",
        secret=_secret(settings),
    )
    return Wired(platform, relay, pings)


async def _embedded(settings: Settings, stack: AsyncExitStack) -> tuple[Bus, Documents, Blobs]:
    from shared.adapters.sqlite_blobs import SqliteBlobs
    from shared.adapters.sqlite_bus import SqliteBus
    from shared.adapters.sqlite_documents import SqliteDocuments
    from shared.adapters.sqlite_file import SqliteFile

    make_folder(settings.data)
    file = await stack.enter_async_context(SqliteFile.open(settings.data / EMBEDDED_FILE))
    return SqliteBus(file), SqliteDocuments(file), SqliteBlobs(file)


async def _servers(settings: Settings, stack: AsyncExitStack) -> tuple[Bus, Documents, Blobs]:
    from shared.adapters.gridfs_blobs import GridfsBlobs
    from shared.adapters.kafka_bus import KafkaBus
    from shared.adapters.kafka_options import KafkaOptions
    from shared.adapters.mongo import Mongo
    from shared.adapters.mongo_documents import MongoDocuments

    url = settings.mongo.url.get_secret_value()
    if not url or not settings.kafka.bootstrap:
        missing = "OMBUD_MONGO__URL" if not url else "OMBUD_KAFKA__BOOTSTRAP"
        raise Refused(f"set {missing} as well: Kafka and MongoDB are used together, or neither (embedded)")
    mongo = await stack.enter_async_context(Mongo.open(url, settings.mongo.database))
    options = KafkaOptions(
        bootstrap=settings.kafka.bootstrap,
        partitions=settings.kafka.partitions,
        replicas=settings.kafka.replication,
        session_seconds=settings.kafka.session_seconds,
        drain_seconds=settings.consumer.drain,
        security=_security(settings.kafka),
    )
    bus = await stack.enter_async_context(KafkaBus.open(options))
    return bus, MongoDocuments(mongo), GridfsBlobs(mongo)


def _security(kafka: KafkaSettings) -> dict[str, Any]:
    """aiokafka's arguments for TLS and SASL; certificates are those the system trusts."""
    security: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.security_protocol.endswith("SSL"):
        security["ssl_context"] = ssl.create_default_context()
    if kafka.security_protocol.startswith("SASL"):
        security["sasl_mechanism"] = kafka.sasl_mechanism
        security["sasl_plain_username"] = kafka.username
        security["sasl_plain_password"] = kafka.password.get_secret_value()
    return security


def make_folder(folder: Path) -> None:
    """Make the folder for our state, for us alone. Raises `Refused`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as fault:
        raise Refused(
            f"cannot use {folder} for data ({fault.strerror}): set OMBUD_DATA to a folder of yours"
        ) from fault


def _secret(settings: Settings) -> bytes:
    """What signs the things we hand out: from the settings, or made once and kept with the embedded data."""
    given = settings.secret.get_secret_value()
    if given:
        if len(given) < SHORTEST_SECRET:
            raise Refused(f"OMBUD_SECRET is too short: give it {SHORTEST_SECRET} random characters or more")
        return given.encode()
    if not settings.embedded:
        raise Refused("set OMBUD_SECRET to 32 random characters, the same for every service")
    kept = settings.data / KEPT_SECRET
    try:
        return _kept_secret(kept)
    except OSError as fault:
        raise Refused(f"cannot use {kept} ({fault.strerror}): let this user read it, or make room") from fault


def known_secret(settings: Settings) -> bytes:
    """The secret as it is now, for those who only look: none is made; empty where there is none to read."""
    given = settings.secret.get_secret_value()
    if given or not settings.embedded:
        return given.encode()
    with contextlib.suppress(OSError):
        return (settings.data / KEPT_SECRET).read_bytes()
    return b""


def _kept_secret(file: Path) -> bytes:
    """The secret in this file; made where it is missing, also when several processes do so at once."""
    if not file.exists():
        part = file.with_name(f"secret.{os.getpid()}")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as written:
            written.write(secrets.token_urlsafe(32))
            written.flush()
            os.fsync(written.fileno())
        with contextlib.suppress(FileExistsError):
            file.hardlink_to(part)
        part.unlink()
    kept = file.read_bytes()
    if len(kept) < SHORTEST_SECRET:
        raise Refused(f"{file} is cut short: restore it from a backup, or remove it for a new one")
    return kept
