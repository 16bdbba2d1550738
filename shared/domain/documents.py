"""What every stored document has: an id, a version, and the events that wait to be published.

`version` counts the document's changes. Whoever changes a document raises it (a ticket by one for each
event, others by one for each save); a save names the version it read, so two writers cannot both win.

`wake_at` is for documents that want attention at an instant (timers, letters, leases): the `claim` of the
documents port gives a due document to one caller by moving `wake_at` ahead; None means asleep.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _in_utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    if instant.tzinfo is None:
        raise ValueError("an instant needs its timezone")
    return instant.astimezone(UTC)


Instant = Annotated[datetime, AfterValidator(_in_utc)]
"""A point in time, always in UTC."""


def as_kept(instant: datetime) -> datetime:
    """The instant in whole milliseconds, as the stores keep it: what is shown at once and later is one."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


class Envelope(BaseModel):
    """One event, ready for the bus: what the outbox of a document holds.

    `data` is the event as JSON; `key` orders it on the topic; `id` is the same whenever it is made again.
    """

    model_config = ConfigDict(frozen=True)

    id: str
    type: str
    topic: str
    key: str
    time: Instant
    data: str
    correlation_id: str = ""
    traceparent: str = ""


class Document(BaseModel):
    """A stored thing. Unknown fields of a newer version are kept, so that an older process loses none."""

    model_config = ConfigDict(extra="allow", validate_assignment=False)

    id: str
    version: int = 0
    # Here and in every document a factory: pydantic deep-copies a list that is a default, which takes longer
    # than all else in making one.
    outbox: list[Envelope] = Field(default_factory=list)

    def touch(self) -> None:
        """Count one change; every mutator of a document that records no event calls it."""
        self.version += 1


class Sleeper(Document):
    """A document that wants attention at `wake_at`; see the claim of the documents port."""

    wake_at: Instant | None = None


def plain(document: BaseModel) -> dict[str, Any]:
    """The document as JSON-ready data, for people and programs to read."""
    return document.model_dump(mode="json")
