"""What notify does when something happened: it writes a letter down; delivery sends it.

The decision is taken once: a letter that exists is left as it is, however often its event comes again and
whatever has changed in the settings or the templates since. The letter's Message-ID is known to threading
before the letter exists, so an answer to it finds its ticket however fast it comes.

On failure: nothing is sent from here. A process that dies in between leaves at most a known Message-ID; the
event comes again and finds it.
"""

from collections.abc import Iterable
from typing import Any

import structlog

from services.notify import rules
from services.notify.brake import Brake
from services.notify.composer import Composer, Occasion, Thread, id_of
from services.notify.delivery import Deliverer
from services.notify.rendering import paragraphs
from services.notify.rules import Kind, Wanted
from services.notify.suppressed import Suppressed
from services.notify.undelivered import Undelivered
from shared import metrics
from shared.domain.events import AgentReplied, Event, SlaBreached, TicketOpened
from shared.domain.ids import thread_id_for
from shared.domain.languages import language_of, words
from shared.domain.letters import Attempt, Letter
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.ports.clock import Clock
from shared.ports.documents import Order
from shared.runtime.service import Routes
from shared.stores.collections import ThreadId
from shared.stores.stores import Stores

NEWEST_LOOKED_AT = 20
"""Messages looked through for the one that a reply answers: agents write a few in a row, not twenty."""

READ_FOR_LANGUAGE = 4_000
"""Characters of a first mail that tell its language; triage, which reads it all, has not done so yet."""

log = structlog.get_logger()


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
        self._clock = clock
        self._composer = composer
        self._brake = brake
        self._deliverer = deliverer
        self._ours = frozenset(ours)
        self._lead_address = lead_address
        self._suppressed = Suppressed(stores)
        self._undelivered = Undelivered(stores)

    def routes(self) -> Routes:
        """Which handler takes which event."""
        return {
            TicketOpened: self.acknowledge,
            AgentReplied: self.send_reply,
            SlaBreached: self.tell_of_breach,
            **self._undelivered.routes(),
        }

    async def acknowledge(self, received: Received[TicketOpened]) -> None:
        """Tell a customer that the first mail of a ticket has arrived."""
        event = received.event
        wanted = rules.acknowledgement(event, self._ours)
        if wanted is None or await self._is_written(wanted, event):
            return
        first = (await self._stores.messages.get_many([event.message_id])).get(event.message_id)
        language = language_of(words(f"{event.subject}\n{first.text[:READ_FOR_LANGUAGE]}")) if first else None
        thread, values = Thread.after(first), {"number": event.number}
        about = Occasion(event, received.traceparent, event.mailbox, thread, values, language or "")
        await self._write(wanted, about)

    async def send_reply(self, received: Received[AgentReplied]) -> None:
        """Send an agent's answer to the customer."""
        event = received.event
        ticket = await self._stores.tickets.get(event.ticket_id)
        wanted = rules.reply(event, ticket)
        if wanted is None or await self._is_written(wanted, event):
            return
        message = await self._stores.messages.get(event.message_id)
        values: dict[str, Any] = {
            "number": ticket.number,
            "subject": without_re(ticket.subject),
            "text": message.text,
            "paragraphs": paragraphs(message.text),
        }
        thread = await self._thread_of(message)
        about = Occasion(event, received.traceparent, ticket.mailbox, thread, values, ticket.language or "")
        await self._write(wanted, about)

    async def tell_of_breach(self, received: Received[SlaBreached]) -> None:
        """Tell the lead that a deadline was missed."""
        event = received.event
        wanted = rules.breach_notice(event, self._lead_address)
        if wanted is None or await self._is_written(wanted, event):
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
        await self._write(wanted, Occasion(event, received.traceparent, ticket.mailbox, Thread(), values))

    async def _is_written(self, wanted: Wanted, event: Event) -> bool:
        own_id = id_of(wanted, event)
        return own_id in await self._stores.letters.get_many([own_id])

    async def _write(self, wanted: Wanted, about: Occasion) -> None:
        event, now = about.event, self._clock.now()
        letter = self._composer.compose(wanted, about, now)
        held = await self._held(letter, wanted, event)
        known = ThreadId(id=thread_id_for(letter.message_id), ticket_id=event.ticket_id, carried=True)
        await self._stores.thread_ids.add(known)
        if held:
            letter.failed(Attempt(at=now, answer="not tried"), held)
        else:
            self._deliverer.schedule(letter, now)
        if await self._stores.letters.add(letter) is letter:
            self._hand_on(letter)

    async def _held(self, letter: Letter, wanted: Wanted, event: Event) -> str:
        """Why the letter must not go; empty when it may."""
        if why := await self._suppressed.why(wanted, self._clock.now()):
            return why
        braked = await self._brake.holds(letter.id, wanted, event.ticket_id, event.occurred_at)
        if braked and wanted.kind is not Kind.SLA_BREACHED:  # the lead is no loop
            await self._suppressed.mark_loop(event, self._clock.now(), braked)
        return braked

    def _hand_on(self, letter: Letter) -> None:
        if letter.wake_at is not None:
            self._deliverer.offer(letter)
            return
        metrics.LETTERS.labels(letter.kind, "braked").inc()
        log.warning("letter.braked", letter=letter.id, ticket=letter.ticket_id, reason=letter.reason)

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
