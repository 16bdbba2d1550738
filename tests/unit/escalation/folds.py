"""Deadlines folded from what a ticket recorded, as the handlers fold them over stored ones."""

from datetime import datetime

from services.escalation import rules
from services.escalation.rules import Policy
from services.escalation.settings import EscalationSettings
from shared.domain import events
from shared.domain.deadlines import Deadline, DeadlineState, Target
from shared.domain.ticket import Ticket

POLICY = Policy.default(EscalationSettings())


def told(ticket: Ticket) -> list[events.TicketEvent]:
    """What the ticket has recorded."""
    parsed = [events.parse_event(envelope.type, envelope.data) for envelope in ticket.outbox]
    return [event for event in parsed if isinstance(event, events.TicketEvent)]


def fold(story: list[events.TicketEvent], known: dict[str, Deadline] | None = None) -> dict[str, Deadline]:
    """The deadlines after these events, as the handlers make them."""
    deadlines = {} if known is None else known
    for event in story:
        for deadline in deadlines.values():
            rules.apply(POLICY, deadline, event)
        for begun in rules.begun(POLICY, event, rules.targets_begun_by(event)):
            deadlines.setdefault(begun.id, begun)
    return deadlines


def running(deadlines: dict[str, Deadline]) -> dict[Target, datetime]:
    return {
        deadline.target: deadline.due_at
        for deadline in deadlines.values()
        if deadline.state is DeadlineState.RUNNING
    }
