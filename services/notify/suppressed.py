"""Addresses that get no letter for now, as their mail comes back; and tickets on which machines write.

The list is fed by ingest's bounces and by people (shared/stores/suppressions.py). It is asked once a letter,
when the letter is made, also for an agent's reply: the ticket then says why it did not go.

On failure: `Unavailable` and `Conflict` of the stores are passed on; the event is handled again.
"""

from contextlib import suppress
from datetime import datetime

from services.notify.rules import Wanted
from shared.domain.cause import Cause
from shared.domain.errors import NotFound
from shared.domain.events import Event
from shared.domain.suppressions import suppression_id
from shared.stores.stores import Stores


class Suppressed:
    """See the module."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    async def why(self, wanted: Wanted, at: datetime) -> str:
        """Why this letter must not go, as a sentence for the agent; empty when it may."""
        own_id = suppression_id(wanted.to.address)
        found = (await self._stores.suppressions.get_many([own_id])).get(own_id)
        if found is None or not found.holds(at):
            return ""
        wished = f"{found.held_by} wants no letters to go to this address"
        why = wished if found.held_by else "mail to this address came back"
        return f"suppressed: {why} ({found.reason}); `ombud letters lift ADDRESS` lets it be tried again"

    async def mark_loop(self, event: Event, at: datetime, reason: str) -> None:
        """The brake held a letter: the ticket says that machines seem to write to each other."""
        cause = Cause(f"notify:loop:{event.id}", "service:notify", at, event.correlation_id)
        with suppress(NotFound):  # a ticket may have been forgotten meanwhile
            await self._stores.tickets.change(event.ticket_id, lambda one: one.suspect_loop(reason, cause))
