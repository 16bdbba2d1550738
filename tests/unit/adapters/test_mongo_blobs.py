"""Blobs in MongoDB: small ones are one document, large ones lie as GridFS has them, no chunk is left over."""

import asyncio
import random
from collections.abc import AsyncIterator

import gridfs
import pytest

from shared.adapters.gridfs_blobs import CHUNK, SMALL, GridfsBlobs
from shared.adapters.mongo import Mongo
from shared.domain.errors import Unreadable
from shared.domain.ids import digest
from tests.unit.adapters.plain import Database

pytestmark = pytest.mark.mongo


@pytest.mark.parametrize("length", [SMALL + 1, 3_000_000])
async def test_any_gridfs_tool_reads_our_large_blobs(mongo: Mongo, database: Database, length: int) -> None:
    data = random.Random(length).randbytes(length)

    name = await GridfsBlobs(mongo).put(data)

    assert gridfs.GridFSBucket(database).open_download_stream_by_name(name).read() == data


async def test_a_small_blob_is_one_document_with_no_index_but_its_id(
    mongo: Mongo, database: Database
) -> None:
    blobs = GridfsBlobs(mongo)
    for data in (b"", b"x", bytes(SMALL)):
        await blobs.put(data)

    assert database.small_blobs.count_documents({}) == 3
    assert database.list_collection_names() == ["small_blobs"]
    assert set(database.small_blobs.index_information()) == {"_id_"}


@pytest.mark.parametrize("length", [0, 1, SMALL])
async def test_a_small_blob_that_the_version_before_stored_is_read_and_not_disturbed_by_another_put(
    mongo: Mongo, database: Database, length: int
) -> None:
    blobs, data = GridfsBlobs(mongo), random.Random(length).randbytes(length)
    gridfs.GridFSBucket(database).upload_from_stream(digest(data), data)

    before = await blobs.read(digest(data)), await blobs.size(digest(data))
    name = await blobs.put(data)

    assert before == (data, length)
    assert (await blobs.read(name), await blobs.size(name)) == before


async def test_put_by_many_there_is_one_file_with_its_chunks(mongo: Mongo, database: Database) -> None:
    blobs, data = GridfsBlobs(mongo), random.Random(1).randbytes(3 * CHUNK)

    async def pieces() -> AsyncIterator[bytes]:
        yield data

    await asyncio.gather(
        *(blobs.put_stream(pieces()) for _ in range(4)), *(blobs.put(b"x") for _ in range(4))
    )

    assert database.fs.files.count_documents({}) == 1
    assert database.fs.chunks.count_documents({}) == 3
    assert database.small_blobs.count_documents({}) == 1


async def test_a_failed_stream_removes_its_chunks(mongo: Mongo, database: Database) -> None:
    written = asyncio.Event()

    async def pieces(fails: bool) -> AsyncIterator[bytes]:
        for _ in range(20):
            yield bytes(CHUNK)
        written.set()
        if fails:
            raise EOFError
        await asyncio.Event().wait()

    blobs = GridfsBlobs(mongo)
    with pytest.raises(EOFError):
        await blobs.put_stream(pieces(fails=True))
    written.clear()
    hanging = asyncio.ensure_future(blobs.put_stream(pieces(fails=False)))
    await written.wait()
    hanging.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hanging

    assert database.fs.chunks.count_documents({}) == 0


async def test_a_blob_with_a_chunk_missing_is_unreadable(mongo: Mongo, database: Database) -> None:
    blobs = GridfsBlobs(mongo)
    name = await blobs.put(bytes(3 * CHUNK))
    database.fs.chunks.delete_one({"n": 1})

    with pytest.raises(Unreadable):
        await blobs.read(name)
