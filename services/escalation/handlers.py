"""What escalation does when something happened: it keeps the deadlines of a ticket up to its events, and sets
the timer of one that was put on hold until an instant."""

import asyncio
from functools import partial

from services.escalation import rules
from services.escalation.rules import Policy
from shared.domain import events
from shared.domain.deadlines import DeadlineState
from shared.domain.received import Received
from shared.runtime.service import Routes
from shared.stores.stores import Stores


class EscalationHandlers:
    """See the module; every handler leaves the same when an event comes again."""

    def __init__(self, stores: Stores, policy: Policy) -> None:
        self._stores = stores
        self._policy = policy

    async def begin(self, received: Received[events.TicketOpened]) -> None:
        """Begin the deadlines of a new ticket."""
        await self._begin(received.event)

    async def follow(self, received: Received[events.TicketEvent]) -> None:
        """Move, meet or cancel the deadlines of a ticket that changed; begin those of one reopened."""
        event = received.event
        if isinstance(event, events.TicketTriaged) and event.priority_before == event.facts.priority:
            return
        running = {"ticket_id": event.ticket_id, "state": DeadlineState.RUNNING}
        page = await self._stores.deadlines.find(running)
        decide = partial(rules.apply, self._policy, event=event)
        await asyncio.gather(*(self._stores.deadlines.change(found.id, decide) for found in page.items))
        await self._begin(event)
        if isinstance(event, events.StatusChanged) and (snooze := rules.snoozed(event)):
            await self._stores.snoozes.add(snooze)

    async def _begin(self, event: events.TicketEvent) -> None:
        deadlines = rules.begun(self._policy, event, rules.targets_begun_by(event))
        await asyncio.gather(*(self._stores.deadlines.add(deadline) for deadline in deadlines))

    def routes(self) -> Routes:
        """Which handler takes which event."""
        followed = (
            events.TicketTriaged,
            events.PriorityChanged,
            events.AgentReplied,
            events.CustomerReplied,
            events.StatusChanged,
        )
        return {events.TicketOpened: self.begin} | dict.fromkeys(followed, self.follow)
