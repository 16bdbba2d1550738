"""Documents on a real file, and a publisher that keeps what it is offered."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.unit.stores.offered import Offered


@pytest.fixture
def offered() -> Offered:
    return Offered()


@pytest.fixture
async def documents(tmp_path: Path) -> AsyncIterator[SqliteDocuments]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        documents = SqliteDocuments(file)
        await documents.prepare(COLLECTIONS)
        yield documents


@pytest.fixture
def stores(documents: SqliteDocuments, offered: Offered) -> Stores:
    return Stores.over(documents, offered)
