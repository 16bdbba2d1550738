"""What a ticket holds, and how a change of it is recorded; the changes themselves are in ticket.py.

Each recorded event raises `version` by one and waits in `outbox` until the relay has published it.
"""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from shared.domain import events
from shared.domain.cause import Cause
from shared.domain.contacts import Contact, Participant
from shared.domain.documents import Document, Envelope, Instant
from shared.domain.priority import Level, Priority, Sentiment, Source, matrix
from shared.domain.status import Status

REMEMBERED_CAUSES = 200
"""How many deeds a ticket remembers; a repeat comes at most as late as what is in flight, far fewer."""


class Span(BaseModel):
    """The ticket had `status` from `since` on."""

    status: Status
    since: Instant


class Classification(BaseModel):
    """What triage found, ready to be put on a ticket."""

    category: str
    severity: Level
    urgency: Level
    sentiment: Sentiment
    language: str | None = None
    summary: str = ""
    tags: list[str] = Field(default_factory=list)

    @property
    def priority(self) -> Priority:
        """The matrix of severity and urgency."""
        return matrix(self.severity, self.urgency)


class TicketState(Document):
    """See the module. Times are UTC; `number` is what people see (`#10042`) and no right follows from it."""

    number: int
    mailbox: str
    subject: str
    channel: str = "mail"
    customer: Contact
    customer_address: str
    participants: list[Participant] = Field(default_factory=list)

    status: Status = Status.NEW
    history: list[Span] = Field(default_factory=list)
    priority: Priority = Priority.MEDIUM
    category: str | None = None
    severity: Level | None = None
    urgency: Level | None = None
    sentiment: Sentiment | None = None
    language: str | None = None
    summary: str = ""
    tags: list[str] = Field(default_factory=list)
    sources: dict[str, Source] = Field(default={}, description="who filled each triaged field")
    triage_state: str = "pending"
    triage_id: str | None = None

    team: str | None = None
    assignee: str | None = None
    handled_by: str = "unassigned"

    opened_at: Instant
    updated_at: Instant
    first_response_at: Instant | None = None
    resolved_at: Instant | None = None
    closed_at: Instant | None = None
    snoozed_until: Instant | None = Field(default=None, description="on hold, and open again from then on")
    breached: list[str] = Field(default=[], description="targets whose deadline passed unmet")
    follow_up_of: str | None = None
    claims_to_belong_to: str | None = None
    merged_into: str | None = Field(default=None, description="the ticket that stands for this one now")
    also_in: list[str] = Field(default_factory=list, description="other mailboxes that a mail of it came to")
    loop: str = Field(default="", description="why machines are thought to write to each other here")
    machine_mails: int = Field(default=0, description="mails of machines since a person wrote")
    causes: list[str] = Field(default=[], description="the keys of the last deeds")

    def has_done(self, cause: Cause) -> bool:
        """Whether this cause's deed was done already."""
        return cause.key in self.causes

    def facts(self) -> events.Facts:
        """What projections count this ticket by."""
        return events.Facts(
            status=self.status.value,
            priority=self.priority.value,
            category=self.category,
            sentiment=self.sentiment.value if self.sentiment else None,
            handled_by=self.handled_by,
            breached=bool(self.breached),
        )

    def _fill(self, name: str, value: Any, source: Source) -> None:
        if value is not None and self.sources.get(name) is not Source.PERSON:
            setattr(self, name, value)
            self.sources[name] = source

    def _enter(self, status: Status, at: datetime) -> None:
        self.status, self.snoozed_until = status, None
        self.history.append(Span(status=status, since=at))
        self.resolved_at = (
            at if status is Status.RESOLVED else (self.resolved_at if status is Status.CLOSED else None)
        )
        self.closed_at = at if status is Status.CLOSED else None

    def _record(self, kind: type[events.TicketEvent], cause: Cause, /, **fields: Any) -> None:
        self.version += 1
        self.updated_at = max(self.updated_at, cause.at)
        self.causes = [*self.causes, cause.key][-REMEMBERED_CAUSES:]
        event = kind(
            ticket_id=self.id,
            version=self.version,
            actor=cause.actor,
            occurred_at=cause.at,
            correlation_id=cause.correlation_id,
            facts=self.facts(),
            **fields,
        )
        self.outbox = [*_after(self.outbox, cause.event_id), event.enveloped(cause.traceparent)]


def _after(outbox: list[Envelope], published: str) -> list[Envelope]:
    """What still has to be published when the event `published` has been, and so all before it."""
    for index, waiting in enumerate(outbox):
        if waiting.id == published:
            return outbox[index + 1 :]
    return outbox
