"""What a run leaves behind, as plain data: what was sent, what the stores hold, what the relay was given.

The generator writes `Sent` before it delivers; the oracle reads everything else with clients of its own, not
through the code that is on trial. `invariants.py` judges it.
"""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Sent:
    """A mail of the generator. `place` counts within its thread from 0; `digest` is the raw mail's SHA-256.

    `automatic`: a machine wrote it. `readable` is false for one that must end in quarantine.
    """

    token: str
    thread: str
    place: int
    sender: str
    digest: str
    automatic: bool = False
    readable: bool = True


@dataclass(frozen=True)
class Kept:
    """A message document; `tokens` are those found in its text, `digest` names its raw mail."""

    id: str
    ticket: str
    tokens: tuple[str, ...]
    digest: str


@dataclass(frozen=True)
class Entry:
    """A row of the ledger."""

    id: str
    uid: int
    digest: str
    outcome: str
    reason: str
    ticket: str | None
    at: datetime


@dataclass(frozen=True)
class Letter:
    """A letter document."""

    id: str
    ticket: str
    kind: str
    automatic: bool
    to: str
    message_id: str
    state: str
    reason: str


@dataclass(frozen=True)
class Handed:
    """A mail whose DATA the relay took; `message_id` is without `<>`."""

    message_id: str
    to: str
    automatic: bool


@dataclass(frozen=True)
class Timer:
    """A deadline document."""

    id: str
    ticket: str
    target: str
    state: str
    due_at: datetime
    fired_at: datetime | None


@dataclass(frozen=True)
class Death:
    """A process that died; `ours` when the killer ended it."""

    name: str
    ours: bool


@dataclass
class Evidence:
    """All of it. `replies` are the ids of the tickets that agents answered, once for each answer.

    `dead` counts the events on each dead topic.

    `offsets_compared` counts what the sampler looked at, `offsets_ahead` tells what it found wrong.
    `unready` names what was not ready 60 s after the last fault. `memory` is by process: (seconds, MB).
    `secrets` are strings that no log line may hold; `outage` is the longest one, in seconds.
    """

    sent: list[Sent] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    tickets: list[str] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    handed: list[Handed] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    untriaged: list[str] = field(default_factory=list)
    dead: dict[str, int] = field(default_factory=dict)
    replies: list[str] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    offsets_compared: int = 0
    offsets_ahead: list[str] = field(default_factory=list)
    unready: list[str] = field(default_factory=list)
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    log_lines: list[tuple[str, str]] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    outage: float = 0.0
    ended_at: datetime | None = None
