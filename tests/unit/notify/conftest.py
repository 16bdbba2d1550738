"""Stores on a real file, for tests that look at single letters."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.documents import Document, Envelope
from shared.ports.documents import Collection
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores


class Published:
    """A publisher that keeps what it is offered."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    def offer(self, _collection: Collection[Any], document: Document) -> None:
        self.envelopes += [one for one in document.outbox if one not in self.envelopes]


@pytest.fixture
def published() -> Published:
    return Published()


@pytest.fixture
async def stores(tmp_path: Path, published: Published) -> AsyncIterator[Stores]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        documents = SqliteDocuments(file)
        await documents.prepare(COLLECTIONS)
        yield Stores.over(documents, published)
