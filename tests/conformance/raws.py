"""Every raw mail of the corpora is stored through the blobs port and had again, byte for byte.

On SQLite, in a folder that is thrown away; the file is closed and opened between storing and reading.
"""

import asyncio
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from shared.adapters.sqlite_blobs import SqliteBlobs
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import NotFound
from tests.conformance.groups import Answer


def answers(mails: Iterable[Path]) -> Iterator[Answer]:
    """An answer for each mail: its bytes came back as they were."""
    files = list(mails)
    with tempfile.TemporaryDirectory(prefix="ombud-conformance-") as folder:
        digests = asyncio.run(_stored(Path(folder), files))
        got = asyncio.run(_read(Path(folder), digests))
    for file in files:
        corpus, raw = file.parent.name, file.read_bytes()
        name = f"{corpus}/{file.stem}"
        came = got[file]
        yield Answer(corpus, name, "raw", "equals", _size(raw), _size(came), raw == came, "raw mails")


async def _stored(folder: Path, files: Iterable[Path]) -> dict[Path, str]:
    async with SqliteFile.open(folder / "ombud.sqlite") as file:
        blobs = SqliteBlobs(file)
        return {mail: await blobs.put(mail.read_bytes()) for mail in files}


async def _read(folder: Path, digests: dict[Path, str]) -> dict[Path, bytes | None]:
    async with SqliteFile.open(folder / "ombud.sqlite") as file:
        blobs = SqliteBlobs(file)
        return {mail: await _kept(blobs, digest) for mail, digest in digests.items()}


async def _kept(blobs: SqliteBlobs, digest: str) -> bytes | None:
    try:
        return await blobs.read(digest)
    except NotFound:
        return None


def _size(raw: bytes | None) -> str:
    return "nothing" if raw is None else f"{len(raw)} bytes"
