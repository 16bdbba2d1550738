"""Blobs in MongoDB: a small one is one document, a large one lies in the layout of GridFS.

- A blob of up to `SMALL` bytes, as most mails are, is a document of `small_blobs` whose id is its digest.
  Many are gathered into one bulk call. As a file of GridFS each would be two documents in four indexes.
- A larger one is streamed into `fs.files` and `fs.chunks`, `AT_ONCE` chunks a call (the driver's bucket would
  hold back 48 MB), under an id of its own. It gets its name, the digest, at the end, and is visible from then
  on; a unique index lets each name be there once, and any GridFS tool reads it by name. If the stream fails,
  its chunks are removed. A process killed meanwhile leaves chunks without a file: they take room and are seen
  by nobody.

Small blobs that the version before stored as files are read as such.

When MongoDB does not answer, `Unavailable`: putting the blob again is always safe. A put that was cancelled
while its last document was under way may have stored the blob, whole.
"""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable
from contextlib import aclosing, suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from bson import ObjectId
from pymongo import ASCENDING, InsertOne
from pymongo.errors import BulkWriteError

from shared.adapters.gather import Gatherer
from shared.adapters.mongo import Mongo, calling, ours_by_index
from shared.domain.errors import Duplicate, NotFound, OmbudError, Unavailable, Unreadable
from shared.domain.ids import digest

log = structlog.get_logger()

CHUNK = 255 * 1024
"""Bytes in a chunk: GridFS's own default, so that a chunk with its fields fits into 256 KiB."""

SMALL = CHUNK
"""Bytes of the largest blob that is one document."""

AT_ONCE = 8
"""Chunks of a large blob in one call: 2 MB of memory for each blob under way."""

SMALL_AT_ONCE = 32
"""Small blobs in one call: at most 8 MB."""

Blob = tuple[str, bytes]
File = dict[str, Any]


class GridfsBlobs:
    """`Blobs` on an open MongoDB client."""

    def __init__(self, mongo: Mongo) -> None:
        self._small = mongo.collection("small_blobs")
        self._files = mongo.collection("fs.files")
        self._chunks = mongo.collection("fs.chunks")
        self._puts: Gatherer[Blob, None] = mongo.gatherer(self._put_all, SMALL_AT_ONCE)
        self._reads: Gatherer[str, bytes | None] = mongo.gatherer(self._read_all, SMALL_AT_ONCE)
        self._lookups: Gatherer[str, File | None] = mongo.gatherer(self._look_up)
        self._indexing = asyncio.Lock()
        self._indexed = False

    async def put(self, data: bytes) -> str:
        """See the port."""
        if len(data) <= SMALL:
            return await self._put_small(data)
        # Hashing megabytes takes long enough to be felt by everything else on the event loop.
        name = await asyncio.to_thread(digest, data)
        if await self._lookups.ask(name) is None:
            async with aclosing(_slices(data)) as pieces:
                await self._put_large(pieces)
        return name

    async def put_stream(self, chunks: AsyncIterable[bytes]) -> str:
        """See the port."""
        async with aclosing(_in_chunks(chunks)) as pieces:
            first = await anext(pieces, b"")
            second = await anext(pieces, b"")
            if not second:
                return await self._put_small(first)
            async with aclosing(_chain([first, second], pieces)) as whole:
                return await self._put_large(whole)

    async def read(self, digest: str) -> bytes:
        """See the port. Raises `Unreadable` when a part of it is missing."""
        return b"".join([piece async for piece in self.stream(digest)])

    async def stream(self, digest: str, start: int = 0) -> AsyncIterator[bytes]:
        """See the port. Raises `Unreadable` when a part of it is missing."""
        small = await self._reads.ask(digest)
        if small is not None:
            yield small[start:]
            return
        file = await self._file(digest)
        first, before = divmod(start, file["chunkSize"])
        length = min(first * file["chunkSize"], file["length"])
        asked = {"files_id": file["_id"], "n": {"$gte": first}}
        found = self._chunks.find(asked, {"data": 1, "_id": 0}, batch_size=AT_ONCE)
        cursor = found.sort("n", ASCENDING)
        try:
            while chunks := await _next(cursor):
                for chunk in chunks:
                    length += len(chunk["data"])
                    yield chunk["data"][before:]
                    before = 0
        finally:
            await cursor.close()
        if length != file["length"]:
            raise Unreadable(f"blob {digest} has {length} of its {file['length']} bytes")

    async def size(self, digest: str) -> int:
        """See the port."""
        with calling("blob_find"):
            small = await self._small.find_one({"_id": digest}, {"length": {"$binarySize": "$data"}})
        return int((small or await self._file(digest))["length"])

    async def _file(self, name: str) -> File:
        file = await self._lookups.ask(name)
        if file is None:
            raise NotFound(f"there is no blob {name}")
        return file

    async def _look_up(self, names: list[str]) -> list[File | BaseException | None]:
        with calling("blob_find"):
            query = {"filename": {"$in": list(set(names))}}
            files = await self._files.find(query, {"filename": 1, "length": 1, "chunkSize": 1}).to_list(
                length=None
            )
        found = {file["filename"]: file for file in files}
        return [found.get(name) for name in names]

    async def _put_small(self, data: bytes) -> str:
        name = digest(data)
        await self._puts.ask((name, data))
        return name

    async def _put_all(self, blobs: list[Blob]) -> list[BaseException | None]:
        data_of = dict(blobs)
        failed: dict[str, OmbudError] = {}
        try:
            with calling("blob_put"):
                new = [InsertOne({"_id": name, "data": data}) for name, data in data_of.items()]
                await self._small.bulk_write(new, ordered=False)
        except BulkWriteError as error:
            names = list(data_of)
            errors = {names[number]: one for number, one in ours_by_index(error).items()}
            failed = {name: one for name, one in errors.items() if not isinstance(one, Duplicate)}
        return [failed.get(name) for name, _ in blobs]

    async def _read_all(self, names: list[str]) -> list[bytes | BaseException | None]:
        with calling("blob_read"):
            stored = await self._small.find({"_id": {"$in": list(set(names))}}).to_list(length=None)
        found = {one["_id"]: one["data"] for one in stored}
        return [found.get(name) for name in names]

    async def _put_large(self, pieces: AsyncIterator[bytes]) -> str:
        file_id = ObjectId()
        try:
            await self._make_indexes()
            name, length = await self._upload(file_id, pieces)
        except BaseException:
            await self._discard(file_id)
            raise
        # From here on the chunks may belong to a visible file, unless we know that another has the name.
        try:
            with calling("blob_put"):
                await self._files.insert_one(_file(file_id, name, length))
        except Duplicate:
            await self._discard(file_id)
        return name

    async def _upload(self, file_id: ObjectId, pieces: AsyncIterator[bytes]) -> tuple[str, int]:
        sha, number, length = hashlib.sha256(), 0, 0
        waiting: list[File] = []
        async for piece in pieces:
            sha.update(piece)
            length += len(piece)
            waiting.append(_chunk(file_id, number, piece))
            number += 1
            if len(waiting) == AT_ONCE:
                await self._insert_chunks(waiting)
                waiting = []
        if waiting:
            await self._insert_chunks(waiting)
        return sha.hexdigest(), length

    async def _insert_chunks(self, chunks: list[File]) -> None:
        with calling("blob_put"):
            await _to_its_end(self._chunks.insert_many(chunks))

    async def _discard(self, file_id: ObjectId) -> None:
        try:
            with calling("blob_discard"):
                await _to_its_end(self._chunks.delete_many({"files_id": file_id}))
        except Unavailable:
            log.warning("blobs.orphaned", file_id=str(file_id))

    async def _make_indexes(self) -> None:
        async with self._indexing:  # a process begins with many mails at once
            if self._indexed:
                return
            with calling("blob_prepare"):
                await self._files.create_index("filename", unique=True)
                await self._chunks.create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            self._indexed = True


def _file(file_id: ObjectId, name: str, length: int) -> File:
    stored_at = datetime.now(UTC)
    return {"_id": file_id, "filename": name, "length": length, "chunkSize": CHUNK, "uploadDate": stored_at}


def _chunk(file_id: ObjectId, number: int, data: bytes) -> File:
    return {"files_id": file_id, "n": number, "data": data}


async def _next(cursor: Any) -> list[File]:
    with calling("blob_read"):
        chunks: list[File] = await cursor.to_list(length=AT_ONCE)
    return chunks


async def _to_its_end(call: Awaitable[Any]) -> None:
    """Await `call`; a cancelled caller goes on when it has ended, so nothing is written behind its back."""
    running = asyncio.ensure_future(call)
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        with suppress(Exception):
            await running
        raise


async def _slices(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]


async def _chain(first: list[bytes], rest: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in first:
        yield piece
    async for piece in rest:
        yield piece


async def _in_chunks(pieces: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in pieces of `CHUNK`, the last one shorter."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= CHUNK:
            yield bytes(buffer[:CHUNK])
            del buffer[:CHUNK]
    if buffer:
        yield bytes(buffer)
