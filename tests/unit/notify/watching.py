"""What the tests of delivery wait for, and the deaths they cause."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from services.notify.settings import NotifySettings, RetrySettings
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.letters import Letter, LetterState
from shared.stores.collections import COLLECTIONS
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.servers.smtp import SILENCE, ScriptedSmtp
from tests.unit.notify.conftest import Published
from tests.unit.notify.samples import QUICK, dying

PATIENT = QUICK.model_copy(update={"retry": RetrySettings()})
"""Tries again in a minute, so that a test sees what the first try left."""


async def in_state(stores: Stores, state: LetterState, *names: str) -> bool:
    found = await stores.letters.get_many([f"let_{name}" for name in names])
    return len(found) == len(names) and all(one.state is state for one in found.values())


async def tried(stores: Stores, name: str = "1", times: int = 1) -> Letter | None:
    stored = await stores.letters.get(f"let_{name}")
    return stored if len(stored.attempts) >= times else None


def types(published: Published) -> list[str]:
    return [envelope.type for envelope in published.envelopes]


SLOW_ANSWER = QUICK.model_copy(update={"accept_seconds": 30.0})


async def killed_while_sending(stores: Stores, own: Letter) -> ScriptedSmtp:
    """A process sends the letter and is killed before the relay has answered."""
    async with ScriptedSmtp({"DATA": [SILENCE]}) as relay:
        await stores.letters.add(own)
        async with dying(stores, relay.address, SLOW_ANSWER):
            await eventually(lambda: relay.received)
    assert await in_state(stores, LetterState.SENDING, "1")
    return relay


def after_the_lease(settings: NotifySettings = SLOW_ANSWER) -> FakeClock:
    held = settings.accept_seconds + settings.margin_seconds
    return FakeClock(datetime.now(UTC) + timedelta(seconds=held + 1))


async def given_back(stores: Stores, names: list[str]) -> bool:
    """Whether all letters have been claimed and given back, unblamed and due."""
    found = (await stores.letters.get_many([f"let_{name}" for name in names])).values()
    now = datetime.now(UTC)
    due = [one for one in found if one.version >= 3 and one.wake_at is not None and one.wake_at <= now]
    return len(due) == len(names) and all(one.state is LetterState.QUEUED and not one.attempts for one in due)


@asynccontextmanager
async def impatient(folder: Path) -> AsyncIterator[tuple[Stores, sqlite3.Connection]]:
    """Stores that soon give up waiting for a lock, and somebody else's hand on it."""
    path = folder / "impatient.sqlite"
    async with SqliteFile.open(path, patience=0.05) as file:
        documents = SqliteDocuments(file)
        await documents.prepare(COLLECTIONS)
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            yield Stores.over(documents, Published()), lock


def told(logs: list[Any], event: str) -> bool:
    return any(line["event"] == event for line in logs)
