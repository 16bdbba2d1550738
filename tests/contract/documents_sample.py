"""The collection that the contract suite of the documents port works on: every kind of field once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import BaseModel

from shared.domain.documents import Envelope, Instant, Sleeper
from shared.ports.documents import Collection, Index, Spec

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class Status(StrEnum):
    OPEN = "open"
    WAITING = "waiting"
    DONE = "done"


class Line(BaseModel):
    at: Instant
    text: str


class Task(Sleeper):
    title: str = ""
    body: str = ""
    status: Status = Status.OPEN
    number: int = 0
    tags: list[str] = []
    owner: str | None = None
    code: str | None = None
    done: bool = False
    due_at: Instant | None = None
    day: date | None = None
    took: timedelta | None = None
    share: float = 0.0
    labels: set[str] = set()
    headers: dict[str, str] = {}
    lines: list[Line] = []


TASKS = Spec(
    "tasks",
    Task,
    indexes=(
        Index(("number",)),
        Index(("status", "number")),
        Index(("tags",)),
        Index(("owner",)),
        Index(("owner", "number")),
        Index(("tags", "number")),
        Index(("done",)),
        Index(("due_at",)),
        Index(("code",), unique=True),
    ),
    text=("title", "body"),
    claimable=True,
)


class OldTask(Sleeper):
    """The same documents as a process knows them that was written when tasks had a title alone."""

    title: str = ""


OLD_TASKS = Spec("tasks", OldTask, claimable=True)


def event(number: int, at: datetime = NOON) -> Envelope:
    """An event for an outbox."""
    return Envelope(id=f"e{number}", type="task.changed", topic="tasks", key="t", time=at, data='{"a": 1}')


def task(number: int, **fields: Any) -> Task:
    """A task with an id that sorts by `number`."""
    return Task(id=f"task_{number:05}", number=number, **fields)


async def fill(tasks: Collection[Task], *some: Task) -> None:
    """Put them in, side by side."""
    await asyncio.gather(*(tasks.insert(one) for one in some))
