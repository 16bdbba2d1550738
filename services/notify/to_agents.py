"""Letters to agents: a ticket is theirs now, its customer wrote again, a mail of theirs was not carried out.

To a user who is enabled, about what others did since they have been one. All are automatic: at most once,
under the brake, not to suppressed addresses. They may be answered with commands (services/ingest/agents.py).

On failure: `Unavailable` and `Conflict` of the stores are passed on; the event is handled again.
"""

from typing import Any

from services.notify import rules
from services.notify.composer import Occasion, Thread
from services.notify.rendering import paragraphs
from services.notify.rules import Wanted
from services.notify.writer import Writer
from shared.domain.events import CommandRefused, CustomerReplied, TicketAssigned
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.domain.ticket import Ticket
from shared.ports.documents import Order
from shared.runtime.service import Routes
from shared.stores.stores import Stores
from shared.stores.users import user_named, user_of

LONGEST_TEXT = 4_000
"""Characters of a message that a letter shows; the rest is on the ticket."""

NEWEST_LOOKED_AT = 20
"""Messages looked through for the customer's newest one."""


class ToAgents:
    """See the module. `ours` are the addresses of our mailboxes."""

    def __init__(self, stores: Stores, writer: Writer, ours: frozenset[str]) -> None:
        self._stores = stores
        self._writer = writer
        self._ours = ours

    def routes(self) -> Routes:
        """Which handler takes which event."""
        return {
            TicketAssigned: self.tell_of_assignment,
            CustomerReplied: self.tell_of_reply,
            CommandRefused: self.tell_of_refusal,
        }

    async def tell_of_assignment(self, received: Received[TicketAssigned]) -> None:
        """Tell a user that a ticket is theirs, with the newest that its customer wrote."""
        event = received.event
        if event.assignee is None:
            return
        wanted = rules.assignment(event, await user_named(self._stores, event.assignee), self._ours)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        ticket = await self._stores.tickets.get(event.ticket_id)
        await self._write_of_work(wanted, received, ticket, await self._newest(ticket))

    async def tell_of_reply(self, received: Received[CustomerReplied]) -> None:
        """Tell the assignee what the customer wrote."""
        event = received.event
        if event.assignee is None:
            return
        wanted = rules.news(event, await user_named(self._stores, event.assignee), self._ours)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        ticket = await self._stores.tickets.get(event.ticket_id)
        await self._write_of_work(wanted, received, ticket, await self._stores.messages.get(event.message_id))

    async def tell_of_refusal(self, received: Received[CommandRefused]) -> None:
        """Give an agent's mail back with the reason why nothing was done."""
        event = received.event
        wanted = rules.command_failure(event, await user_of(self._stores, event.sender), self._ours)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        ticket = await self._stores.tickets.get(event.ticket_id)
        message = await self._stores.messages.get(event.message_id)
        values = {**_about(ticket, message), "reason": event.reason}
        thread = Thread(message.message_id, message.references)
        await self._writer.write(
            wanted, Occasion(event, received.traceparent, ticket.mailbox, thread, values)
        )

    async def _write_of_work(
        self, wanted: Wanted, received: Received[Any], ticket: Ticket, message: Message | None
    ) -> None:
        values = {**_about(ticket, message), "customer": ticket.customer_address}
        await self._writer.write(
            wanted, Occasion(received.event, received.traceparent, ticket.mailbox, Thread(), values)
        )

    async def _newest(self, ticket: Ticket) -> Message | None:
        """The newest that the customer said, as far as it is known to be the customer's."""
        page = await self._stores.messages.find(
            {"ticket_id": ticket.id}, Order("at", descending=True), limit=NEWEST_LOOKED_AT
        )
        said = (
            one
            for one in page.items
            if one.direction is Direction.INBOUND and one.author == "customer" and one.verified
        )
        return next(said, None)


def _about(ticket: Ticket, message: Message | None) -> dict[str, Any]:
    text = message.said.strip() if message is not None else ""
    shown = text[:LONGEST_TEXT].rstrip()
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "text": shown,
        "paragraphs": paragraphs(shown),
        "shortened": len(shown) < len(text),
    }
