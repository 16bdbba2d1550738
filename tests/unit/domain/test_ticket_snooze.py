"""Putting a ticket off: until an instant to come, by what its state allows, ended by any move."""

from datetime import datetime, timedelta

import pytest

from shared.domain.errors import Invalid, MoveNotAllowed
from shared.domain.events import CommandRefused, StatusChanged, parse_event
from shared.domain.status import Status
from shared.domain.ticket import LONGEST_SNOOZE, Ticket
from tests.unit.domain.samples import NOON, cause, kinds, opened

LATER = NOON + timedelta(hours=2)


def last(ticket: Ticket) -> StatusChanged:
    event = parse_event(ticket.outbox[-1].type, ticket.outbox[-1].data)
    assert isinstance(event, StatusChanged)
    return event


def test_a_snooze_puts_the_ticket_on_hold_and_tells_until_when() -> None:
    ticket = opened()
    ticket.snooze(LATER + timedelta(microseconds=1999), cause("s"))
    ticket.snooze(LATER + timedelta(hours=9), cause("s"))

    kept = LATER + timedelta(milliseconds=1)
    assert (ticket.status, ticket.snoozed_until, ticket.version) == (Status.ON_HOLD, kept, 2)
    assert (last(ticket).status_before, last(ticket).snoozed_until) == ("new", kept)
    assert [span.status for span in ticket.history] == [Status.NEW, Status.ON_HOLD]


def test_a_second_snooze_moves_the_instant_and_the_same_one_changes_nothing() -> None:
    ticket = opened()
    ticket.snooze(LATER, cause("a"))
    ticket.snooze(LATER + timedelta(days=1), cause("b"))
    ticket.snooze(LATER + timedelta(days=1), cause("c"))

    assert (ticket.snoozed_until, ticket.version) == (LATER + timedelta(days=1), 3)
    assert [span.status for span in ticket.history] == [Status.NEW, Status.ON_HOLD]


@pytest.mark.parametrize(
    "until", [NOON, NOON - timedelta(days=1), NOON + LONGEST_SNOOZE + timedelta(seconds=1)]
)
def test_an_instant_that_is_past_or_too_far_away_is_refused_and_leaves_no_trace(until: datetime) -> None:
    ticket = opened()
    before = ticket.model_dump()
    with pytest.raises(Invalid) as refusal:
        ticket.snooze(until, cause("s"))

    assert set(refusal.value.fields) == {"until"}
    assert ticket.model_dump() == before


def test_a_state_that_forbids_it_says_which_moves_it_allows() -> None:
    ticket = opened()
    ticket.change_status(Status.CLOSED, cause("close"))
    with pytest.raises(MoveNotAllowed) as refusal:
        ticket.snooze(LATER, cause("s"))

    assert refusal.value.allowed == ["open", "spam"]


@pytest.mark.parametrize("status", [Status.OPEN, Status.WAITING, Status.RESOLVED, Status.CLOSED, Status.SPAM])
def test_any_move_ends_the_snooze(status: Status) -> None:
    ticket = opened()
    ticket.snooze(LATER, cause("s"))
    ticket.change_status(status, cause("move"))
    ticket.wake(LATER, cause("wake"))

    assert (ticket.status, ticket.snoozed_until, ticket.version) == (status, None, 3)


def test_a_ticket_that_is_put_on_hold_while_it_is_snoozed_is_on_hold_for_good() -> None:
    """By a person, or by an answer after which it is to be on hold."""
    moved, answered = opened(), opened()
    for ticket in (moved, answered):
        ticket.snooze(LATER, cause("s"))
    for _ in range(2):
        moved.change_status(Status.ON_HOLD, cause("hold"))
    answered.agent_replied("msg_2", cause("reply"), then=Status.ON_HOLD)
    for ticket in (moved, answered):
        ticket.wake(LATER, cause("wake"))

    for ticket in (moved, answered):
        assert (ticket.status, ticket.snoozed_until, ticket.version) == (Status.ON_HOLD, None, 3)
        assert [span.status for span in ticket.history] == [Status.NEW, Status.ON_HOLD]
    assert (last(moved).status_before, last(moved).snoozed_until) == ("on_hold", None)


def test_a_ticket_wakes_once_and_by_its_own_instant_alone() -> None:
    ticket = opened()
    ticket.snooze(LATER, cause("s"))
    ticket.wake(LATER - timedelta(minutes=1), cause("other"))
    for _ in range(2):
        ticket.wake(LATER, cause("wake"))

    assert (ticket.status, ticket.version) == (Status.OPEN, 3)
    assert last(ticket).status_before == "on_hold"


def test_a_ticket_on_hold_for_somebody_else_is_not_woken() -> None:
    ticket = opened()
    ticket.change_status(Status.ON_HOLD, cause("hold"))
    ticket.wake(LATER, cause("wake"))

    assert (ticket.status, ticket.version) == (Status.ON_HOLD, 2)


def test_a_refused_command_is_told_once_and_moves_nothing() -> None:
    ticket = opened()
    for _ in range(2):
        ticket.refuse_command("msg_2", "ada@example.org", "no such state", True, cause("command"))

    assert kinds(ticket)[-1] == CommandRefused.type
    assert (ticket.version, ticket.status) == (2, Status.NEW)
