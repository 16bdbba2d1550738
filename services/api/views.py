"""What the API shows. Public shapes, kept apart from the stored documents on purpose: a document may change
with the product, a field that was shown stays.

Instants are RFC 3339 in UTC. The HTML that strangers send is handed out as a page alone (routes/content.py).
"""

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from services.api.attachments import path_of
from shared.domain.deadlines import DeadlineState, Target
from shared.domain.documents import Instant
from shared.domain.ledger import Outcome
from shared.domain.letters import LetterState
from shared.domain.messages import Direction, Message
from shared.domain.priority import Level, Priority, Sentiment, Source
from shared.domain.status import Status


class View(BaseModel):
    """Reads its fields off a document."""

    model_config = ConfigDict(from_attributes=True)


class ContactView(View):
    """A person as mail knows them."""

    address: str
    name: str


class ParticipantView(ContactView):
    """Somebody who takes part; only confirmed ones have rights."""

    confirmed: bool


class TicketView(View):
    """A ticket."""

    id: str = Field(examples=["tkt_06dx3w5r8gk2m9qhv0tzn4cbje"])
    number: int = Field(description="what people see; no right follows from it", examples=[10042])
    version: int = Field(description="the number in its ETag")
    mailbox: str
    channel: str
    subject: str
    customer: ContactView
    participants: list[ParticipantView]
    status: Status
    priority: Priority
    category: str | None
    severity: Level | None
    urgency: Level | None
    sentiment: Sentiment | None
    language: str | None
    summary: str
    tags: list[str]
    sources: dict[str, Source] = Field(description="who filled each triaged field")
    triage_state: str
    team: str | None
    assignee: str | None
    handled_by: str
    opened_at: Instant
    updated_at: Instant
    first_response_at: Instant | None
    resolved_at: Instant | None
    closed_at: Instant | None
    snoozed_until: Instant | None = Field(default=None, description="on hold, and open again from then on")
    breached: list[str] = Field(description="targets whose deadline passed unmet")
    loop: str = Field(
        default="", description="why machines are thought to write to each other here; empty: no"
    )
    follow_up_of: str | None
    claims_to_belong_to: str | None
    merged_into: str | None = Field(default=None, description="the ticket that stands for this one now")
    also_in: list[str] = Field(default=[], description="other mailboxes that a mail of it came to")


class AttachmentView(View):
    """A file that came with a mail. `size` and `sha256` are of its bytes as a download gives them."""

    filename: str
    content_type: str
    size: int
    sha256: str
    content_id: str = Field(default="", description="by which the mail's HTML names it")
    inline: bool
    url: str | None = Field(default=None, description="where to download it; null: in the raw mail alone")


class InnerView(View):
    """The mail that a message forwards, as it says itself: it proves nothing."""

    sender: ContactView | None
    date: str
    subject: str


class MessageView(View):
    """One thing said on a ticket. `reasons` say why it joined; `raw` tells whether the raw mail is kept."""

    id: str
    ticket_id: str
    direction: Direction
    author: str
    sender: ContactView | None
    to: list[ContactView]
    cc: list[ContactView]
    subject: str
    text: str
    reply_text: str = Field(validation_alias="said")
    forwarded: InnerView | None
    kind: str
    has_html: Annotated[bool, BeforeValidator(bool)] = Field(
        default=False, validation_alias="html", description="its page shows more than its text"
    )
    attachments: list[AttachmentView]
    message_id: str
    verified: bool
    reasons: list[str]
    at: Instant

    @classmethod
    def of(cls, message: Message) -> Self:
        """With the addresses of its attachments."""
        view = cls.model_validate(message)
        for number, (shown, one) in enumerate(zip(view.attachments, message.attachments, strict=True), 1):
            shown.url = path_of(message, number) if one.place is not None else None
        return view


class AttemptView(View):
    """One try to send a letter."""

    at: Instant
    code: int | None
    answer: str


class LetterView(View):
    """One mail of ours to one addressee, and what became of it."""

    id: str
    ticket_id: str
    kind: str
    automatic: bool
    to: ContactView
    subject: str
    message_id: str
    state: LetterState
    attempts: list[AttemptView]
    reason: str
    created_at: Instant
    sent_at: Instant | None


class DeedView(View):
    """What a person did to a mail that was set aside: `edited`, `retried` or `released`."""

    what: str
    by: str
    at: Instant


class LedgerView(View):
    """What became of one mail that a mailbox server showed us.

    `folder` is empty for the mailbox's main one. `partial`: the server has more of the mail than is kept.
    `edited`: the digest of the bytes that a person put beside the original, empty for none.
    """

    id: str
    mailbox: str
    folder: str
    partial: bool
    edited: str
    uidvalidity: int
    uid: int
    digest: str
    message_id: str
    outcome: Outcome
    reason: str
    deeds: list[DeedView] = Field(description="what people did to it while it was set aside")
    ticket_id: str | None
    fetched_at: Instant
    at: Instant


class Spoken(BaseModel):
    """A message that was made, and its ticket afterwards."""

    message: MessageView
    ticket: TicketView


class MessageEntry(BaseModel):
    """Something was said."""

    kind: Literal["message"] = "message"
    at: Instant
    message: MessageView


class StatusEntry(BaseModel):
    """The ticket entered a state."""

    kind: Literal["status"] = "status"
    at: Instant
    status: Status


class TriageEntry(View):
    """The ticket was classified, by which rung and why."""

    kind: Literal["triage"] = "triage"
    at: Instant
    rung: Source
    priority: Priority
    category: str
    model: str
    prompt_version: str
    confidence: dict[str, float]
    reasons: list[str]


class DeadlineEntry(View):
    """A deadline: what it asks for, how it came about, what became of it. `at` is when it is due."""

    kind: Literal["deadline"] = "deadline"
    at: Instant
    target: Target
    policy: str
    state: DeadlineState
    explanation: str
    fired_at: Instant | None


class LetterEntry(BaseModel):
    """A letter was written."""

    kind: Literal["letter"] = "letter"
    at: Instant
    letter: LetterView


Entry = Annotated[
    MessageEntry | StatusEntry | TriageEntry | DeadlineEntry | LetterEntry, Field(discriminator="kind")
]


class Timeline(BaseModel):
    """Everything that happened on a ticket, in order. `complete` is false when not all is shown."""

    data: list[Entry]
    complete: bool


class TicketList(BaseModel):
    """A page of tickets."""

    data: list[TicketView]
    next_cursor: str | None


class MessageList(BaseModel):
    """A page of messages."""

    data: list[MessageView]
    next_cursor: str | None


class LetterList(BaseModel):
    """A page of letters."""

    data: list[LetterView]
    next_cursor: str | None


class LedgerList(BaseModel):
    """A page of ledger entries."""

    data: list[LedgerView]
    next_cursor: str | None


class MailTrace(BaseModel):
    """What became of one mail."""

    message_id: str
    ledger: list[LedgerView]
    messages: list[MessageView]
    tickets: list[TicketView]
    letters: list[LetterView]


class Overview(BaseModel):
    """How many tickets there are, in all and of each kind; `none` counts those without."""

    total: int
    breached: int = Field(description="with a deadline that passed unmet")
    status: dict[str, int]
    priority: dict[str, int]
    category: dict[str, int]
    sentiment: dict[str, int]
    handled_by: dict[str, int]

    @classmethod
    def of(cls, numbers: Mapping[str, int]) -> "Overview":
        """The overview out of numbers such as `status=open`."""
        groups: dict[str, dict[str, int]] = {
            "status": dict.fromkeys(Status, 0),
            "priority": dict.fromkeys(Priority, 0),
            "category": {},
            "sentiment": {},
            "handled_by": {},
        }
        for name, number in sorted(numbers.items()):
            group, is_grouped, value = name.partition("=")
            if is_grouped and group in groups and number:
                groups[group][value] = number
        return cls(total=numbers.get("total", 0), breached=numbers.get("breached", 0), **groups)


class OverviewRefresh(BaseModel):
    """What counting anew has found."""

    tickets: int
    uncounted: int = Field(description="whose latest event had not been counted yet")
    difference: int = Field(description="at least so many had been counted wrongly; 0: it was right")
    corrections: dict[str, int] = Field(description="what was added to which number")
    unsettled: int = Field(description="of 16 shards, those too busy to judge: try again at a quieter time")
    overview: Overview


class Me(BaseModel):
    """The key that the request came with."""

    id: str
    name: str
    scopes: list[str]
