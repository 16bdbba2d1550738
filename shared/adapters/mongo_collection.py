"""A collection of documents in MongoDB.

Single operations are gathered into bulk calls, each caller getting its own outcome by the index in the bulk
answer. An unordered bulk call goes on behind a write that failed, so one caller's error is never another's; a
document that cannot be encoded fails before it gets into a batch.

When MongoDB does not answer, everyone in the batch gets `Unavailable`, and the write may have happened or
not. The driver repeats a write once by itself, under a number by which the server knows it again, so a lost
answer alone makes no false `Duplicate` or `Conflict`.
"""

import secrets
from collections.abc import Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from bson.raw_bson import RawBSONDocument
from pydantic import BaseModel
from pymongo import ASCENDING, InsertOne, UpdateMany, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.gather import Gatherer
from shared.adapters.mongo import Mongo, calling, encoded, ours_by_index
from shared.adapters.mongo_filters import Query, all_of, behind, mark_of, query_of, sort_of
from shared.adapters.mongo_search import searched, words_of
from shared.adapters.mongo_shape import CLAIM, OUTBOX_SINCE, document_of, fields_of, path
from shared.domain.documents import Document
from shared.domain.errors import Conflict, NotFound, OmbudError, Unavailable, UndeclaredFilter
from shared.ports.documents import BY_ID, Filter, Order, Page, Spec

D = TypeVar("D", bound=Document)
G = TypeVar("G", bound=BaseModel)

Stored = dict[str, Any]

IDS_AT_ONCE = 500
"""Ids that one caller of `get_many` puts into one query."""

_IMMUTABLE_FIELD = 66

# An update that finds no document of this version would insert one; as an `_id` cannot be changed, this makes
# the server refuse it, and say so by its index. Otherwise it tells only how many of a bulk call matched.
_NEVER_INSERT = {"$setOnInsert": {"_id": 0}}

Clearing = tuple[str, frozenset[str]]


class MongoCollection(Generic[D]):
    """`Collection` on MongoDB; made by `MongoDocuments.collection`."""

    def __init__(self, mongo: Mongo, spec: Spec[D]) -> None:
        self._spec = spec
        self._stored = mongo.collection(spec.name)
        self._gets: Gatherer[Sequence[str], dict[str, Stored]] = mongo.gatherer(self._get_all)
        self._inserts: Gatherer[RawBSONDocument, None] = mongo.gatherer(self._insert_all)
        self._replaces: Gatherer[tuple[str, UpdateOne], None] = mongo.gatherer(self._replace_all)
        self._deletes: Gatherer[str, None] = mongo.gatherer(self._delete_all)
        self._clearings: Gatherer[Clearing, None] = mongo.gatherer(self._clear_all)

    async def get(self, doc_id: str) -> D:
        """See the port."""
        found = await self._gets.ask((doc_id,))
        if doc_id not in found:
            raise self._not_found(doc_id)
        return self._read(found[doc_id])

    async def get_many(self, doc_ids: Sequence[str]) -> dict[str, D]:
        """See the port."""
        found: dict[str, Stored] = {}
        for start in range(0, len(doc_ids), IDS_AT_ONCE):
            found |= await self._gets.ask(doc_ids[start : start + IDS_AT_ONCE])
        return {doc_id: self._read(stored) for doc_id, stored in found.items()}

    async def insert(self, document: D) -> None:
        """See the port. Raises `Invalid` for what BSON cannot hold."""
        await self._inserts.ask(encoded(fields_of(document)))

    async def replace(self, document: D, if_version: int) -> None:
        """See the port. A field that no model declares stays when `document` does not have it.

        Raises `Invalid` for what BSON cannot hold.
        """
        if document.version <= if_version:
            raise ValueError(
                f"version {document.version} does not follow {if_version}: raise it before saving"
            )
        fields = fields_of(document)
        doc_id = fields.pop("_id")
        change: Query = {"$set": encoded(fields), **_NEVER_INSERT}
        if OUTBOX_SINCE not in fields:
            change["$unset"] = {OUTBOX_SINCE: True}
        write = UpdateOne({"_id": doc_id, "version": if_version}, change, upsert=True)
        await self._replaces.ask((doc_id, write))

    async def delete(self, doc_id: str) -> None:
        """See the port."""
        await self._deletes.ask(doc_id)

    async def clear_outbox(self, doc_id: str, event_ids: Sequence[str]) -> None:
        """See the port."""
        await self._clearings.ask((doc_id, frozenset(event_ids)))

    async def unpublished(self, older_than: float, limit: int) -> list[D]:
        """See the port; the time of a write is told by the clock of the process that made it."""
        if limit < 1:
            return []
        waiting = {OUTBOX_SINCE: {"$lt": datetime.now(UTC) - timedelta(seconds=older_than)}}
        with calling("unpublished"):
            cursor = self._stored.find(waiting).sort([(OUTBOX_SINCE, ASCENDING)]).limit(limit)
            stored = await cursor.to_list(length=limit)
        return [self._read(one) for one in stored]

    async def find(
        self, where: Filter, order: Order = BY_ID, limit: int = 50, after: str | None = None
    ) -> Page[D]:
        """See the port."""
        conditions = query_of(self._spec, where)
        sort = sort_of(self._spec, order)
        if after is not None:
            conditions.append(behind(order, after))
        if limit < 1:
            return Page()
        with calling("find"):
            cursor = self._stored.find(all_of(conditions)).sort(sort).limit(limit + 1)
            stored = await cursor.to_list(length=limit + 1)
        more = len(stored) > limit
        items = [self._read(one) for one in stored[:limit]]
        return Page(items, mark_of(order, stored[limit - 1]) if more else None)

    async def count(self, where: Filter) -> int:
        """See the port."""
        chosen = all_of(query_of(self._spec, where))
        with calling("count"):
            return int(await self._stored.count_documents(chosen))

    async def glance(self, part: type[G], where: Filter, limit: int, after: str = "") -> list[G]:
        """See the port. The ids alone are read from their index, without a look at the documents."""
        chosen = all_of([*query_of(self._spec, where), {"_id": {"$gt": after}}])
        if limit < 1:
            return []
        fields = dict.fromkeys(map(path, part.model_fields), 1)
        with calling("glance"):
            cursor = self._stored.find(chosen, fields).sort([("_id", ASCENDING)]).limit(limit)
            stored = await cursor.batch_size(limit).to_list(length=limit)
        return [document_of(part, one) for one in stored]

    async def search(self, text: str, where: Filter | None = None, limit: int = 50) -> list[D]:
        """See the port."""
        conditions = query_of(self._spec, where)
        words = words_of(text)
        if not words or not self._spec.text or limit < 1:
            return []
        with calling("search"):
            found = await searched(self._stored, words, self._spec.text, all_of(conditions), limit)
        return [self._read(stored) for stored in found]

    async def claim(self, now: datetime, lease: float, limit: int, where: Filter | None = None) -> list[D]:
        """See the port."""
        if not self._spec.claimable:
            raise UndeclaredFilter(f"{self._spec.name} is not claimable")
        due = all_of([{"wake_at": {"$lte": now}}, *query_of(self._spec, where)])
        by_time = [("wake_at", ASCENDING), ("_id", ASCENDING)]
        while limit > 0:
            with calling("claim"):
                candidates = (
                    await self._stored.find(due, {"_id": 1}).sort(by_time).limit(limit).to_list(length=limit)
                )
            if not candidates:
                break
            # When others took all of these meanwhile, there may be more behind them.
            if claimed := await self._take(
                [one["_id"] for one in candidates], due, now + timedelta(seconds=lease)
            ):
                return claimed
        return []

    async def _take(self, doc_ids: list[str], due: Query, until: datetime) -> list[D]:
        """Those of the documents that are due still, now claimed under a token of ours, in this order."""
        token = secrets.token_hex(8)
        change = {"$set": {"wake_at": until, CLAIM: token}, "$inc": {"version": 1}}
        with calling("claim"):
            answer = await self._stored.update_many({"_id": {"$in": doc_ids}, **due}, change)
            if not answer.matched_count:
                return []
            ours = self._stored.find({"_id": {"$in": doc_ids}, CLAIM: token})
            claimed = {stored["_id"]: stored for stored in await ours.to_list(length=None)}
        return [self._read(claimed[doc_id]) for doc_id in doc_ids if doc_id in claimed]

    async def _get_all(self, wanted: list[Sequence[str]]) -> list[dict[str, Stored] | BaseException]:
        ids = list({doc_id for doc_ids in wanted for doc_id in doc_ids})
        with calling("get"):
            stored = await self._stored.find({"_id": {"$in": ids}}).to_list(length=None)
        found = {one["_id"]: one for one in stored}
        given: set[str] = set()
        answers: list[dict[str, Stored] | BaseException] = []
        for doc_ids in wanted:
            # Each caller gets a document of its own, to change as it likes.
            answers.append({i: deepcopy(found[i]) if i in given else found[i] for i in doc_ids if i in found})
            given.update(doc_ids)
        return answers

    async def _insert_all(self, documents: list[RawBSONDocument]) -> list[BaseException | None]:
        try:
            with calling("insert"):
                await self._stored.bulk_write([InsertOne(document) for document in documents], ordered=False)
        except BulkWriteError as error:
            errors = ours_by_index(error)
            return [errors.get(number) for number in range(len(documents))]
        return [None] * len(documents)

    async def _replace_all(self, wanted: list[tuple[str, UpdateOne]]) -> list[BaseException | None]:
        try:
            with calling("replace"):
                await self._stored.bulk_write([write for _, write in wanted], ordered=False)
        except BulkWriteError as error:
            errors: dict[int, OmbudError] = ours_by_index(error)
            writes = error.details["writeErrors"]
            stale = {
                one["index"]: wanted[one["index"]][0] for one in writes if one["code"] == _IMMUTABLE_FIELD
            }
            errors |= await self._conflicts(stale)
            return [errors.get(number) for number in range(len(wanted))]
        return [None] * len(wanted)

    async def _conflicts(self, stale: Mapping[int, str]) -> dict[int, OmbudError]:
        """For documents that had not the version expected: whether there is another one or none."""
        if not stale:
            return {}
        try:
            with calling("get"):
                stored = await self._stored.find({"_id": {"$in": list(stale.values())}}, {"_id": 1}).to_list(
                    length=None
                )
        except Unavailable as error:
            return dict.fromkeys(stale, error)
        there = {one["_id"] for one in stored}
        return {
            number: Conflict(f"{self._spec.name} {doc_id} was saved by somebody else first")
            if doc_id in there
            else self._not_found(doc_id)
            for number, doc_id in stale.items()
        }

    async def _delete_all(self, doc_ids: list[str]) -> list[BaseException | None]:
        with calling("delete"):
            await self._stored.delete_many({"_id": {"$in": doc_ids}})
        return [None] * len(doc_ids)

    async def _clear_all(self, wanted: list[Clearing]) -> list[BaseException | None]:
        doc_ids = sorted({doc_id for doc_id, _ in wanted})
        event_ids = sorted(frozenset().union(*(ids for _, ids in wanted)))
        with calling("clear_outbox"):
            await self._stored.bulk_write(_clearing(doc_ids, event_ids))
        return [None] * len(wanted)

    def _read(self, stored: Stored) -> D:
        return document_of(self._spec.model, stored)

    def _not_found(self, doc_id: str) -> NotFound:
        return NotFound(f"there is no {self._spec.name} {doc_id}")


def _clearing(doc_ids: list[str], event_ids: list[str]) -> list[UpdateMany]:
    """Empty the outboxes that hold nothing but these events; take the events out of the others.

    Two statements for all documents, and of operators: for an update by a pipeline the server computes the
    keys of every index anew. A document whose outbox is emptied is no longer one that waits.
    """
    something_else = {"outbox": {"$elemMatch": {"id": {"$nin": event_ids}}}}
    theirs = {"_id": {"$in": doc_ids}, "outbox.id": {"$in": event_ids}}
    return [
        UpdateMany(
            {**theirs, "$nor": [something_else]}, {"$set": {"outbox": []}, "$unset": {OUTBOX_SINCE: True}}
        ),
        UpdateMany({**theirs, **something_else}, {"$pull": {"outbox": {"id": {"$in": event_ids}}}}),
    ]
