"""A platform on the embedded adapters, a mailbox and a helpdesk, in a folder of the test's own."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.maildrop import make_maildir
from shared.adapters.sqlite_blobs import SqliteBlobs
from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.system_clock import SystemClock
from shared.domain.documents import Document
from shared.domain.events import TOPICS
from shared.ports.documents import Collection
from shared.runtime.service import Platform
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.unit.ingest.desk import Helpdesk


class NoPublisher:
    """Leaves every outbox as it is, so that tests can look at the events in it."""

    def offer(self, collection: Collection[Any], document: Document) -> None:
        """See `Publisher`."""


async def open_test_platform(folder: Path, stack: AsyncExitStack, instance: str = "tester") -> Platform:
    """A platform on the file in `folder`; several may stand on one."""
    file = await stack.enter_async_context(SqliteFile.open(folder / "ombud.sqlite"))
    documents, bus, blobs = SqliteDocuments(file), SqliteBus(file), SqliteBlobs(file)
    await documents.prepare(COLLECTIONS)
    await bus.prepare(TOPICS)
    stores = Stores.over(documents, NoPublisher())
    return Platform(SystemClock(), bus, documents, blobs, stores, instance, secret=b"s" * 32)


@pytest.fixture
async def platform(tmp_path: Path) -> AsyncIterator[Platform]:
    async with AsyncExitStack() as stack:
        yield await open_test_platform(tmp_path, stack)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty Maildir."""
    return make_maildir(tmp_path / "box")


@pytest.fixture
def helpdesk(platform: Platform) -> Helpdesk:
    return Helpdesk(platform)
