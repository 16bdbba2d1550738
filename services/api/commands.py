"""What the API changes, each deed once however often it is asked for.

The message comes first and the ticket second, as everywhere: an event of a ticket never names a message that
is not there. If the ticket refuses, the message is taken back; if the process dies in between, the repeat of
the call finds the message and finishes the deed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from services.api.bodies import NewNote, NewReply, NewTicket
from services.api.conditions import Deed, check_match
from services.api.context import Api
from services.api.problems import FieldError, ProblemRaised
from shared.domain.cause import Cause
from shared.domain.errors import MoveNotAllowed, NotFound
from shared.domain.ids import sortable
from shared.domain.messages import Direction, Message
from shared.domain.ticket import Contact, Ticket
from shared.metrics import TICKETS_OPENED


@dataclass(frozen=True)
class Done:
    """The ticket afterwards, the message if one was made, and whether it had all been done before."""

    ticket: Ticket
    message: Message | None
    replayed: bool


async def open_ticket(api: Api, body: NewTicket, deed: Deed) -> Done:
    """Open a ticket for a customer. Raises the problems `invalid` and `idempotency_key_reused`."""
    if body.mailbox not in api.settings.mailboxes:
        fault = FieldError(pointer="/mailbox", detail="there is no mailbox of this name")
        raise ProblemRaised("invalid", "the ticket has nowhere to go", errors=[fault])
    customer = Contact(address=body.customer.address, name=body.customer.name)
    now = api.now()
    message = Message(
        id=deed.message_id,
        ticket_id=sortable("tkt", now, deed.name),
        direction=Direction.INBOUND,
        author="customer",
        sender=customer,
        subject=body.subject,
        text=body.text,
        origin=deed.origin,
        reasons=[f"opened through the API by the key {deed.call.key.name}"],
        at=now,
    )
    stored = await api.stores.messages.add(message)
    deed.check_reuse([stored.origin])
    if stored is not message:
        try:
            return Done(await api.stores.tickets.get(stored.ticket_id), stored, replayed=True)
        except NotFound:
            pass  # its maker died, or is just about to open the ticket
    ticket = await _ticket_of(api, body, stored, deed)
    opened = await api.stores.tickets.add(ticket)
    if opened is ticket:
        TICKETS_OPENED.labels("api").inc()
    return Done(opened, stored, replayed=opened is not ticket)


async def _ticket_of(api: Api, body: NewTicket, message: Message, deed: Deed) -> Ticket:
    cause = deed.cause(message.at)
    ticket = Ticket.open(
        message.ticket_id,
        await api.stores.next_ticket_number(),
        mailbox=body.mailbox,
        subject=body.subject,
        channel="api",
        customer=Contact(address=body.customer.address, name=body.customer.name),
        message_id=message.id,
        may_auto_respond=True,
        cause=cause,
    )
    if body.priority is not None:
        ticket.set_priority(body.priority, replace(cause, key=f"{cause.key}:priority"))
    return ticket


async def reply(api: Api, ticket_id: str, body: NewReply, deed: Deed, if_match: str | None) -> Done:
    """Answer the customer. Raises `NotFound`, `MoveNotAllowed` and the problems of conditions."""
    message = _message(api, ticket_id, deed, Direction.OUTBOUND, body.text)
    return await _say(
        api,
        message,
        deed,
        if_match,
        lambda ticket, cause: ticket.agent_replied(message.id, cause, then=body.then),
    )


async def note(api: Api, ticket_id: str, body: NewNote, deed: Deed, if_match: str | None) -> Done:
    """Leave a note. Raises `NotFound` and the problems of conditions."""
    message = _message(api, ticket_id, deed, Direction.NOTE, body.text)
    return await _say(api, message, deed, if_match, lambda ticket, cause: ticket.add_note(message.id, cause))


async def change(
    api: Api, ticket_id: str, deed: Deed, if_match: str | None, act: Callable[[Ticket, Cause], None]
) -> Done:
    """Change the ticket. Raises `NotFound`, what `act` raises and the problems of conditions."""
    attempt = _Attempt(deed, deed.cause(api.now()), if_match, act)
    ticket = await api.stores.tickets.change(ticket_id, attempt)
    return Done(ticket, None, attempt.was_done)


class _Attempt:
    """Decides about a ticket; may be asked again when others save first."""

    def __init__(
        self, deed: Deed, cause: Cause, if_match: str | None, act: Callable[[Ticket, Cause], None]
    ) -> None:
        self.was_done = False
        self._deed = deed
        self._cause = cause
        self._if_match = if_match
        self._act = act

    def __call__(self, ticket: Ticket) -> None:
        # First: to the repeat of a call that was done, the version has moved by that very call.
        self.was_done = ticket.has_done(self._cause)
        if not self.was_done:
            self._deed.check_reuse(ticket.causes)
            check_match(self._if_match, ticket.version)
            self._act(ticket, self._cause)


def _message(api: Api, ticket_id: str, deed: Deed, direction: Direction, text: str) -> Message:
    return Message(
        id=deed.message_id,
        ticket_id=ticket_id,
        direction=direction,
        author="agent",
        text=text,
        origin=deed.origin,
        at=api.now(),
    )


async def _say(
    api: Api, message: Message, deed: Deed, if_match: str | None, act: Callable[[Ticket, Cause], None]
) -> Done:
    attempt = _Attempt(deed, deed.cause(message.at), if_match, act)
    seen = await api.stores.tickets.get(message.ticket_id)
    message.subject = seen.subject
    attempt(seen)  # on a copy of our own, so that what the ticket refuses is never stored
    stored = await api.stores.messages.add(message)
    deed.check_reuse([stored.origin])
    try:
        ticket = await api.stores.tickets.change(message.ticket_id, attempt)
    except (MoveNotAllowed, ProblemRaised):
        if stored is message:
            await api.stores.messages.collection.delete(message.id)
        raise
    return Done(ticket, stored, attempt.was_done)
