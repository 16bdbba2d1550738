"""Documents on MongoDB.

Promises what the documents port says, for any number of processes on one database. It needs a replica set
(one member will do): without one there are no repeatable writes, and `prepare` raises `Refused`.

On failure: `Unavailable` when MongoDB does not answer; the same object works again when it is back.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from shared.adapters.mongo import Mongo, calling, patient, suppress_missing_index
from shared.adapters.mongo_collection import MongoCollection
from shared.adapters.mongo_counters import Addition, MongoCounters
from shared.adapters.mongo_shape import index_models, retired_names
from shared.domain.documents import Document
from shared.domain.errors import Duplicate, Refused
from shared.ports.documents import Collection, Spec

D = TypeVar("D", bound=Document)

INDEX_SECONDS = 3600.0
"""How long the building of a collection's indexes may take; it does not block other work."""


class MongoDocuments:
    """`Documents` on an open MongoDB client."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._counters = MongoCounters(mongo)
        self._collections: dict[Spec[Any], MongoCollection[Any]] = {}

    def collection(self, spec: Spec[D]) -> Collection[D]:
        """See the port. All who ask for one collection share its batches."""
        known = self._collections.get(spec)
        if known is None:
            known = self._collections[spec] = MongoCollection(self._mongo, spec)
        return known

    async def prepare(self, specs: Sequence[Spec[Any]]) -> None:
        """See the port. Raises `Refused` without a replica set, and for an index that cannot be made."""
        with calling("prepare"):
            server = await self._mongo.hello()
        if "setName" not in server and server.get("msg") != "isdbgrid":
            raise Refused(
                "MongoDB must be a replica set: start it with --replSet and call rs.initiate() once"
            )
        await asyncio.gather(self._counters.prepare(), *(self._prepare(spec) for spec in specs))

    async def _prepare(self, spec: Spec[Any]) -> None:
        try:
            with calling("prepare"), patient(INDEX_SECONDS):
                await self._mongo.collection(spec.name).create_indexes(index_models(spec))
                await self._drop_retired(spec)
        except Duplicate as error:
            raise Refused(f"documents of {spec.name} break a unique index: {error}") from error

    async def _drop_retired(self, spec: Spec[Any]) -> None:
        stored = self._mongo.collection(spec.name)
        retired = set(retired_names(spec)) & set(await stored.index_information() if spec.retired else ())
        for name in sorted(retired):
            with suppress_missing_index():
                await stored.drop_index(name)

    async def increment(
        self,
        counter: str,
        by: Mapping[str, int],
        once: str | None = None,
        kept_for: float | None = None,
    ) -> dict[str, int]:
        """See the port."""
        return await self._counters.increment(Addition(counter, dict(by), once, kept_for))

    async def counters(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """See the port."""
        return await self._counters.read(names)

    async def set_counter(self, counter: str, to: Mapping[str, int]) -> None:
        """See the port."""
        await self._counters.set(counter, to)

    async def ping(self) -> None:
        """See the port: a real write, confirmed by a majority."""
        with calling("ping"):
            await self._mongo.collection("_ping").update_one(
                {"_id": "ping"}, {"$currentDate": {"at": True}}, upsert=True
            )
