"""The embedded bus, and the same bus as another process has it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from tests.unit.adapters.sqlite_bus.members import PARTITIONS, SESSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ombud.sqlite"


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


@pytest.fixture
async def file(path: Path, stack: AsyncExitStack) -> SqliteFile:
    return await stack.enter_async_context(SqliteFile.open(path, patience=0.1))


@pytest.fixture
def bus(file: SqliteFile) -> SqliteBus:
    return SqliteBus(file, partitions=PARTITIONS, session=SESSION, drain=5)


@pytest.fixture
async def other(path: Path, stack: AsyncExitStack) -> SqliteBus:
    """The bus of another process, as far as SQLite can tell."""
    file = await stack.enter_async_context(SqliteFile.open(path))
    return SqliteBus(file, partitions=PARTITIONS, session=SESSION, drain=5)
