"""Whatever happens to a ticket and however often it is told, its deadlines are those its events say."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.deadlines import Deadline, DeadlineState, Target
from shared.domain.events import TicketEvent
from shared.domain.priority import Priority
from shared.domain.status import MOVES, Status
from shared.domain.ticket import Ticket
from tests.unit.domain.samples import NOON, cause, opened
from tests.unit.escalation.folds import fold, running, told

DEEDS = st.lists(
    st.tuples(st.sampled_from(["move", "reply", "answer", "priority"]), st.integers(0, 100)), max_size=25
)


def lived(deeds: list[tuple[str, int]]) -> Ticket:
    """A ticket that these things happened to, one a minute."""
    ticket = opened()
    for number, (deed, pick) in enumerate(deeds, start=1):
        why = cause(f"deed {number}", minutes=number)
        moves = MOVES[ticket.status]
        if deed == "move":
            ticket.change_status(moves[pick % len(moves)], why)
        elif deed == "reply":
            ticket.customer_replied(f"msg_{number}", "eve@example.org", why)
        elif deed == "answer":
            ticket.agent_replied(f"msg_{number}", why, then=[*moves, ticket.status][pick % (len(moves) + 1)])
        else:
            ticket.set_priority(list(Priority)[pick % 4], why)
    return ticket


@given(DEEDS)
def test_a_ticket_that_is_owed_something_has_one_resolution_running_and_others_none(
    deeds: list[tuple[str, int]],
) -> None:
    ticket = lived(deeds)
    deadlines = fold(told(ticket))
    resolutions = [
        one
        for one in deadlines.values()
        if one.target is Target.RESOLUTION and one.state is DeadlineState.RUNNING
    ]
    ended = ticket.status in (Status.RESOLVED, Status.CLOSED, Status.SPAM)

    assert len(resolutions) == (0 if ended else 1)
    assert not (ended and running(deadlines))


@given(DEEDS)
def test_a_running_deadline_is_due_as_the_tickets_priority_says(deeds: list[tuple[str, int]]) -> None:
    ticket = lived(deeds)
    hours = {Priority.CRITICAL: 4, Priority.HIGH: 24, Priority.MEDIUM: 72, Priority.LOW: 120}
    for deadline in fold(told(ticket)).values():
        assert (deadline.state is DeadlineState.RUNNING) == (deadline.wake_at is not None)
        if deadline.state is DeadlineState.RUNNING and deadline.target is Target.RESOLUTION:
            assert deadline.due_at == deadline.started_at + timedelta(hours=hours[ticket.priority])
            assert deadline.wake_at == deadline.due_at
            assert deadline.started_at >= NOON


@given(DEEDS, st.data())
def test_events_told_again_from_any_earlier_one_on_change_no_deadline(
    deeds: list[tuple[str, int]], data: st.DataObject
) -> None:
    """At least once, in order: a consumer goes back to some offset, and reads on from there."""
    story = told(lived(deeds))
    wanted = fold(story)
    read: list[TicketEvent] = []
    for _ in range(3):
        end = data.draw(st.integers(0, len(story)), label="read up to")
        start = data.draw(st.integers(0, min(end, len(set(map(_version, read))))), label="go back to")
        read += story[start:end]
    seen = max(map(_version, read), default=0)
    known: dict[str, Deadline] = fold(read + story[seen:])

    assert {one.id: one.model_dump() for one in known.values()} == {
        one.id: one.model_dump() for one in wanted.values()
    }


def _version(event: TicketEvent) -> int:
    return event.version
