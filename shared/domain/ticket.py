"""The ticket: one concern of one customer, changed only by its own methods, which record events.

Each recorded event raises `version` by one and waits in `outbox` until the relay has published it. A method
given a cause whose key the ticket has seen does nothing, so handling an event twice changes nothing.
"""

from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from shared.domain import events
from shared.domain.cause import Cause
from shared.domain.contacts import Contact, Participant
from shared.domain.documents import Document, Envelope, Instant
from shared.domain.priority import Level, Priority, Sentiment, Source, matrix
from shared.domain.status import REOPENED_BY_REPLY, Status, check_move

__all__ = ["Classification", "Contact", "Participant", "Span", "Ticket"]

REMEMBERED_CAUSES = 200
"""How many deeds a ticket remembers; a repeat comes at most as late as what is in flight, far fewer."""

REOPEN_WITHIN = timedelta(days=14)
"""A reply to a closed ticket reopens it for so long; after that it opens a follow-up."""


LOOP_FROM = 3
"""So many mails of machines, with none of a person between them, look like a loop."""


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


class Ticket(Document):
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
    breached: list[str] = Field(default=[], description="targets whose deadline passed unmet")
    follow_up_of: str | None = None
    claims_to_belong_to: str | None = None
    merged_into: str | None = Field(default=None, description="the ticket that stands for this one now")
    also_in: list[str] = Field(default_factory=list, description="other mailboxes that a mail of it came to")
    loop: str = Field(default="", description="why machines are thought to write to each other here")
    machine_mails: int = Field(default=0, description="mails of machines since a person wrote")
    causes: list[str] = Field(default=[], description="the keys of the last deeds")

    @classmethod
    def open(
        cls,
        ticket_id: str,
        number: int,
        *,
        mailbox: str,
        subject: str,
        channel: str,
        customer: Contact,
        message_id: str,
        may_auto_respond: bool,
        cause: Cause,
        participants: list[Participant] | None = None,
        follow_up_of: str | None = None,
        claims_to_belong_to: str | None = None,
    ) -> "Ticket":
        """A new ticket with its `TicketOpened`."""
        ticket = cls(
            id=ticket_id,
            number=number,
            mailbox=mailbox,
            subject=subject,
            channel=channel,
            customer=customer,
            customer_address=customer.address,
            participants=participants or [],
            opened_at=cause.at,
            updated_at=cause.at,
            history=[Span(status=Status.NEW, since=cause.at)],
            follow_up_of=follow_up_of,
            claims_to_belong_to=claims_to_belong_to,
        )
        ticket._record(
            events.TicketOpened,
            cause,
            number=number,
            mailbox=mailbox,
            channel=channel,
            subject=subject,
            customer=customer.address,
            customer_name=customer.name,
            message_id=message_id,
            may_auto_respond=may_auto_respond,
        )
        return ticket

    def has_done(self, cause: Cause) -> bool:
        """Whether this cause's deed was done already."""
        return cause.key in self.causes

    def takes_reply_at(self, at: datetime, within: timedelta = REOPEN_WITHIN) -> bool:
        """Whether a customer's reply belongs here, not to a follow-up: all but those closed for long."""
        return self.status is not Status.CLOSED or self.closed_at is None or at - self.closed_at <= within

    def customer_replied(self, message_id: str, sender: str, cause: Cause) -> None:
        """A customer's message arrived: a ticket that waited or was done becomes open."""
        if self.has_done(cause):
            return
        self.machine_mails = 0
        before = self.status
        if before in REOPENED_BY_REPLY:
            self._enter(Status.OPEN, cause.at)
        self._record(
            events.CustomerReplied, cause, message_id=message_id, sender=sender, status_before=before.value
        )

    def note_automatic(self, message_id: str, sender: str, kind: str, cause: Cause) -> None:
        """A machine's message arrived: noted, nothing moves. The third in a row looks like a loop."""
        if self.has_done(cause):
            return
        self.machine_mails += 1
        self._record(events.AutomaticMailNoted, cause, message_id=message_id, sender=sender, kind=kind)
        if self.machine_mails >= LOOP_FROM:
            self._mark_loop(f"{self.machine_mails} mails in a row were written by machines", cause)

    def suspect_loop(self, reason: str, cause: Cause) -> None:
        """Something tells that machines write to each other here: marked, once."""
        if not self.has_done(cause):
            self._mark_loop(reason, cause)

    def letter_came_back(self, note_id: str, cause: Cause) -> None:
        """A letter that a person waits for did not arrive: a note says so, and the ticket is open again."""
        if self.has_done(cause):
            return
        self._record(events.NoteAdded, cause, message_id=note_id)
        if self.status in REOPENED_BY_REPLY:
            before = self.status
            self._enter(Status.OPEN, cause.at)
            self._record(
                events.StatusChanged,
                cause,
                status_before=before.value,
                status=Status.OPEN.value,
                reason="a letter did not arrive",
            )

    def participant_wrote(self, message_id: str, sender: Contact, cause: Cause) -> None:
        """Somebody without a customer's rights wrote: they take part, pending, and nothing moves.

        Also somebody who says that he is the customer, and is not believed.
        """
        if self.has_done(cause):
            return
        known = {self.customer_address, *(one.address for one in self.participants)}
        if sender.address not in known:
            self.participants = [*self.participants, Participant(address=sender.address, name=sender.name)]
        self._record(events.ParticipantWrote, cause, message_id=message_id, sender=sender.address)

    def came_to(self, mailbox: str, message_id: str, cause: Cause) -> None:
        """A mail of this ticket came to another mailbox of ours as well: who works there sees it too."""
        if self.has_done(cause) or mailbox == self.mailbox or mailbox in self.also_in:
            return
        self.also_in = [*self.also_in, mailbox]
        self._record(events.CameToMailbox, cause, mailbox=mailbox, message_id=message_id)

    def agent_replied(self, message_id: str, cause: Cause, *, then: Status = Status.WAITING) -> None:
        """An agent answers; the ticket becomes `then`. Raises `MoveNotAllowed`."""
        if self.has_done(cause):
            return
        before = self.status
        if before is not then:
            check_move(before, then)
            self._enter(then, cause.at)
        if self.first_response_at is None:
            self.first_response_at = cause.at
        self._record(events.AgentReplied, cause, message_id=message_id, status_before=before.value)

    def add_note(self, message_id: str, cause: Cause) -> None:
        """An agent leaves a note."""
        if not self.has_done(cause):
            self._record(events.NoteAdded, cause, message_id=message_id)

    def triaged(
        self, triage_id: str, found: Classification, source: Source, reasons: list[str], cause: Cause
    ) -> None:
        """Put what triage found on the ticket, but over nothing that a person has set."""
        if self.has_done(cause) or self.triage_id == triage_id:
            return
        before = self.priority
        for name, value in found:
            self._fill(name, value, source)
        self._fill("priority", found.priority, source)
        self.triage_state, self.triage_id = "done", triage_id
        self._record(
            events.TicketTriaged,
            cause,
            triage_id=triage_id,
            rung=source.value,
            priority_before=before.value,
            reasons=reasons,
        )

    def assign(self, assignee: str | None, team: str | None, cause: Cause) -> None:
        """Give the ticket to an agent or a team, or to nobody."""
        if self.has_done(cause) or (assignee == self.assignee and team == self.team):
            return
        before, team_before = self.assignee, self.team
        self.assignee, self.team = assignee, team
        self.handled_by = "agent" if assignee else "team" if team else "unassigned"
        self._record(
            events.TicketAssigned,
            cause,
            assignee_before=before,
            assignee=assignee,
            team_before=team_before,
            team=team,
        )

    def change_status(self, status: Status, cause: Cause, reason: str = "") -> None:
        """Move to another state; to the same one is no change. Raises `MoveNotAllowed`."""
        if self.has_done(cause) or status is self.status:
            return
        before = self.status
        check_move(before, status)
        self._enter(status, cause.at)
        self._record(
            events.StatusChanged, cause, status_before=before.value, status=status.value, reason=reason
        )

    def set_priority(self, priority: Priority, cause: Cause) -> None:
        """A person sets the priority; no machine changes it afterwards."""
        if self.has_done(cause):
            return
        before = self.priority
        if before is priority and self.sources.get("priority") is Source.PERSON:
            return
        self.priority = priority
        self.sources["priority"] = Source.PERSON
        self._record(events.PriorityChanged, cause, priority_before=before.value, priority=priority.value)

    def breach(self, target: str, due_at: datetime, policy: str, cause: Cause) -> None:
        """A deadline passed unmet; once a target."""
        if self.has_done(cause) or target in self.breached:
            return
        self.breached.append(target)
        self._record(events.SlaBreached, cause, target=target, due_at=due_at, policy=policy)

    def _mark_loop(self, reason: str, cause: Cause) -> None:
        if not self.loop:
            self.loop = reason
            self._record(events.LoopSuspected, cause, reason=reason)

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
        self.status = status
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
