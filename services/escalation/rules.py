"""Which deadlines a ticket has, and what an event does to them. Pure: a fold over the ticket's events."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.escalation.settings import EscalationSettings
from shared.domain import events
from shared.domain.deadlines import Deadline, DeadlineState, Target, deadline_id
from shared.domain.priority import Priority
from shared.domain.snoozes import Snooze, snooze_id
from shared.domain.status import Status
from shared.domain.ticket import Ticket

DONE = frozenset({Status.RESOLVED.value, Status.CLOSED.value})
"""States in which a ticket counts as solved."""
ENDED = DONE | {Status.SPAM.value}
"""States in which nothing is owed."""


@dataclass(frozen=True)
class Policy:
    """Seconds allowed for each target, by priority."""

    name: str
    seconds: dict[Target, Callable[[Priority], float]]

    @classmethod
    def default(cls, settings: EscalationSettings) -> "Policy":
        """The policy of the settings."""
        return cls(
            settings.policy,
            {Target.FIRST_RESPONSE: settings.first_response.of, Target.RESOLUTION: settings.resolution.of},
        )

    def due(self, target: Target, priority: Priority, start: datetime) -> tuple[datetime, str]:
        """When the target is due, and how that came about."""
        allowed = timedelta(seconds=self.seconds[target](priority))
        due_at = start + allowed
        when = start.isoformat(timespec="seconds")
        why = f"policy {self.name}: {priority} allows {allowed} for {target}, always open, from {when}"
        return due_at, why


def begun(policy: Policy, event: events.TicketEvent, targets: Iterable[Target]) -> list[Deadline]:
    """The deadlines that begin with this event."""
    return [_running(policy, event, target) for target in targets]


def targets_begun_by(event: events.TicketEvent) -> tuple[Target, ...]:
    """Both when a ticket is opened or turns out to be no spam; resolution anew when it is reopened."""
    if isinstance(event, events.TicketOpened):
        return (Target.FIRST_RESPONSE, Target.RESOLUTION)
    if not isinstance(event, events.CustomerReplied | events.AgentReplied | events.StatusChanged):
        return ()
    if event.status_before not in ENDED or event.facts.status in ENDED:
        return ()
    if event.status_before == Status.SPAM.value:
        return (Target.FIRST_RESPONSE, Target.RESOLUTION)
    return (Target.RESOLUTION,)


def apply(policy: Policy, deadline: Deadline, event: events.TicketEvent) -> None:
    """What the event does to a deadline of its ticket; nothing when the deadline knows a later version.

    What came too late meets nothing: the timer finds the deadline missed, and tells.
    """
    if event.version <= deadline.ticket_version or deadline.state is not DeadlineState.RUNNING:
        return
    ended = _ended_by(deadline.target, event)
    due_at, why = policy.due(deadline.target, Priority(event.facts.priority), deadline.started_at)
    if ended is DeadlineState.MET and event.occurred_at > due_at:
        ended = None
    if ended is None and due_at == deadline.due_at:
        return
    deadline.ticket_version = event.version
    if ended is not None:
        deadline.state, deadline.wake_at = ended, None
    else:
        deadline.due_at, deadline.wake_at, deadline.explanation = due_at, due_at, why
    deadline.touch()


def snoozed(event: events.StatusChanged) -> Snooze | None:
    """The timer that opens the ticket again, if the event put it on hold until an instant."""
    if event.snoozed_until is None:
        return None
    return Snooze(
        id=snooze_id(event.ticket_id, event.version),
        ticket_id=event.ticket_id,
        until=event.snoozed_until,
        wake_at=event.snoozed_until,
    )


def verdict(deadline: Deadline, ticket: Ticket) -> DeadlineState:
    """What a deadline that came due turned out to be, by the ticket as it is."""
    if ticket.status is Status.SPAM:
        return DeadlineState.CANCELLED
    done_at = (
        ticket.first_response_at
        if deadline.target is Target.FIRST_RESPONSE
        else ticket.resolved_at or ticket.closed_at
    )
    return DeadlineState.MET if done_at is not None and done_at <= deadline.due_at else DeadlineState.BREACHED


def _running(policy: Policy, event: events.TicketEvent, target: Target) -> Deadline:
    due_at, why = policy.due(target, Priority(event.facts.priority), event.occurred_at)
    return Deadline(
        id=deadline_id(event.ticket_id, target, event.version),
        ticket_id=event.ticket_id,
        target=target,
        policy=policy.name,
        started_at=event.occurred_at,
        due_at=due_at,
        wake_at=due_at,
        ticket_version=event.version,
        explanation=why,
    )


def _ended_by(target: Target, event: events.TicketEvent) -> DeadlineState | None:
    if event.facts.status == Status.SPAM.value:
        return DeadlineState.CANCELLED
    answered = target is Target.FIRST_RESPONSE and isinstance(event, events.AgentReplied)
    solved = event.facts.status in DONE
    return DeadlineState.MET if answered or solved else None
