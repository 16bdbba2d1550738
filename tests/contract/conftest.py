"""The stores and buses that the contract suites run against: every test below runs once on each.

`store` stands for one store on disk. Each `documents()` or `blobs()` of it is opened anew, as another process
would: two of them share nothing but the store.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from shared.adapters.gridfs_blobs import GridfsBlobs
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.ports.blobs import Blobs
from shared.ports.bus import Bus
from shared.ports.documents import Collection, Documents
from tests.contract.bus_adapters import BUSES, Station, station_of
from tests.contract.documents_sample import TASKS, Task


class MongoStore:
    """One database of a real MongoDB."""

    def __init__(self, stack: AsyncExitStack, url: str, database: str) -> None:
        self._stack = stack
        self._url = url
        self._database = database

    async def documents(self) -> Documents:
        return MongoDocuments(await self._open())

    async def blobs(self) -> Blobs:
        return GridfsBlobs(await self._open())

    async def _open(self) -> Mongo:
        return await self._stack.enter_async_context(Mongo.open(self._url, self._database))


class SqliteStore:
    """One SQLite file."""

    def __init__(self, stack: AsyncExitStack, path: Path) -> None:
        self._stack = stack
        self._path = path

    async def documents(self) -> Documents:
        return SqliteDocuments(await self._open())

    async def blobs(self) -> Blobs:
        from shared.adapters.sqlite_blobs import SqliteBlobs

        return SqliteBlobs(await self._open())

    async def _open(self) -> SqliteFile:
        return await self._stack.enter_async_context(SqliteFile.open(self._path))


Store = MongoStore | SqliteStore


@pytest.fixture(params=[pytest.param("mongo", marks=pytest.mark.mongo), "sqlite"])
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Where the store lies: a URL and a database, or a file."""
    if request.param == "mongo":
        return request.getfixturevalue("mongo_url"), request.getfixturevalue("mongo_database")
    return tmp_path / "store.sqlite"


@pytest.fixture
async def store(store_address: Any) -> AsyncIterator[Store]:
    """An empty store; what was opened on it is closed after the test."""
    async with AsyncExitStack() as stack:
        if isinstance(store_address, Path):
            yield SqliteStore(stack, store_address)
        else:
            yield MongoStore(stack, *store_address)


@pytest.fixture
async def documents(store: Store) -> Documents:
    """The store's documents, with the sample collection prepared."""
    documents = await store.documents()
    await documents.prepare([TASKS])
    return documents


@pytest.fixture
def expiring(store_address: Any) -> None:
    """Have MongoDB look every second, not every minute, for what it is to forget."""
    if not isinstance(store_address, Path):
        with MongoClient[dict[str, Any]](store_address[0]) as client:
            client.admin.command({"setParameter": 1, "ttlMonitorSleepSecs": 1})


@pytest.fixture
async def tasks(documents: Documents) -> Collection[Task]:
    """The sample collection."""
    return documents.collection(TASKS)


@pytest.fixture
async def others_tasks(store: Store, documents: Documents) -> Collection[Task]:
    """The same collection as another process sees it."""
    return (await store.documents()).collection(TASKS)


@pytest.fixture
async def blobs(store: Store) -> Blobs:
    """The store's blobs."""
    return await store.blobs()


@pytest.fixture(params=BUSES)
async def station(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Station]:
    """One bus on disk, or on a broker of its own topics; see `Station`."""
    async with station_of(request, tmp_path) as opened:
        yield opened


@pytest.fixture
async def bus(station: Station) -> Bus:
    """The bus as one process has it."""
    return await station.open()
