"""Intake: mails a second from event to saved ticket, beside parsing alone and inserting in bulk alone.

The limits: the same mails parsed and nothing else; and the very documents that intake wrote, raw mails among
them, put into a second, equally indexed place in batches of `BATCH` mails, as durably.
"""

import asyncio
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from bench.mails import mail
from bench.options import Options
from bench.stage import ADDRESS, KINDS, Stage, running, stage
from bench.table import Row
from bench.whole_way import parse_alone
from services.ingest.handlers import Intake
from services.ingest.ports import Fetched, Place
from services.ingest.publish import to_publish
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.events import MAIL_TOPIC
from shared.ports.bus import Record
from shared.runtime.mails import publish
from shared.runtime.service import Reader, Service
from shared.runtime.wiring import EMBEDDED_FILE
from shared.stores.collections import COLLECTIONS

BATCH = 200
COPY = "copy"


async def measure(folder: Path, options: Options) -> list[Row]:
    """Both kinds of store, one after the other."""
    raws = [mail(number, ADDRESS) for number in range(options.mails)]
    rows = []
    for kind in KINDS:
        async with stage(kind, folder / kind) as on:
            await _publish(on, raws)
            ours = len(raws) / await _taken_in(on, len(raws))
            bulk = len(raws) / await (_bulk_sqlite(on) if kind == "SQLite" else _bulk_mongo(on))
        parsed = await asyncio.to_thread(parse_alone, raws)
        rows.append(Row(f"intake, {kind}", ours, "mails/s", parsed, "parse alone, one core"))
        rows.append(Row(f"intake, {kind}", ours, "mails/s", bulk, "bulk insert alone"))
    return rows


async def _publish(on: Stage, raws: list[bytes]) -> None:
    platform = on.wired.platform
    now = platform.clock.now()
    mails = [
        to_publish(Place("support"), 1, Fetched(number, raw, now), now)
        for number, raw in enumerate(raws, start=1)
    ]
    for start in range(0, len(mails), BATCH):
        await publish(platform, mails[start : start + BATCH])


async def _taken_in(on: Stage, mails: int) -> float:
    intake = Intake(on.wired.platform, on.settings.ingest, [ADDRESS])
    begun, done, all_done = 0.0, 0, asyncio.Event()

    async def handle(record: Record) -> None:
        nonlocal begun, done
        begun = begun or time.perf_counter()
        await intake.handle(record)
        done += 1
        if done == mails:
            all_done.set()

    async with running(on, Service("ingest", [Reader(MAIL_TOPIC, "intake", handle)])):
        await all_done.wait()
        return time.perf_counter() - begun


async def _bulk_mongo(on: Stage) -> float:
    url, name = on.settings.mongo.url.get_secret_value(), on.settings.mongo.database
    async with Mongo.open(url, COPY) as target:
        await MongoDocuments(target).prepare(COLLECTIONS)
    return await asyncio.to_thread(_copy_mongo, url, name)


def _copy_mongo(url: str, name: str) -> float:
    raw: Any = CodecOptions(document_class=RawBSONDocument)
    durable = WriteConcern(w="majority", j=True)
    with MongoClient[Any](url) as client:
        source, target = client[name], client[COPY]
        known = {spec.name for spec in COLLECTIONS}
        found: list[tuple[Any, list[Any]]] = []
        for collection in source.list_collection_names():
            if collection.startswith("_"):
                continue  # counters
            into = target.get_collection(collection, write_concern=durable)
            if collection not in known:
                for index in source[collection].list_indexes():
                    into.create_index(list(index["key"].items()))
            documents = list(source.get_collection(collection, codec_options=raw).find())
            if documents:
                found.append((into, documents))
        started = time.perf_counter()
        for into, documents in found:
            for batch in _batches(documents):
                into.insert_many(batch, ordered=False)
        return time.perf_counter() - started


async def _bulk_sqlite(on: Stage) -> float:
    copy = on.folder / "copy.sqlite"
    async with SqliteFile.open(copy) as file:
        await SqliteDocuments(file).prepare(COLLECTIONS)
    return await asyncio.to_thread(_copy_sqlite, on.folder / EMBEDDED_FILE, copy)


def _copy_sqlite(origin: Path, copy: Path) -> float:
    source, target = sqlite3.connect(origin), sqlite3.connect(copy)
    try:
        tables = [*(spec.name for spec in COLLECTIONS), "sys_blobs", "sys_pieces"]
        target.execute("PRAGMA synchronous = FULL")
        work = []
        for table in tables:
            columns = [column[1] for column in source.execute(f"PRAGMA table_info({table})")]
            rows = source.execute(f"SELECT {', '.join(columns)} FROM {table}").fetchall()  # noqa: S608 (our own names)
            places = ", ".join("?" * len(columns))
            sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608 (our own names)
            work += [(sql, batch) for batch in _batches(rows)]
        started = time.perf_counter()
        for sql, batch in work:
            with target:
                target.executemany(sql, batch)
        return time.perf_counter() - started
    finally:
        source.close()
        target.close()


def _batches(rows: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]
