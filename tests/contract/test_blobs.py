"""The contract of the blobs port: bytes kept whole, named by their SHA-256."""

import asyncio
import hashlib
import random
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.domain.errors import NotFound
from shared.domain.ids import digest
from shared.ports.blobs import Blobs
from tests.contract.conftest import Store

KIB = 1024
MIB = 1024 * KIB
LARGEST_PIECE = 256 * KIB


def random_bytes(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


async def in_pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


LENGTHS = [0, 1, 255 * KIB - 1, 255 * KIB, 255 * KIB + 1, 256 * KIB, 256 * KIB + 1, 510 * KIB, 5 * MIB]


@pytest.mark.parametrize("length", LENGTHS)
async def test_a_blob_comes_back_byte_for_byte(blobs: Blobs, length: int) -> None:
    data = random_bytes(length)

    name = await blobs.put(data)

    assert name == digest(data)
    assert await blobs.read(name) == data
    assert await blobs.size(name) == length


@pytest.mark.parametrize("size", [1000, 255 * KIB, 256 * KIB, 3 * MIB])
@pytest.mark.parametrize("length", [0, 1, 255 * KIB, 256 * KIB + 1, 2 * MIB])
async def test_a_stream_is_the_same_blob_however_it_was_cut(blobs: Blobs, length: int, size: int) -> None:
    data = random_bytes(length, seed=2)

    name = await blobs.put_stream(in_pieces(data, size))

    assert name == digest(data)
    assert await blobs.read(name) == data
    assert await blobs.size(name) == length


async def test_empty_pieces_of_a_stream_end_nothing(blobs: Blobs) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b"", b"one", b"", b"", b"two", b""):
            yield piece

    assert await blobs.read(await blobs.put_stream(pieces())) == b"onetwo"


async def test_a_blob_is_streamed_in_small_pieces(blobs: Blobs) -> None:
    data = random_bytes(3 * MIB + 17)
    name = await blobs.put(data)

    pieces = [piece async for piece in blobs.stream(name)]

    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= LARGEST_PIECE


@pytest.mark.parametrize("length", [0, 100, 255 * KIB, 256 * KIB, 256 * KIB + 1, MIB])
async def test_a_blob_is_streamed_from_any_byte_on(blobs: Blobs, length: int) -> None:
    data = random_bytes(length)
    name = await blobs.put(data)

    for start in (0, 1, 99, 255 * KIB, 256 * KIB - 1, 256 * KIB, 300 * KIB, length, length + 1):
        assert b"".join([piece async for piece in blobs.stream(name, start)]) == data[start:]


async def test_a_reader_may_stop_in_the_middle(blobs: Blobs) -> None:
    name = await blobs.put(random_bytes(3 * MIB))

    async for _ in blobs.stream(name):
        break

    assert await blobs.size(name) == 3 * MIB


async def test_an_unknown_digest_is_not_found(blobs: Blobs) -> None:
    await blobs.put(b"something else")

    for unknown in (digest(b"unknown"), "", "x", "../etc/passwd", "'; --"):
        with pytest.raises(NotFound):
            await blobs.read(unknown)
        with pytest.raises(NotFound):
            await blobs.size(unknown)
        with pytest.raises(NotFound):
            await anext(blobs.stream(unknown))


@pytest.mark.parametrize("length", [0, 100, 2 * MIB])
async def test_the_same_bytes_put_again_and_by_others_are_one_blob(
    store: Store, blobs: Blobs, length: int
) -> None:
    data, other = random_bytes(length), await store.blobs()

    names = [await blobs.put(data), await blobs.put(data), await other.put_stream(in_pieces(data, 70_000))]

    assert set(names) == {digest(data)}
    assert await other.read(digest(data)) == data


@pytest.mark.parametrize("length", [0, 100, 2 * MIB])
async def test_the_same_bytes_put_by_many_at_the_same_moment_are_one_blob(
    store: Store, blobs: Blobs, length: int
) -> None:
    data, other = random_bytes(length), await store.blobs()

    names = await asyncio.gather(
        *(one.put(data) for one in (blobs, other) for _ in range(4)),
        *(one.put_stream(in_pieces(data, 100_000)) for one in (blobs, other) for _ in range(4)),
    )

    assert set(names) == {digest(data)}
    assert await blobs.read(digest(data)) == data
    assert await other.read(digest(data)) == data


async def test_many_small_blobs_at_once_each_keep_their_own_bytes(blobs: Blobs) -> None:
    some = [random_bytes(number * 37, seed=number) for number in range(120)]

    names = await asyncio.gather(*map(blobs.put, some))

    assert names == [digest(data) for data in some]
    assert await asyncio.gather(*map(blobs.read, names)) == some


class StreamBroke(Exception):
    """What a test's stream raises in the middle."""


@pytest.mark.parametrize("length", [0, 100, 256 * KIB, 5 * MIB])
async def test_a_stream_that_fails_leaves_nothing_visible(blobs: Blobs, length: int) -> None:
    data = random_bytes(length, seed=3)

    async def breaks() -> AsyncIterator[bytes]:
        async for piece in in_pieces(data, 64 * KIB):
            yield piece
        raise StreamBroke

    with pytest.raises(StreamBroke):
        await blobs.put_stream(breaks())

    with pytest.raises(NotFound):
        await blobs.size(digest(data))
    assert await blobs.put(data) == digest(data)
    assert await blobs.read(digest(data)) == data


async def test_a_cancelled_stream_leaves_nothing_visible(blobs: Blobs) -> None:
    data, hangs = random_bytes(5 * MIB, seed=4), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in in_pieces(data, 64 * KIB):
            yield piece
        hangs.set()
        await asyncio.Event().wait()

    putting = asyncio.ensure_future(blobs.put_stream(pieces()))
    await hangs.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting

    with pytest.raises(NotFound):
        await blobs.size(digest(data))
    assert await blobs.put(data) == digest(data)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can reset the peak of resident memory")
async def test_fifty_megabytes_pass_through_without_fifty_megabytes_of_memory(blobs: Blobs) -> None:
    """The process's own peak of resident memory, which counts what C libraries hold as well."""
    pieces, piece = 800, random_bytes(64 * KIB)
    expected = hashlib.sha256()

    async def fifty_megabytes() -> AsyncIterator[bytes]:
        for number in range(pieces):
            numbered = number.to_bytes(8, "big") + piece[8:]
            expected.update(numbered)
            yield numbered

    await blobs.read(await blobs.put(random_bytes(1 * MIB)))  # connections, indexes and buffers are there
    before = reset_peak()
    name = await blobs.put_stream(fifty_megabytes())
    written = peak() - before
    before, found = reset_peak(), hashlib.sha256()
    async for part in blobs.stream(name):
        found.update(part)
    read = peak() - before

    assert name == expected.hexdigest() == found.hexdigest()
    assert await blobs.size(name) == pieces * 64 * KIB
    assert written < 25 * MIB
    assert read < 25 * MIB


def reset_peak() -> int:
    """Begin a new peak; the resident memory now, in bytes. See proc_pid_clear_refs(5)."""
    Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def peak() -> int:
    return status("VmHWM")


def status(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1]) * KIB
