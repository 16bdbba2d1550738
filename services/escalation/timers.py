"""Timers: deadlines that come due are fired once, by any number of processes.

A due deadline is claimed under a lease. The ticket is told first and the deadline saved after it: a process
that dies in between leaves a claim that runs out, and telling the ticket again changes nothing.
"""

import asyncio
from datetime import datetime

import structlog

from services.escalation import rules
from services.escalation.firing import fire_each, keep_firing
from services.escalation.settings import EscalationSettings
from shared import metrics
from shared.domain.cause import Cause
from shared.domain.deadlines import Deadline, DeadlineState
from shared.domain.errors import Conflict, OmbudError
from shared.domain.ticket import Ticket
from shared.ports.clock import Clock
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.stores.stores import Stores

log = structlog.get_logger()


class Timers:
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
        due = await self._stores.deadlines.collection.claim(now, self._settings.lease, self._settings.at_once)
        return await fire_each(due, self._fire, _failed)

    async def _fire(self, deadline: Deadline) -> None:
        claimed = deadline.version
        await reach(Site.TIMER_CLAIMED)
        state = await self._outcome(deadline)
        if state is DeadlineState.BREACHED:
            await reach(Site.TIMER_TOLD)
        deadline.state, deadline.fired_at, deadline.wake_at = state, self._now(deadline), None
        deadline.touch()
        try:
            await self._stores.deadlines.save(deadline, if_version=claimed)
        except Conflict:
            return
        metrics.TIMERS_FIRED.labels(deadline.target.value, state.value).inc()
        metrics.TIMER_LATENESS.observe((deadline.fired_at - deadline.due_at).total_seconds())

    async def _outcome(self, deadline: Deadline) -> DeadlineState:
        """What the deadline turned out to be, by the ticket as it is saved; that knows if it was missed."""
        cause = Cause(f"escalation:{deadline.id}", "service:escalation", self._now(deadline), deadline.id)
        state = deadline.state

        def decide(ticket: Ticket) -> None:
            nonlocal state
            state = rules.verdict(deadline, ticket)
            if state is DeadlineState.BREACHED:
                ticket.breach(deadline.target.value, deadline.due_at, deadline.policy, cause)

        await self._stores.tickets.change(deadline.ticket_id, decide)
        return state

    def _now(self, deadline: Deadline) -> datetime:
        """Not before it was due: that it was, is why it was claimed, whoever has set the clock back since."""
        return max(self._clock.now(), deadline.due_at)


def _failed(deadline: Deadline, fault: OmbudError) -> None:
    metrics.TIMERS_FIRED.labels(deadline.target.value, "error").inc()
    log.warning("timers.not_fired", deadline=deadline.id, fault=str(fault))
