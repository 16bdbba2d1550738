"""What notify does when something happened: it writes a letter down; delivery sends it.

Letters to customers and to the lead; those to agents are in `to_agents.py`. How a letter is written down, and
what a failure leaves, is in `writer.py`.
"""

from collections.abc import Iterable
from typing import Any

from services.notify import rules
from services.notify.brake import Brake
from services.notify.composer import Composer, Occasion, Thread
from services.notify.delivery import Deliverer
from services.notify.rendering import paragraphs
from services.notify.to_agents import ToAgents
from services.notify.undelivered import Undelivered
from services.notify.writer import Writer
from shared.domain.errors import Permanent
from shared.domain.events import AgentReplied, SlaBreached, TicketOpened
from shared.domain.languages import language_of, words
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.ports.clock import Clock
from shared.ports.documents import Order
from shared.runtime.service import Routes
from shared.stores.stores import Stores

NEWEST_LOOKED_AT = 20
"""Messages looked through for the one that a reply answers: agents write a few in a row, not twenty."""

READ_FOR_LANGUAGE = 4_000
"""Characters of a first mail that tell its language; triage, which reads it all, has not done so yet."""


class NotifyHandlers:
    """See the module. `ours` are the addresses of our mailboxes."""

    def __init__(
        self,
        stores: Stores,
        clock: Clock,
        composer: Composer,
        brake: Brake,
        deliverer: Deliverer,
        *,
        ours: Iterable[str],
        lead_address: str,
    ) -> None:
        self._stores = stores
        self._writer = Writer(stores, clock, composer, brake, deliverer)
        self._ours = frozenset(ours)
        self._lead_address = lead_address
        self._undelivered = Undelivered(stores)
        self._to_agents = ToAgents(stores, self._writer, self._ours)

    def routes(self) -> Routes:
        """Which handler takes which event."""
        return {
            TicketOpened: self.acknowledge,
            AgentReplied: self.send_reply,
            SlaBreached: self.tell_of_breach,
            **self._undelivered.routes(),
            **self._to_agents.routes(),
        }

    async def acknowledge(self, received: Received[TicketOpened]) -> None:
        """Tell a customer that the first mail of a ticket has arrived."""
        event = received.event
        wanted = rules.acknowledgement(event, self._ours)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        first = (await self._stores.messages.get_many([event.message_id])).get(event.message_id)
        language = language_of(words(f"{event.subject}\n{first.text[:READ_FOR_LANGUAGE]}")) if first else None
        thread, values = Thread.after(first), {"number": event.number}
        about = Occasion(event, received.traceparent, event.mailbox, thread, values, language or "")
        await self._writer.write(wanted, about)

    async def send_reply(self, received: Received[AgentReplied]) -> None:
        """Send an agent's answer to the customer."""
        event = received.event
        ticket = await self._stores.tickets.get(event.ticket_id)
        wanted = rules.reply(event, ticket)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        message = await self._stores.messages.get(event.message_id)
        if message.direction is not Direction.OUTBOUND:
            raise Permanent(f"message {message.id} is no reply: a customer must not be sent it")
        values: dict[str, Any] = {
            "number": ticket.number,
            "subject": without_re(ticket.subject),
            "text": message.text,
            "paragraphs": paragraphs(message.text),
        }
        thread = await self._thread_of(message)
        about = Occasion(event, received.traceparent, ticket.mailbox, thread, values, ticket.language or "")
        await self._writer.write(wanted, about)

    async def tell_of_breach(self, received: Received[SlaBreached]) -> None:
        """Tell the lead that a deadline was missed."""
        event = received.event
        wanted = rules.breach_notice(event, self._lead_address)
        if wanted is None or await self._writer.is_written(wanted, event):
            return
        ticket = await self._stores.tickets.get(event.ticket_id)
        values = {
            "number": ticket.number,
            "subject": ticket.subject,
            "customer": ticket.customer_address,
            "target": event.target,
            "due_at": f"{event.due_at:%Y-%m-%d %H:%M}",
            "policy": event.policy,
            "priority": event.facts.priority,
        }
        await self._writer.write(
            wanted, Occasion(event, received.traceparent, ticket.mailbox, Thread(), values)
        )

    async def _thread_of(self, message: Message) -> Thread:
        """What an outbound message answers: what it says itself, else the newest inbound mail."""
        if message.in_reply_to:
            return Thread(message.in_reply_to, message.references)
        newest = await self._stores.messages.find(
            {"ticket_id": message.ticket_id}, Order("at", descending=True), limit=NEWEST_LOOKED_AT
        )
        inbound = (one for one in newest.items if one.direction is Direction.INBOUND and one.message_id)
        return Thread.after(next(inbound, None))


def without_re(subject: str) -> str:
    """The subject without the "Re:" that the reply puts before it."""
    stripped = subject.strip()
    while stripped[:3].lower() == "re:":
        stripped = stripped[3:].strip()
    return stripped
