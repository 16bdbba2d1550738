"""The one file of the embedded adapters: documents, blobs and bus side by side.

A write that was answered is on the disk (`synchronous=FULL`, write-ahead log) and is seen by every read
that begins afterwards. One thread writes, in group commits. One statement that reads a few rows by id is
executed on the event loop itself: it takes some microseconds, less than changing threads and back. Two
threads read what may take longer: one what others wait for, as the bus, one searches. A second process may
open the same file.

On failure: what is wrong at opening is `Refused` with what to do (not a database of Ombud, written by a
newer version, read-only, locked, damaged). Later a lock held for longer than `patience`, or a full disk, is
`Unavailable`: nothing of that transaction was written, and trying again is safe.
"""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

from shared.adapters.sqlite_errors import opening, result_code, translate
from shared.adapters.sqlite_migrations import MIGRATIONS
from shared.adapters.sqlite_worker import (
    Bulk,
    Outcome,
    Statement,
    Value,
    Worker,
    read_together,
    write_together,
)
from shared.domain.errors import Refused, Unavailable

PATIENCE = 5.0
"""Seconds to wait for another process's lock."""

OLDEST_SQLITE = (3, 35, 0)
"""The first that knows RETURNING."""

_APPLICATION = 0x4F6D6264  # "Ombd": marks the file as ours, see https://www.sqlite.org/pragma.html
_CHECKPOINT_PAGES = 4_000  # 16 MiB of log before it is copied into the file
_LOG_BYTES_KEPT = 64 * 1024 * 1024
_CACHE_KIB = 8 * 1024
_PING = """INSERT INTO sys_counters (counter, name, value) VALUES ('ping', '', 1)
           ON CONFLICT DO UPDATE SET value = value + 1"""

A = TypeVar("A")
R = TypeVar("R")
T = TypeVar("T")


class SqliteFile:
    """An open file. Made by `open`; for use on one event loop."""

    def __init__(
        self, path: Path, near: sqlite3.Connection, writer: Worker, reader: Worker, searcher: Worker
    ) -> None:
        self.path = path
        self._near = near
        self._writer = writer
        self._reader = reader
        self._searcher = searcher
        self.closed = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, patience: float = PATIENCE, most_pages: int | None = None
    ) -> AsyncIterator["SqliteFile"]:
        """Open the file, made with its folder where missing, and close it again at the end.

        `most_pages`: a ceiling for the file's size, in pages of 4 KiB; beyond it the disk counts as full.
        Raises `Refused`.
        """
        connections = await asyncio.to_thread(_connect_all, path, patience, most_pages)
        writer = Worker("writer", path, connections[0], write_together)
        reader = Worker("reader", path, connections[1], read_together)
        searcher = Worker("searcher", path, connections[2], read_together)
        file = cls(path, connections[3], writer, reader, searcher)
        try:
            yield file
        finally:
            file.closed = True
            connections[3].close()
            # The writer goes last: SQLite lets the last connection fold the log into the file.
            await reader.close()
            await searcher.close()
            await writer.close()

    def write(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `job` in the next group commit, wholly or not at all; its result once it is durable."""
        return self._writer.run(job)

    def execute(self, sql: str, values: Sequence[Value] = ()) -> asyncio.Future[Outcome]:
        """Execute one writing statement in the next group commit."""
        return self._writer.execute(sql, values)

    def together(self, bulk: Bulk[R, A], request: R) -> asyncio.Future[A]:
        """Do a writing request with all others of its kind that stand waiting, in the next group commit."""
        return self._writer.ask(bulk, request)

    def read(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run a short reading job: by id, or in order from a known place."""
        return self._reader.run(job)

    async def fetch(self, sql: str, values: Sequence[Value] = ()) -> Outcome:
        """Execute one statement that reads a few rows by id or index."""
        if self.closed:
            raise Unavailable("sqlite", "the file is closed")
        statement = Statement(sql, values)
        try:
            return statement(self._near)
        except Exception as error:
            if isinstance(error, sqlite3.Error) and result_code(error) == sqlite3.SQLITE_BUSY:
                # Readers wait for nobody, unless somebody recovers or removes the log: then, off the loop.
                return await self._reader.run(statement)
            raise translate(error, self.path) from error

    def search(self, job: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run a reading job that may take long, beside the short ones."""
        return self._searcher.run(job)

    async def ping(self) -> None:
        """Return if the file takes writes. Raises `Unavailable`."""
        # A write that changes nothing would succeed on a full disk too.
        await self.execute(_PING)


def _connect_all(path: Path, patience: float, most_pages: int | None) -> list[sqlite3.Connection]:
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise Refused(
            f"SQLite {sqlite3.sqlite_version} is too old: use a Python built with {oldest} or newer"
        )
    with opening(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        made: list[sqlite3.Connection] = []
        try:
            made.append(_connect_writer(path, patience, most_pages))
            made.extend(_connect_reader(path, patience) for _ in range(2))
            made.append(_connect_reader(path, patience=0))
        except BaseException:
            for connection in made:
                connection.close()
            raise
        return made


def _connect(path: Path, patience: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=patience, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _connect_reader(path: Path, patience: float) -> sqlite3.Connection:
    connection = _connect(path, patience)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connect_writer(path: Path, patience: float, most_pages: int | None) -> sqlite3.Connection:
    connection = _connect(path, patience)
    try:
        _recognise(connection, path)
        _keep_trying(lambda: _use_log(connection, path), patience)
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES_KEPT}")
        if most_pages is not None:
            connection.execute(f"PRAGMA max_page_count = {most_pages}")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _recognise(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not ours before anything in it is changed."""
    # In one transaction, or another process could make its tables between the two.
    connection.execute("BEGIN")
    application = _number(connection, "PRAGMA application_id")
    tables = _number(connection, "SELECT count(*) FROM sqlite_schema")
    connection.execute("COMMIT")
    if application != _APPLICATION and (application != 0 or tables != 0):
        raise Refused(f"{path} is a database of another program: name another file")


def _use_log(connection: sqlite3.Connection, path: Path) -> None:
    with closing(connection.execute("PRAGMA journal_mode = WAL")) as cursor:
        (mode,) = cursor.fetchone()
    if mode != "wal":
        raise Refused(f"{path} lies where SQLite cannot keep a write-ahead log: name a file on a local disk")


def _keep_trying(step: Callable[[], None], patience: float) -> None:
    """SQLite does not wait by itself when two processes switch a new file to the log at once."""
    deadline = time.monotonic() + patience
    while True:
        try:
            return step()
        except sqlite3.OperationalError as error:
            if result_code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _number(connection, "PRAGMA user_version")
        _refuse_newer(version, path)
        for migration in MIGRATIONS[version:]:
            for statement in migration:
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {_APPLICATION}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _refuse_newer(version: int, path: Path) -> None:
    if version > len(MIGRATIONS):
        raise Refused(
            f"{path} was written by a newer version of Ombud (its tables are number {version}, this one knows"
            f" {len(MIGRATIONS)}): start that version, or restore a backup made by this one"
        )


def _number(connection: sqlite3.Connection, sql: str) -> int:
    (number,) = connection.execute(sql).fetchone()
    return int(number)
