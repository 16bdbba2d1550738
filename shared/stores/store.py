"""What every store does, written once over the documents port."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from shared.domain.documents import Document
from shared.domain.errors import Conflict, Duplicate
from shared.ports.documents import BY_ID, Collection, Documents, Filter, Order, Page, Spec

D = TypeVar("D", bound=Document)
G = TypeVar("G", bound=BaseModel)

CONFLICT_TRIES = 100
"""How often a change is decided anew when others save first. Each of these times one of them got through, so
a hundred writers who come at once all do."""

CONFLICT_PAUSE = 0.02
"""Seconds at most between two tries; at first a sixteenth of it. Spread, so that writers fall out of step."""


class Store(Generic[D]):
    """A collection with one way to change a document: read, decide, save, and again if somebody was first."""

    def __init__(self, documents: Documents, spec: Spec[D]) -> None:
        self.spec = spec
        self.collection: Collection[D] = documents.collection(spec)

    async def get(self, doc_id: str) -> D:
        """The document. Raises `NotFound`."""
        return await self.collection.get(doc_id)

    async def get_many(self, doc_ids: Sequence[str]) -> dict[str, D]:
        """Those that exist, by id."""
        return await self.collection.get_many(doc_ids)

    async def add(self, document: D) -> D:
        """Insert it, or return the one that is there under its id: a repeat finds what the first made."""
        if document.version == 0:
            document.version = 1
        try:
            await self.collection.insert(document)
        except Duplicate:
            return await self.collection.get(document.id)
        return document

    async def save(self, document: D, if_version: int) -> None:
        """Replace the document that has version `if_version`. Raises `Conflict`, `NotFound`."""
        await self.collection.replace(document, if_version)

    async def change(self, doc_id: str, decide: Callable[[D], None]) -> D:
        """Read, let `decide` change it, save; when somebody saved first, read and decide again.

        Nothing is written when `decide` left the version as it was. Returns the document as it is now.
        Raises `NotFound`, what `decide` raises, and `Conflict` after `CONFLICT_TRIES` tries.
        """
        for tried in range(CONFLICT_TRIES):
            document = await self.collection.get(doc_id)
            read = document.version
            decide(document)
            if document.version == read:
                return document
            try:
                await self.save(document, if_version=read)
            except Conflict:
                longest = CONFLICT_PAUSE / 16 * 2 ** min(tried, 4)
                await asyncio.sleep(longest * random.random())  # noqa: S311 (nobody gains by guessing it)
                continue
            return document
        raise Conflict(f"{self.spec.name} {doc_id}: others saved first {CONFLICT_TRIES} times in a row")

    async def find(
        self, where: Filter, order: Order = BY_ID, limit: int = 50, after: str | None = None
    ) -> Page[D]:
        """A page; see the port."""
        return await self.collection.find(where, order, limit, after)

    async def count(self, where: Filter) -> int:
        """How many there are; see the port."""
        return await self.collection.count(where)

    async def glance(self, part: type[G], where: Filter, limit: int, after: str = "") -> list[G]:
        """A part of each document; see the port."""
        return await self.collection.glance(part, where, limit, after)


class Publisher(Protocol):
    """Publishes what waits in a document's outbox, soon and in order; the relay is one."""

    def offer(self, collection: Collection[Any], document: Document) -> None:
        """Publish the document's outbox and then empty it; returns at once and never fails.

        What it cannot do now, because the bus is down or the process dies, the sweep does later.
        """
        ...


class PublishingStore(Store[D]):
    """A store whose documents record events: what was saved is offered to the publisher."""

    def __init__(self, documents: Documents, spec: Spec[D], publisher: Publisher) -> None:
        super().__init__(documents, spec)
        self._publisher = publisher

    async def add(self, document: D) -> D:
        """As `Store.add`, and publish."""
        stored = await super().add(document)
        self._publish(stored)
        return stored

    async def save(self, document: D, if_version: int) -> None:
        """As `Store.save`, and publish."""
        await super().save(document, if_version)
        self._publish(document)

    def _publish(self, document: D) -> None:
        if document.outbox:
            self._publisher.offer(self.collection, document)
