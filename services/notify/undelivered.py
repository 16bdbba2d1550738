"""An agent's reply that did not arrive: the ticket says so in a note, and is open again.

A relay that refused it and a mail system behind the relay that sent it back come to the same. Automatic
letters are not missed by anybody: of those the letter itself tells.

On failure: `Unavailable` and `Conflict` of the stores are passed on; the event is handled again and the note
is found.
"""

from services.notify.rules import Kind
from shared.domain.events import LetterBounced, LetterFailed
from shared.domain.ids import derived
from shared.domain.messages import Direction, Message
from shared.domain.received import Received
from shared.runtime.service import Routes
from shared.stores.stores import Stores

NOTE_KIND = "delivery_failure"
"""The kind of the note's message."""


class Undelivered:
    """See the module."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def routes(self) -> Routes:
        """Which handler takes which event."""
        return {LetterFailed: self.tell, LetterBounced: self.tell}

    async def tell(self, received: Received[LetterFailed] | Received[LetterBounced]) -> None:
        """Put the note on the ticket, once an event."""
        event = received.event
        if event.kind != Kind.REPLY.value:
            return
        letter = (await self._stores.letters.get_many([event.letter_id])).get(event.letter_id)
        if letter is None:  # forgotten meanwhile, with its ticket
            return
        status = f" ({event.status})" if isinstance(event, LetterBounced) and event.status else ""
        what = "was not sent" if event.reason.startswith("cancelled by ") else "did not arrive"
        note = Message(
            id=derived("msg", "undelivered", event.id),
            ticket_id=event.ticket_id,
            direction=Direction.NOTE,
            author="system",
            text=f"The reply to {letter.to.address} {what}: {event.reason}{status}.",
            kind=NOTE_KIND,
            origin=event.id,
            at=event.occurred_at,
        )
        await self._stores.messages.add(note)
        cause = received.cause("notify", event.occurred_at)
        await self._stores.tickets.change(
            event.ticket_id, lambda ticket: ticket.letter_came_back(note.id, cause)
        )
