"""The blobs port on the embedded file; the promises are those of shared/ports/blobs.py.

A blob is a row with its digest and pieces of at most 256 KiB. A small one is written by one statement of the
group commit; a larger one piece by piece under a row without a digest, which nobody can see, and becomes
visible by getting its digest at the end. Then memory holds one piece, however large the blob is.

On failure: a writer that fails or is cancelled removes its pieces; those of a process that was killed are
removed by the next long write, once they are older than `ABANDONED_AFTER`.
"""

import asyncio
import hashlib
import sqlite3
import time
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial

from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import NotFound
from shared.domain.ids import digest as digest_of

PIECE = 256 * 1024
"""Bytes of a piece."""
ABANDONED_AFTER = 24 * 3600
"""Seconds after which a blob that was begun and never finished is taken for abandoned."""


class SqliteBlobs:
    """The blobs in one file."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def put(self, data: bytes) -> str:
        """Store `data` and return its digest, once it is durable."""
        digest = digest_of(data)
        if len(data) <= PIECE:
            await self._file.write(partial(_put_whole, digest=digest, data=data))
            return digest
        return await self.put_stream(_pieces_of(data))

    async def put_stream(self, chunks: AsyncIterable[bytes]) -> str:
        """Store what `chunks` yields and return its digest, once it is durable."""
        blob = await self._file.write(_begin)
        try:
            hashed, size, number = hashlib.sha256(), 0, 0
            async for piece in _regrouped(chunks):
                hashed.update(piece)
                size += len(piece)
                await self._file.execute("INSERT INTO sys_pieces VALUES (?, ?, ?)", (blob, number, piece))
                number += 1
            digest = hashed.hexdigest()
            await self._file.write(partial(_finish, blob=blob, digest=digest, size=size))
        except BaseException:
            await asyncio.shield(self._file.write(partial(_forget, blob=blob)))
            raise
        return digest

    async def read(self, digest: str) -> bytes:
        """The whole blob. Raises `NotFound`."""
        rows = (
            await self._file.fetch(
                "SELECT data FROM sys_pieces JOIN sys_blobs ON id = blob WHERE digest = ? ORDER BY number",
                (digest,),
            )
        ).rows
        return b"".join(row[0] for row in rows) if rows else await self._empty(digest)

    async def stream(self, digest: str) -> AsyncIterator[bytes]:
        """The blob in pieces of at most 256 KiB. Raises `NotFound`."""
        blob, size = await self._find(digest)
        for number in range(-(-size // PIECE)):
            found = await self._file.fetch(
                "SELECT data FROM sys_pieces WHERE blob = ? AND number = ?", (blob, number)
            )
            yield found.rows[0][0]

    async def size(self, digest: str) -> int:
        """Its length in bytes. Raises `NotFound`."""
        return (await self._find(digest))[1]

    async def _empty(self, digest: str) -> bytes:
        await self._find(digest)
        return b""

    async def _find(self, digest: str) -> tuple[int, int]:
        rows = (await self._file.fetch("SELECT id, size FROM sys_blobs WHERE digest = ?", (digest,))).rows
        if not rows:
            raise NotFound(f"there is no blob {digest}")
        return rows[0]


def _put_whole(connection: sqlite3.Connection, digest: str, data: bytes) -> None:
    made = connection.execute(
        "INSERT INTO sys_blobs (digest, size, begun_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO NOTHING",
        (digest, len(data), int(time.time())),
    )
    if made.rowcount == 1 and data:
        connection.execute("INSERT INTO sys_pieces VALUES (?, 0, ?)", (made.lastrowid, data))


def _begin(connection: sqlite3.Connection) -> int:
    now = int(time.time())
    abandoned = connection.execute(
        "SELECT id FROM sys_blobs WHERE digest IS NULL AND begun_at < ?", (now - ABANDONED_AFTER,)
    ).fetchall()
    for (blob,) in abandoned:
        _forget(connection, blob)
    begun = connection.execute("INSERT INTO sys_blobs (digest, size, begun_at) VALUES (NULL, 0, ?)", (now,))
    return int(begun.lastrowid or 0)


def _finish(connection: sqlite3.Connection, blob: int, digest: str, size: int) -> None:
    if connection.execute("SELECT 1 FROM sys_blobs WHERE digest = ?", (digest,)).fetchone():
        _forget(connection, blob)
    else:
        connection.execute("UPDATE sys_blobs SET digest = ?, size = ? WHERE id = ?", (digest, size, blob))


def _forget(connection: sqlite3.Connection, blob: int) -> None:
    connection.execute("DELETE FROM sys_pieces WHERE blob = ?", (blob,))
    connection.execute("DELETE FROM sys_blobs WHERE id = ?", (blob,))


async def _pieces_of(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE):
        yield data[start : start + PIECE]


async def _regrouped(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces of `PIECE`; the last may be shorter."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)
