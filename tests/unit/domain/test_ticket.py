"""What may happen to a ticket, and what it records of it."""

from datetime import timedelta

import pytest

from shared.domain import events
from shared.domain.errors import MoveNotAllowed
from shared.domain.priority import Level, Priority, Source, matrix
from shared.domain.status import MOVES, Status, check_move
from shared.domain.ticket import REMEMBERED_CAUSES, Ticket
from tests.unit.domain.samples import NOON, cause, found, kinds, opened


def test_a_new_ticket_says_everything_its_readers_decide_by() -> None:
    ticket = opened()
    event = events.parse_event(ticket.outbox[0].type, ticket.outbox[0].data)

    assert isinstance(event, events.TicketOpened)
    assert (event.version, event.number, event.customer, event.may_auto_respond) == (
        1,
        10_001,
        "eve@example.org",
        True,
    )
    assert event.facts == ticket.facts()
    assert ticket.outbox[0].id == event.id == "tkt_1.1"


def test_each_event_raises_the_version_by_one_and_they_wait_in_order() -> None:
    ticket = opened()
    ticket.add_note("msg_2", cause("note"))
    ticket.set_priority(Priority.HIGH, cause("prio"))

    assert ticket.version == 3
    assert [envelope.id for envelope in ticket.outbox] == ["tkt_1.1", "tkt_1.2", "tkt_1.3"]


def test_the_same_deed_done_twice_is_done_once() -> None:
    ticket = opened()
    for _ in range(2):
        ticket.customer_replied("msg_2", "eve@example.org", cause("ingest:msg_2"))
        ticket.agent_replied("msg_3", cause("api:1"))
        ticket.add_note("msg_4", cause("api:2"))
        ticket.note_automatic("msg_5", "robot@example.org", "auto_reply", cause("ingest:msg_5"))
        ticket.assign("ada", None, cause("api:3"))
        ticket.set_priority(Priority.LOW, cause("api:4"))
        ticket.change_status(Status.RESOLVED, cause("api:5"))
        ticket.breach("resolution", NOON, "default", cause("escalation:1"))
        ticket.triaged("tri_1", found(), Source.RULES, [], cause("triage:1"))

    assert ticket.version == 10
    assert len(set(kinds(ticket))) == 10


def test_only_so_many_deeds_are_remembered() -> None:
    ticket = opened()
    for number in range(REMEMBERED_CAUSES + 10):
        ticket.add_note(f"msg_{number}", cause(f"note {number}"))

    assert len(ticket.causes) == REMEMBERED_CAUSES
    assert ticket.has_done(cause("note 200"))


def test_what_the_handled_event_proves_published_is_not_published_again() -> None:
    ticket = opened()
    ticket.add_note("msg_2", cause("note"))
    ticket.triaged("tri_1", found(), Source.RULES, [], cause("triage", event_id="tkt_1.1"))

    assert [envelope.id for envelope in ticket.outbox] == ["tkt_1.2", "tkt_1.3"]


def test_an_event_that_is_not_in_the_outbox_leaves_it_whole() -> None:
    ticket = opened()
    ticket.add_note("msg_2", cause("note", event_id="tkt_1.0"))

    assert [envelope.id for envelope in ticket.outbox] == ["tkt_1.1", "tkt_1.2"]


@pytest.mark.parametrize("status", [Status.WAITING, Status.ON_HOLD, Status.RESOLVED, Status.CLOSED])
def test_a_customers_reply_opens_a_ticket_that_waited_or_was_done(status: Status) -> None:
    ticket = opened()
    ticket.change_status(status, cause("move"))
    ticket.customer_replied("msg_2", "eve@example.org", cause("ingest:msg_2"))

    assert ticket.status is Status.OPEN
    assert (ticket.resolved_at, ticket.closed_at) == (None, None)


@pytest.mark.parametrize("status", [Status.NEW, Status.OPEN, Status.SPAM])
def test_a_customers_reply_leaves_other_states_alone(status: Status) -> None:
    ticket = opened()
    if status is not Status.NEW:
        ticket.change_status(status, cause("move"))
    ticket.customer_replied("msg_2", "eve@example.org", cause("ingest:msg_2"))

    assert ticket.status is status


def test_automatic_mail_moves_nothing() -> None:
    ticket = opened()
    ticket.agent_replied("msg_2", cause("api:1"))
    ticket.note_automatic("msg_3", "eve@example.org", "out_of_office", cause("ingest:msg_3"))

    assert ticket.status is Status.WAITING


def test_an_agents_reply_waits_for_the_customer_and_is_the_first_response() -> None:
    ticket = opened()
    ticket.agent_replied("msg_2", cause("api:1", minutes=5))
    ticket.agent_replied("msg_3", cause("api:2", minutes=9))

    assert ticket.status is Status.WAITING
    assert ticket.first_response_at == NOON + timedelta(minutes=5)


def test_a_move_that_is_not_allowed_changes_nothing_and_names_those_that_are() -> None:
    ticket = opened()
    ticket.change_status(Status.CLOSED, cause("close"))
    with pytest.raises(MoveNotAllowed) as refused:
        ticket.change_status(Status.WAITING, cause("wait"))

    assert refused.value.allowed == ["open", "spam"]
    assert (ticket.status, ticket.version) == (Status.CLOSED, 2)


def test_every_state_can_be_left_and_none_moves_to_itself() -> None:
    assert set(MOVES) == set(Status)
    for before, after in MOVES.items():
        assert after
        assert before not in after
        check_move(before, after[0])


def test_triage_never_overwrites_what_a_person_set() -> None:
    ticket = opened()
    ticket.set_priority(Priority.LOW, cause("api:1"))
    ticket.triaged("tri_1", found(), Source.RULES, ["because"], cause("triage:1"))

    assert (ticket.priority, ticket.category, ticket.triage_state) == (Priority.LOW, "billing", "done")
    assert ticket.sources["category"] is Source.RULES
    assert ticket.sources["priority"] is Source.PERSON


def test_a_breach_is_recorded_once_a_target() -> None:
    ticket = opened()
    ticket.breach("resolution", NOON, "default", cause("escalation:a"))
    ticket.breach("resolution", NOON, "default", cause("escalation:b"))

    assert ticket.breached == ["resolution"]
    assert ticket.version == 2
    assert ticket.facts().breached


@pytest.mark.parametrize(
    ("severity", "urgency", "priority"),
    [
        (Level.HIGH, Level.HIGH, Priority.CRITICAL),
        (Level.HIGH, Level.LOW, Priority.HIGH),
        (Level.MEDIUM, Level.HIGH, Priority.HIGH),
        (Level.LOW, Level.LOW, Priority.LOW),
        (Level.LOW, Level.MEDIUM, Priority.MEDIUM),
        (Level.MEDIUM, Level.MEDIUM, Priority.MEDIUM),
    ],
)
def test_the_matrix_of_severity_and_urgency(severity: Level, urgency: Level, priority: Priority) -> None:
    assert matrix(severity, urgency) is priority
    assert matrix(urgency, severity) is priority


def test_a_reply_belongs_to_a_closed_ticket_for_a_fortnight() -> None:
    ticket = opened()
    ticket.change_status(Status.CLOSED, cause("close"))

    assert ticket.takes_reply_at(NOON + timedelta(days=14))
    assert not ticket.takes_reply_at(NOON + timedelta(days=14, seconds=1))


def test_assigning_says_who_handles_it() -> None:
    ticket = opened()
    handled = []
    for number, (assignee, team) in enumerate([("ada", None), (None, "it"), (None, None)]):
        ticket.assign(assignee, team, cause(f"api:{number}"))
        handled.append(ticket.handled_by)

    assert handled == ["agent", "team", "unassigned"]


def test_an_unknown_field_of_a_newer_version_is_kept() -> None:
    stored = opened().model_dump() | {"moon_phase": "full"}

    assert Ticket.model_validate(stored).model_dump()["moon_phase"] == "full"
