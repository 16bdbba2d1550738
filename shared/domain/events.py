"""Everything that happens, in the past tense: the contract between the services.

CloudEvents 1.0, Kafka binary mode: the attributes travel as `ce_*` headers, the value is the event as JSON
(of MailFetched: the mail's own bytes). Only optional fields are ever added; the golden samples in
`tests/data/events/` are every released version and must keep parsing. Unknown fields are ignored.

An event holds what its readers need to decide, not the mail's body: a body is read from the store.
"""

from abc import abstractmethod
from functools import lru_cache
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.documents import Envelope, Instant

MAIL_TOPIC = "ombud.mail.v1"
TICKETS_TOPIC = "ombud.tickets.v1"
TOPICS = (MAIL_TOPIC, TICKETS_TOPIC)
SOURCE = "/ombud"


class Event(BaseModel):
    """What all events say: which ticket it is about, and who did it when.

    `version` is that of the document whose outbox holds it, after it: a ticket's for events of the ticket, a
    letter's for events of the letter.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]

    ticket_id: str
    version: int
    actor: str
    occurred_at: Instant
    correlation_id: str = ""

    @property
    @abstractmethod
    def id(self) -> str:
        """The id of the document whose outbox holds it, and its version: the same whenever it is made again.

        No other event may have it: the relay takes what has a known id for published.
        """

    def enveloped(self, traceparent: str = "") -> Envelope:
        """The event as it waits in the outbox."""
        return Envelope(
            id=self.id,
            type=self.type,
            topic=TICKETS_TOPIC,
            key=self.ticket_id,
            time=self.occurred_at,
            data=self.model_dump_json(),
            correlation_id=self.correlation_id,
            traceparent=traceparent,
        )


class Facts(BaseModel):
    """What a projection counts a ticket by: its state after the event."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    status: str
    priority: str
    category: str | None = None
    sentiment: str | None = None
    handled_by: str = "unassigned"
    breached: bool = False


class TicketEvent(Event):
    """An event of a ticket, and the facts after it; a projection drops what is not newer than it has."""

    facts: Facts

    @property
    def id(self) -> str:
        """One event a ticket and version."""
        return f"{self.ticket_id}.{self.version}"


class TicketOpened(TicketEvent):
    """A ticket came into being; its first message is stored."""

    type: ClassVar[str] = "ombud.ticket.opened.v1"
    number: int
    mailbox: str
    channel: str
    subject: str
    customer: str = Field(description="the customer's address")
    customer_name: str = ""
    language: str | None = None
    message_id: str = Field(description="the id of the first message's document")
    may_auto_respond: bool = Field(description="whether an automatic letter may answer it (RFC 3834)")


class CustomerReplied(TicketEvent):
    """The customer, or a participant, said something more. `assignee`: whose work the ticket was then."""

    type: ClassVar[str] = "ombud.ticket.customer_replied.v1"
    message_id: str
    sender: str
    status_before: str
    assignee: str | None = None


class AutomaticMailNoted(TicketEvent):
    """A machine answered: shown on the ticket, moves no state, gets no answer."""

    type: ClassVar[str] = "ombud.ticket.automatic_mail_noted.v1"
    message_id: str
    sender: str
    kind: str


class ParticipantWrote(TicketEvent):
    """Somebody without a customer's rights wrote: shown on the ticket, moves no state, gets no answer."""

    type: ClassVar[str] = "ombud.ticket.participant_wrote.v1"
    message_id: str
    sender: str


class CameToMailbox(TicketEvent):
    """A mail of the ticket came to another mailbox of ours as well."""

    type: ClassVar[str] = "ombud.ticket.came_to_mailbox.v1"
    mailbox: str
    message_id: str


class AgentReplied(TicketEvent):
    """An agent answered the customer; a letter follows."""

    type: ClassVar[str] = "ombud.ticket.agent_replied.v1"
    message_id: str
    status_before: str


class NoteAdded(TicketEvent):
    """An agent left a note that customers never see."""

    type: ClassVar[str] = "ombud.ticket.note_added.v1"
    message_id: str


class TicketTriaged(TicketEvent):
    """Classification is done; the fields that a person had set are as they were."""

    type: ClassVar[str] = "ombud.ticket.triaged.v1"
    triage_id: str
    rung: str
    priority_before: str
    reasons: list[str] = []


class TicketAssigned(TicketEvent):
    """Somebody took the ticket or was given it; None: it is nobody's."""

    type: ClassVar[str] = "ombud.ticket.assigned.v1"
    assignee_before: str | None
    assignee: str | None
    team_before: str | None = None
    team: str | None = None


class StatusChanged(TicketEvent):
    """The ticket moved to another state. `snoozed_until`: it will open by itself at this instant."""

    type: ClassVar[str] = "ombud.ticket.status_changed.v1"
    status_before: str
    status: str
    reason: str = ""
    snoozed_until: Instant | None = None


class CommandRefused(TicketEvent):
    """An agent's mail asked for what cannot be done, so nothing of it was; the mail is kept as a note."""

    type: ClassVar[str] = "ombud.ticket.command_refused.v1"
    message_id: str
    sender: str = Field(description="the agent's address")
    reason: str = Field(description="a sentence that says what to do")
    may_auto_respond: bool = Field(description="whether an automatic letter may tell the agent (RFC 3834)")


class PriorityChanged(TicketEvent):
    """A person set the priority."""

    type: ClassVar[str] = "ombud.ticket.priority_changed.v1"
    priority_before: str
    priority: str


class LoopSuspected(TicketEvent):
    """Machines write to each other on this ticket; automatic letters on it have stopped."""

    type: ClassVar[str] = "ombud.ticket.loop_suspected.v1"
    reason: str


class SlaBreached(TicketEvent):
    """A deadline passed without what it asked for."""

    type: ClassVar[str] = "ombud.ticket.sla_breached.v1"
    target: str
    due_at: Instant
    policy: str


class LetterEvent(Event):
    """What became of a letter. `version` is the letter's, and the event's id is made of the letter's."""

    letter_id: str
    kind: str

    @property
    def id(self) -> str:
        """One event a letter and version."""
        return f"{self.letter_id}.{self.version}"


class LetterSent(LetterEvent):
    """The relay has taken the letter."""

    type: ClassVar[str] = "ombud.letter.sent.v1"


class LetterFailed(LetterEvent):
    """The letter will not be tried again."""

    type: ClassVar[str] = "ombud.letter.failed.v1"
    reason: str


class LetterBounced(LetterEvent):
    """A mail system behind our relay could not deliver the letter, and sent it back."""

    type: ClassVar[str] = "ombud.letter.bounced.v1"
    reason: str = Field(description="one word, as userunknown, mailboxfull, blocked")
    hard: bool | None = Field(description="whether writing to the address again is in vain")
    status: str = Field(default="", description="the enhanced status (RFC 3463)")


PARSED_KEPT = 2_000
"""Events kept in memory: nobody can change one, so the readers in a process share what the first parsed."""

EVENTS: dict[str, type[Event]] = {
    kind.type: kind
    for kind in (
        TicketOpened,
        CustomerReplied,
        AutomaticMailNoted,
        ParticipantWrote,
        CameToMailbox,
        AgentReplied,
        NoteAdded,
        TicketTriaged,
        TicketAssigned,
        StatusChanged,
        CommandRefused,
        PriorityChanged,
        SlaBreached,
        LoopSuspected,
        LetterSent,
        LetterFailed,
        LetterBounced,
    )
}
"""Every event on the tickets' topic by its type; `docs/asyncapi.yaml` is made from it."""


def parse_event(kind: str, data: bytes | str) -> Event | None:
    """The event, or None for a type that this version does not know (a newer service wrote it).

    Raises `pydantic.ValidationError` for a known type whose data does not fit.
    """
    model = EVENTS.get(kind)
    return None if model is None else _parsed(model, data)


@lru_cache(PARSED_KEPT)
def _parsed(model: type[Event], data: bytes | str) -> Event:
    return model.model_validate_json(data)
