"""Blobs in the embedded file: what lies behind the port's contract, which has a suite of its own."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.sqlite_blobs import ABANDONED_SECONDS, PIECE, SMALL, SqliteBlobs
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Unavailable, Unreadable

LARGE = bytes(range(256)) * ((SMALL + PIECE) // 256)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as opened:
        yield opened


async def rows(file: SqliteFile, table: str) -> int:
    return int((await file.fetch(f"SELECT count(*) FROM {table}")).rows[0][0])  # noqa: S608 (our own names)


async def broken() -> AsyncIterator[bytes]:
    yield LARGE
    raise RuntimeError("the sender hung up")


@pytest.mark.parametrize("data", [b"", b"a mail", LARGE])
async def test_the_same_bytes_take_room_once(file: SqliteFile, data: bytes) -> None:
    blobs = SqliteBlobs(file)
    await asyncio.gather(*(blobs.put(data) for _ in range(4)))
    pieces = await rows(file, "sys_pieces")

    await blobs.put(data)

    assert await rows(file, "sys_blobs") == 1
    assert await rows(file, "sys_pieces") == pieces == -(-len(data) // PIECE)


async def test_a_stream_that_broke_takes_no_room(file: SqliteFile) -> None:
    with pytest.raises(RuntimeError, match="hung up"):
        await SqliteBlobs(file).put_stream(broken())

    assert await rows(file, "sys_blobs") == await rows(file, "sys_pieces") == 0


async def test_what_a_killed_writer_left_is_removed_after_a_day_and_not_before(file: SqliteFile) -> None:
    for blob, age in ((1, ABANDONED_SECONDS + 60), (2, ABANDONED_SECONDS - 60)):
        await file.execute(
            "INSERT INTO sys_blobs (id, size, begun_at) VALUES (?, 0, ?)", (blob, int(time.time()) - age)
        )
        await file.execute("INSERT INTO sys_pieces VALUES (?, 0, 'x')", (blob,))

    await SqliteBlobs(file).put(LARGE)

    left = (await file.fetch("SELECT id FROM sys_blobs WHERE digest IS NULL")).rows
    assert left == [(2,)]
    assert (await file.fetch("SELECT count(*) FROM sys_pieces WHERE blob = 1")).rows == [(0,)]


async def test_a_blob_that_lost_a_piece_is_unreadable_and_never_short(file: SqliteFile) -> None:
    blobs = SqliteBlobs(file)
    name = await blobs.put(LARGE)
    await file.execute("DELETE FROM sys_pieces WHERE number = 1")

    with pytest.raises(Unreadable, match="restore"):
        await blobs.read(name)
    with pytest.raises(Unreadable):
        assert [piece async for piece in blobs.stream(name)]


async def test_a_full_disk_is_unavailable_and_the_blob_is_not_there(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "o.sqlite", most_pages=150) as file:
        blobs = SqliteBlobs(file)
        small = await blobs.put(b"small")

        with pytest.raises(Unavailable, match="full"):
            await blobs.put(LARGE)

        assert await blobs.read(small) == b"small"
        assert await rows(file, "sys_blobs") == 1


async def test_a_stream_that_breaks_while_the_file_is_away_raises_its_own_error(tmp_path: Path) -> None:
    """And says so in the log: the pieces stay until they are swept."""
    closing = asyncio.Event()

    async def breaks_late() -> AsyncIterator[bytes]:
        yield b"x"
        await closing.wait()
        raise RuntimeError("the sender hung up")

    async with SqliteFile.open(tmp_path / "o.sqlite") as file:
        putting = asyncio.ensure_future(SqliteBlobs(file).put_stream(breaks_late()))
        await file.ping()
    closing.set()

    with capture_logs() as lines, pytest.raises(RuntimeError, match="hung up"):
        await putting
    assert [line["event"] for line in lines] == ["blobs.left_unfinished"]
