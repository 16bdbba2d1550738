"""Deadlines as a fold over a ticket's events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.escalation import rules
from services.escalation.rules import Policy
from services.escalation.settings import EscalationSettings
from shared.domain import events
from shared.domain.deadlines import Deadline, DeadlineState, Target
from shared.domain.status import Status
from shared.domain.ticket import Contact, Span, Ticket

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
POLICY = Policy.default(EscalationSettings())


def event(kind: type[events.TicketEvent], version: int, **fields: Any) -> events.TicketEvent:
    minutes = fields.pop("minutes", 0)
    status, priority = fields.pop("status_now", "new"), fields.pop("priority_now", "medium")
    given: dict[str, object] = {
        "ticket_id": "tkt_1",
        "version": version,
        "actor": "user:ada",
        "occurred_at": NOON + timedelta(minutes=minutes),
        "facts": events.Facts(status=str(status), priority=str(priority)),
    }
    return kind.model_validate(given | fields)


def opened(**fields: Any) -> events.TicketEvent:
    given: dict[str, object] = {
        "number": 1,
        "mailbox": "support",
        "channel": "mail",
        "subject": "",
        "customer": "e@x",
        "message_id": "m",
        "may_auto_respond": True,
    }
    return event(events.TicketOpened, 1, **(given | fields))


def running(target: Target = Target.FIRST_RESPONSE, **fields: Any) -> Deadline:
    return rules.begun(POLICY, opened(**fields), [target])[0]


def test_a_new_ticket_has_a_first_response_and_a_resolution_due() -> None:
    first, resolution = rules.begun(POLICY, opened(), rules.targets_begun_by(opened()))

    assert first.due_at == NOON + timedelta(hours=8)
    assert resolution.due_at == NOON + timedelta(days=3)
    assert first.wake_at == first.due_at


@pytest.mark.parametrize(("priority", "hours"), [("critical", 1), ("high", 4), ("medium", 8), ("low", 24)])
def test_the_priority_tells_how_soon(priority: str, hours: int) -> None:
    assert running(priority_now=priority).due_at == NOON + timedelta(hours=hours)


def test_a_deadline_says_how_it_came_about() -> None:
    says = running().explanation

    assert says.startswith(
        "policy default: medium allows 8:00:00 for first_response, always open, from 2026-11-20"
    )


def test_another_priority_moves_a_deadline_counted_from_its_start() -> None:
    deadline = running()
    rules.apply(
        POLICY,
        deadline,
        event(
            events.PriorityChanged,
            2,
            minutes=30,
            priority_now="critical",
            priority_before="medium",
            priority="critical",
        ),
    )

    assert deadline.due_at == deadline.wake_at == NOON + timedelta(hours=1)
    assert (deadline.version, deadline.ticket_version) == (1, 2)


def test_an_event_that_changes_no_due_date_leaves_the_deadline_unsaved() -> None:
    deadline = running()
    rules.apply(POLICY, deadline, event(events.NoteAdded, 2, message_id="m"))

    assert (deadline.version, deadline.ticket_version) == (0, 1)


def test_an_older_event_that_comes_again_changes_nothing() -> None:
    deadline = running()
    late = event(events.PriorityChanged, 3, priority_now="low", priority_before="medium", priority="low")
    early = event(
        events.PriorityChanged, 2, priority_now="critical", priority_before="medium", priority="critical"
    )
    rules.apply(POLICY, deadline, late)
    rules.apply(POLICY, deadline, early)

    assert deadline.due_at == NOON + timedelta(days=1)


def test_an_agents_reply_meets_the_first_response_and_not_the_resolution() -> None:
    reply = event(events.AgentReplied, 2, message_id="m", status_before="new", status_now="waiting")
    first, resolution = running(), running(Target.RESOLUTION)
    rules.apply(POLICY, first, reply)
    rules.apply(POLICY, resolution, reply)

    assert (first.state, first.wake_at) == (DeadlineState.MET, None)
    assert resolution.state is DeadlineState.RUNNING


def test_what_came_after_the_due_date_meets_no_deadline_and_leaves_it_to_the_timer() -> None:
    late = NOON + timedelta(hours=8, seconds=1)
    reply = event(
        events.AgentReplied, 2, message_id="m", status_before="new", status_now="waiting", occurred_at=late
    )
    deadline = running()
    rules.apply(POLICY, deadline, reply)

    assert (deadline.state, deadline.version) == (DeadlineState.RUNNING, 0)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("resolved", DeadlineState.MET),
        ("closed", DeadlineState.MET),
        ("spam", DeadlineState.CANCELLED),
        ("on_hold", DeadlineState.RUNNING),
    ],
)
def test_the_state_of_the_ticket_ends_its_resolution(status: str, state: DeadlineState) -> None:
    deadline = running(Target.RESOLUTION)
    rules.apply(
        POLICY,
        deadline,
        event(events.StatusChanged, 2, status_before="new", status=status, status_now=status),
    )

    assert deadline.state is state


def test_a_reopened_ticket_gets_a_resolution_deadline_of_its_own() -> None:
    reply = event(
        events.CustomerReplied,
        5,
        minutes=90,
        message_id="m",
        sender="e@x",
        status_before="resolved",
        status_now="open",
    )
    (again,) = rules.begun(POLICY, reply, rules.targets_begun_by(reply))

    assert again.id != running(Target.RESOLUTION).id
    assert again.due_at == NOON + timedelta(minutes=90, days=3)


def test_a_reply_to_a_ticket_that_waited_begins_nothing() -> None:
    reply = event(
        events.CustomerReplied, 5, message_id="m", sender="e@x", status_before="waiting", status_now="open"
    )

    assert rules.targets_begun_by(reply) == ()


@pytest.mark.parametrize(
    ("answered_after", "state"), [(1, DeadlineState.MET), (8, DeadlineState.MET), (9, DeadlineState.BREACHED)]
)
def test_a_deadline_that_came_due_is_judged_by_when_the_answer_was_given(
    answered_after: int, state: DeadlineState
) -> None:
    ticket = ticket_with(first_response_at=NOON + timedelta(hours=answered_after))

    assert rules.verdict(running(), ticket) is state


def test_a_deadline_without_an_answer_is_breached_and_one_of_spam_is_cancelled() -> None:
    assert rules.verdict(running(), ticket_with()) is DeadlineState.BREACHED
    assert rules.verdict(running(), ticket_with(status=Status.SPAM)) is DeadlineState.CANCELLED


def ticket_with(**fields: object) -> Ticket:
    given: dict[str, object] = {
        "id": "tkt_1",
        "number": 1,
        "mailbox": "support",
        "subject": "",
        "customer": Contact(address="e@x"),
        "customer_address": "e@x",
        "opened_at": NOON,
        "updated_at": NOON,
        "history": [Span(status=Status.NEW, since=NOON)],
    }
    return Ticket.model_validate(given | fields)
