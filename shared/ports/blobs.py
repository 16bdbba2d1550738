"""Blobs: bytes kept whole, named by their SHA-256."""

from collections.abc import AsyncIterable, AsyncIterator
from typing import Protocol


class Blobs(Protocol):
    """Where raw mails and attachments lie.

    A blob is named by its digest (SHA-256, 64 hex digits), so the same bytes are stored once however often
    they are put, also by two callers at the same moment. What `put` returned for is durable and comes back
    byte for byte. Writing and reading stream: the memory used does not grow with the blob.

    Raises `NotFound` for an unknown digest and `Unavailable` when the store does not answer.
    """

    async def put(self, data: bytes) -> str:
        """Store `data` and return its digest, once it is durable."""
        ...

    async def put_stream(self, chunks: AsyncIterable[bytes]) -> str:
        """Store what `chunks` yields and return its digest, once it is durable.

        If `chunks` raises, or the caller is cancelled, nothing of it stays visible.
        """
        ...

    async def read(self, digest: str) -> bytes:
        """The whole blob."""
        ...

    def stream(self, digest: str, start: int = 0) -> AsyncIterator[bytes]:
        """The blob from byte `start` on, in pieces of at most 256 KiB; what lies before is not read."""
        ...

    async def size(self, digest: str) -> int:
        """Its length in bytes."""
        ...
