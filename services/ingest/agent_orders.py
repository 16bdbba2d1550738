"""What an agent's mail asks for, carried out on a ticket, and the message that the mail is kept as.

Nothing is stored or asked here. A message says what was meant; whether it was done the ticket remembers, by
one of two causes.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from services.ingest.agent_commands import Commands
from services.ingest.recognise import Kind
from services.ingest.reply_text import Split
from services.ingest.taken import Taken, message_of
from services.ingest.thread import Decision
from shared.domain.cause import Cause
from shared.domain.messages import Direction, Message
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.domain.users import User

AGENT = "agent"
COMMAND, REFUSED = "command", "command_refused"
"""Kinds of messages: a mail that only moves the ticket; one of which nothing was done."""

_NOT_DONE = "nothing was done: "

_DIFFERS = (
    "direction",
    "kind",
    "subject",
    "to",
    "cc",
    "text",
    "reply_text",
    "html",
    "in_reply_to",
    "references",
    "reasons",
)
"""In what a note differs from what a customer is sent."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A mail that gives back what we signed for a user, on this ticket.

    `doubt` says why it commands nothing all the same, and what to do about it; empty when it may.
    """

    user: User
    ticket: Ticket
    doubt: str


@dataclass(frozen=True, slots=True)
class Order:
    """What an agent's mail asks for, looked up. `assignee` counts if `assigns`; None is nobody."""

    commands: Commands
    assigns: bool
    assignee: str | None
    until: datetime | None

    def carry_out(self, ticket: Ticket, message_id: str, cause: Cause) -> None:
        """Do all of it. Raises `Invalid` and `MoveNotAllowed`; then the ticket must not be saved."""
        asked = self.commands
        if self.assigns:
            ticket.assign(self.assignee, ticket.team, _part(cause, "assign"))
        if asked.says == "reply":
            rests = Status.WAITING if self.until is None else Status.ON_HOLD
            ticket.agent_replied(message_id, cause, then=asked.status or rests)
        elif asked.status is not None:
            ticket.change_status(asked.status, _part(cause, "status"), "by mail")
        if self.until is not None:
            ticket.snooze(self.until, _part(cause, "snooze"))
        if asked.says != "reply":
            ticket.add_note(message_id, cause)


def settled(ticket: Ticket, cause: Cause) -> bool:
    """Whether it was decided before, one way or the other."""
    return ticket.has_done(cause) or ticket.has_done(refusal(cause))


def refusal(cause: Cause) -> Cause:
    """The cause under which the ticket remembers that nothing was done."""
    return _part(cause, "refused")


def _part(cause: Cause, name: str) -> Cause:
    return replace(cause, key=f"{cause.key}:{name}")


def message_for(taken: Taken, claim: Claim, parts: Split, order: Order | None, fault: str) -> Message:
    """The mail as a note, or as what the customer is sent: then nothing else of it stands there."""
    decision = Decision(
        claim.ticket.id, False, [f"an answer of the user {claim.user.id} to a letter of ours"]
    )
    message = message_of(taken, decision, parts)
    message.direction, message.author, message.kind = Direction.NOTE, AGENT, COMMAND
    message.sender = Contact(address=taken.sender.address, name=claim.user.name)
    message.reasons.insert(1, taken.authentication.reason)
    if order is None:
        message.kind = REFUSED
        message.reasons.append(f"{_NOT_DONE}{fault}")
        return message
    message.reasons.append("commands: " + ", ".join(f"#{name}" for name in order.commands.names))
    if order.commands.says:
        message.kind, message.reply_text = Kind.MESSAGE.value, order.commands.text
    if order.commands.says == "reply":
        message.direction, message.text = Direction.OUTBOUND, order.commands.text
        message.subject = claim.ticket.subject
        message.reply_text = message.html = message.in_reply_to = ""
        message.to, message.cc, message.references = [], [], []
        if message.attachments:
            message.reasons.append(f"{len(message.attachments)} inline pictures or signatures were not sent")
    return message


def reason_of(message: Message) -> str:
    """Why nothing was done, if an earlier try found so."""
    if message.kind != REFUSED:
        return ""
    return next((one.removeprefix(_NOT_DONE) for one in message.reasons if one.startswith(_NOT_DONE)), "")


def turn_into(message: Message, note: Message) -> None:
    """Nothing of it was done, so nothing of it was sent: it is a note. A second time changes nothing."""
    if message.kind == REFUSED:
        return
    for name in _DIFFERS:
        setattr(message, name, getattr(note, name))
    message.touch()
