"""The embedded file, and the sample collection in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from tests.unit.adapters.sqlite_documents.parcels import PARCELS, Parcel


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as opened:
        yield opened


@pytest.fixture
async def parcels(file: SqliteFile) -> SqliteCollection[Parcel]:
    documents = SqliteDocuments(file)
    await documents.prepare([PARCELS])
    return documents.collection(PARCELS)
