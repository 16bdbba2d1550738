"""The blobs port on the embedded file; the promises are those of shared/ports/blobs.py.

A blob lies in pieces of 256 KiB. A small one is stored in one transaction; a large one piece by piece under
a number of its own, and it gets its digest, by which alone it can be found, in the last transaction. When
others have stored the same bytes meanwhile, its pieces are removed again.

On failure: a stream that raises or is cancelled has its pieces removed. Those of a process that was killed
are removed by a later large put, once they are a day old. See `sqlite_file.py` for the file's own failures.
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import aclosing

import structlog

from shared.adapters.sqlite_bulk import BulkWrite, found
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import NotFound, Unavailable, Unreadable
from shared.domain.ids import digest as digest_of

PIECE = 256 * 1024
"""Bytes in a piece."""

SMALL = 4 * PIECE
"""Up to this many bytes are stored in one transaction."""

ABANDONED_SECONDS = 24 * 3600
"""An unfinished blob that is so old has lost its writer."""

log = structlog.get_logger()


class SqliteBlobs:
    """The blobs in one file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def put(self, data: bytes) -> str:
        """Store `data` and return its digest, once it is durable. Raises `Unavailable`."""
        if 0 < len(data) <= PIECE:
            name = digest_of(data)
            await self._file.together(_put_all, (name, data))
            return name
        if len(data) <= SMALL:
            name = digest_of(data)
            await self._file.write(lambda connection: _put_whole(connection, name, data))
            return name
        # Hashing megabytes takes long enough to be felt by everything else on the event loop.
        name = await asyncio.to_thread(digest_of, data)
        if not await self._file.read(lambda connection: _is_there(connection, name)):
            async with aclosing(_slices(data)) as slices:
                await self.put_stream(slices)
        return name

    async def put_stream(self, chunks: AsyncIterable[bytes]) -> str:
        """Store what `chunks` yields and return its digest, once it is durable. Raises `Unavailable`."""
        blob = await self._file.write(_begin)
        try:
            return await self._put_pieces(blob, chunks)
        except BaseException:
            await self._give_up(blob)
            raise

    async def read(self, digest: str) -> bytes:
        """The whole blob. Raises `NotFound`, `Unavailable`, and `Unreadable` when a part is missing."""
        blob, size = await self._find(digest)
        data = await self._file.search(lambda connection: b"".join(_pieces(connection, blob)))
        if len(data) != size:
            raise _incomplete(digest)
        return data

    async def stream(self, digest: str, start: int = 0) -> AsyncIterator[bytes]:
        """The blob in pieces of at most 256 KiB. Raises `NotFound`, `Unavailable`."""
        blob, size = await self._find(digest)
        first, before = divmod(start, PIECE)
        for number in range(first, -(-size // PIECE)):
            rows = (await self._file.fetch(_ONE_PIECE, (blob, number))).rows
            if not rows:
                raise _incomplete(digest)
            yield rows[0][0][before:] if before else rows[0][0]
            before = 0

    async def size(self, digest: str) -> int:
        """Its length in bytes. Raises `NotFound`, `Unavailable`."""
        return (await self._find(digest))[1]

    async def _find(self, digest: str) -> tuple[int, int]:
        rows = (await self._file.fetch("SELECT id, size FROM sys_blobs WHERE digest = ?", (digest,))).rows
        if not rows:
            raise NotFound(f"there is no blob {digest!r}")
        blob, size = rows[0]
        return blob, size

    async def _put_pieces(self, blob: int, chunks: AsyncIterable[bytes]) -> str:
        hashed, number, size = hashlib.sha256(), 0, 0
        async with aclosing(_in_pieces(chunks)) as pieces:
            async for piece in pieces:
                hashed.update(piece)
                await self._file.execute(_ADD_PIECE, (blob, number, piece))
                number += 1
                size += len(piece)
        name = hashed.hexdigest()
        await self._file.write(lambda connection: _finish(connection, blob, name, size))
        return name

    async def _give_up(self, blob: int) -> None:
        # Asking is enough: a caller who is cancelled again goes without the answer, the removal takes place.
        try:
            await self._file.write(lambda connection: _remove(connection, blob))
        except Unavailable as error:
            log.warning("blobs.left_unfinished", reason=str(error))


_ADD_PIECE = "INSERT INTO sys_pieces (blob, number, data) VALUES (?, ?, ?)"
_ONE_PIECE = "SELECT data FROM sys_pieces WHERE blob = ? AND number = ?"


_ADD_BLOBS = BulkWrite("INSERT INTO sys_blobs (digest, size, begun_at) {rows}", width=3)
# CROSS JOIN, so that the rows are gone through and the blobs looked up.
_ADD_ONLY_PIECES = BulkWrite(
    """INSERT INTO sys_pieces (blob, number, data) SELECT id, 0, new.column2
        FROM ({rows}) AS new CROSS JOIN sys_blobs ON digest = new.column1""",
    width=2,
)


def _put_all(connection: sqlite3.Connection, blobs: Sequence[tuple[str, bytes]]) -> list[None]:
    """Store blobs of one piece each, by their digests."""
    known = found(
        connection,
        "SELECT json_group_array(digest) FROM sys_blobs WHERE digest IN (SELECT value FROM json_each(?))",
        [name for name, _ in blobs],
    )
    new = {name: data for name, data in blobs if name not in known}
    now = int(time.time())
    _ADD_BLOBS(connection, [(name, len(data), now) for name, data in new.items()])
    _ADD_ONLY_PIECES(connection, list(new.items()))
    return [None] * len(blobs)


def _put_whole(connection: sqlite3.Connection, name: str, data: bytes) -> None:
    if _is_there(connection, name):
        return
    blob = _new(connection, name, len(data))
    pieces = (data[start : start + PIECE] for start in range(0, len(data), PIECE))
    connection.executemany(_ADD_PIECE, [(blob, number, piece) for number, piece in enumerate(pieces)])


def _begin(connection: sqlite3.Connection) -> int:
    """A new unfinished blob; those whose writer is long gone are removed."""
    before = int(time.time()) - ABANDONED_SECONDS
    abandoned = connection.execute(
        "SELECT id FROM sys_blobs WHERE digest IS NULL AND begun_at < ?", (before,)
    ).fetchall()
    for (blob,) in abandoned:
        _remove(connection, blob)
    return _new(connection, None, 0)


def _new(connection: sqlite3.Connection, name: str | None, size: int) -> int:
    (blob,) = connection.execute(
        "INSERT INTO sys_blobs (digest, size, begun_at) VALUES (?, ?, ?) RETURNING id",
        (name, size, int(time.time())),
    ).fetchone()
    return int(blob)


def _finish(connection: sqlite3.Connection, blob: int, name: str, size: int) -> None:
    if _is_there(connection, name):
        _remove(connection, blob)
        return
    connection.execute("UPDATE sys_blobs SET digest = ?, size = ? WHERE id = ?", (name, size, blob))


def _remove(connection: sqlite3.Connection, blob: int) -> None:
    """Remove an unfinished blob; a finished one may be somebody's, and stays."""
    gone = connection.execute("DELETE FROM sys_blobs WHERE id = ? AND digest IS NULL", (blob,))
    if gone.rowcount:
        connection.execute("DELETE FROM sys_pieces WHERE blob = ?", (blob,))


def _is_there(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM sys_blobs WHERE digest = ?", (name,)).fetchone() is not None


def _pieces(connection: sqlite3.Connection, blob: int) -> Iterator[bytes]:
    for (data,) in connection.execute("SELECT data FROM sys_pieces WHERE blob = ? ORDER BY number", (blob,)):
        yield data


async def _slices(data: bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


async def _in_pieces(chunks: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes, cut into pieces of one size but for the last."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)


def _incomplete(digest: str) -> Unreadable:
    return Unreadable(f"blob {digest!r} is incomplete: restore the file from a backup")
