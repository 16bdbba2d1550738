"""Snoozes: a ticket that was put on hold until an instant is opened at it, once, by any number of processes.

As with deadlines the timer is claimed under a lease, the ticket told first and the timer saved after it: a
process that dies in between leaves a claim that runs out, and telling the ticket again changes nothing. A
ticket that was moved meanwhile, by a reply or a person, or put off anew, stays as it is.
"""

import asyncio
from datetime import datetime

import structlog

from services.escalation.firing import fire_each, keep_firing
from services.escalation.settings import EscalationSettings
from shared import metrics
from shared.domain.cause import Cause
from shared.domain.errors import Conflict, NotFound, OmbudError
from shared.domain.snoozes import Snooze
from shared.domain.ticket import Ticket
from shared.ports.clock import Clock
from shared.stores.stores import Stores

log = structlog.get_logger()


class Snoozes:
    """See the module."""

    def __init__(self, stores: Stores, clock: Clock, settings: EscalationSettings) -> None:
        self._stores = stores
        self._clock = clock
        self._settings = settings

    async def run(self, stop: asyncio.Event) -> None:
        """Fire what comes due until told to stop; an outage is waited for."""
        await keep_firing(stop, self.fire_due, self._settings)

    async def fire_due(self) -> int:
        """Fire what is due now, and return how much that was."""
        now = self._clock.now()
        due = await self._stores.snoozes.collection.claim(now, self._settings.lease, self._settings.at_once)
        return await fire_each(due, self._fire, _failed)

    async def _fire(self, snooze: Snooze) -> None:
        claimed, at = snooze.version, self._now(snooze)
        opened = await self._opens(snooze, at)
        snooze.fired_at, snooze.wake_at = at, None
        snooze.touch()
        try:
            await self._stores.snoozes.save(snooze, if_version=claimed)
        except Conflict:
            return
        metrics.SNOOZES_FIRED.labels("opened" if opened else "overtaken").inc()

    async def _opens(self, snooze: Snooze, at: datetime) -> bool:
        """Whether the ticket was still on hold for it, and is open now."""
        cause = Cause(f"escalation:{snooze.id}", "service:escalation", at, snooze.id)

        def wake(ticket: Ticket) -> None:
            ticket.wake(snooze.until, cause)

        try:
            return (await self._stores.tickets.change(snooze.ticket_id, wake)).has_done(cause)
        except NotFound:  # forgotten meanwhile
            return False

    def _now(self, snooze: Snooze) -> datetime:
        """Not before it was due: that it was, is why it was claimed, whoever has set the clock back since."""
        return max(self._clock.now(), snooze.until)


def _failed(snooze: Snooze, fault: OmbudError) -> None:
    metrics.SNOOZES_FIRED.labels("error").inc()
    log.warning("snoozes.not_fired", snooze=snooze.id, fault=str(fault))
