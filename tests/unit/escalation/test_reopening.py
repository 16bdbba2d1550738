"""A ticket that is open again is owed an answer again, whichever way it came back."""

from datetime import timedelta

import pytest

from services.escalation import rules
from shared.domain.deadlines import DeadlineState, Target
from shared.domain.priority import Source
from shared.domain.status import Status
from tests.unit.domain.samples import NOON, cause, found, opened
from tests.unit.escalation.folds import fold, running, told


@pytest.mark.parametrize("solved", [Status.RESOLVED, Status.CLOSED])
def test_a_solved_ticket_that_a_person_opens_again_has_a_resolution_due(solved: Status) -> None:
    ticket = opened()
    ticket.change_status(solved, cause("done"))
    ticket.change_status(Status.OPEN, cause("again", minutes=60))

    assert running(fold(told(ticket))) == {Target.RESOLUTION: NOON + timedelta(minutes=60, days=3)}


@pytest.mark.parametrize("solved", [Status.RESOLVED, Status.CLOSED])
def test_a_solved_ticket_that_an_agents_reply_opens_again_has_a_resolution_due(solved: Status) -> None:
    ticket = opened()
    ticket.change_status(solved, cause("done"))
    ticket.agent_replied("msg_2", cause("api:1", minutes=60), then=Status.OPEN)

    assert running(fold(told(ticket))) == {Target.RESOLUTION: NOON + timedelta(minutes=60, days=3)}


def test_an_agents_reply_that_solves_the_ticket_begins_nothing() -> None:
    ticket = opened()
    ticket.agent_replied("msg_2", cause("api:1"), then=Status.RESOLVED)

    assert running(fold(told(ticket))) == {}


def test_a_solved_ticket_that_is_closed_begins_nothing() -> None:
    ticket = opened()
    ticket.change_status(Status.RESOLVED, cause("solved"))
    ticket.change_status(Status.CLOSED, cause("closed"))

    assert running(fold(told(ticket))) == {}


def test_a_ticket_that_was_taken_for_spam_is_owed_all_that_a_new_one_is() -> None:
    ticket = opened()
    ticket.change_status(Status.SPAM, cause("spam"))
    assert running(fold(told(ticket))) == {}

    ticket.change_status(Status.OPEN, cause("no spam", minutes=60))
    later = NOON + timedelta(minutes=60)
    assert running(fold(told(ticket))) == {
        Target.FIRST_RESPONSE: later + timedelta(hours=8),
        Target.RESOLUTION: later + timedelta(days=3),
    }


def test_one_taken_for_spam_after_it_was_answered_is_judged_by_that_answer() -> None:
    ticket = opened()
    ticket.agent_replied("msg_2", cause("api:1", minutes=5))
    ticket.change_status(Status.SPAM, cause("spam", minutes=6))
    ticket.change_status(Status.OPEN, cause("no spam", minutes=60))
    (again,) = [
        deadline
        for deadline in fold(told(ticket)).values()
        if deadline.target is Target.FIRST_RESPONSE and deadline.state is DeadlineState.RUNNING
    ]

    assert rules.verdict(again, ticket) is DeadlineState.MET


def test_a_ticket_reopened_many_times_has_one_resolution_running() -> None:
    ticket = opened()
    for number in range(60):
        ticket.change_status(Status.RESOLVED, cause(f"done {number}"))
        ticket.customer_replied(f"msg_{number}", "eve@example.org", cause(f"again {number}", minutes=number))
    deadlines = fold(told(ticket))

    assert len(deadlines) == 62
    assert running(deadlines) == {Target.RESOLUTION: NOON + timedelta(minutes=59, days=3)}


def test_triage_moves_what_is_running_and_wakes_nothing_that_ended() -> None:
    ticket = opened()
    ticket.agent_replied("msg_2", cause("api:1", minutes=1))
    ticket.triaged("tri_1", found(), Source.RULES, [], cause("triage:1", minutes=2))
    deadlines = fold(told(ticket))

    assert running(deadlines) == {Target.RESOLUTION: NOON + timedelta(hours=4)}
    assert all(one.wake_at is None for one in deadlines.values() if one.state is not DeadlineState.RUNNING)
