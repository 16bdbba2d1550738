"""Whatever happens to a ticket, and told twice: each deed counts once, each event says how it stood."""

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from shared.domain import events
from shared.domain.cause import Cause
from shared.domain.errors import MoveNotAllowed
from shared.domain.priority import Level, Priority, Sentiment, Source
from shared.domain.status import MOVES, REOPENED_BY_REPLY, Status
from shared.domain.ticket import Classification, Contact, Ticket
from tests.unit.domain.samples import NOON, cause, opened

AGENTS = st.sampled_from([None, "ada", "bob"])
TEAMS = st.sampled_from([None, "billing", "it"])
FINDINGS = st.builds(
    Classification,
    category=st.sampled_from(["billing", "account", "general"]),
    severity=st.sampled_from(Level),
    urgency=st.sampled_from(Level),
    sentiment=st.sampled_from(Sentiment),
    language=st.sampled_from([None, "de", "en"]),
)


class Deeds(RuleBasedStateMachine):
    """A ticket under random deeds; `told` counts those that had to be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.ticket: Ticket = opened()
        self.told = 1
        self.deeds = 0
        self.by_person: Priority | None = None

    def next_cause(self) -> Cause:
        self.deeds += 1
        return cause(f"deed {self.deeds}", minutes=self.deeds)

    def refused(self, deed: Callable[[], None]) -> None:
        """The deed is refused, names what may be done instead, and leaves no trace."""
        before = self.ticket.model_dump()
        with pytest.raises(MoveNotAllowed) as refusal:
            deed()
        assert refusal.value.allowed == list(MOVES[self.ticket.status])
        assert self.ticket.model_dump() == before

    @rule()
    def the_customer_replies(self) -> None:
        why, before = self.next_cause(), self.ticket.status
        for _ in range(2):
            self.ticket.customer_replied("msg", "eve@example.org", why)
        self.told += 1
        assert self.ticket.status is (Status.OPEN if before in REOPENED_BY_REPLY else before)

    @rule(then=st.sampled_from(Status))
    def an_agent_replies(self, then: Status) -> None:
        why = self.next_cause()
        allowed = then is self.ticket.status or then in MOVES[self.ticket.status]
        for _ in range(2):
            if allowed:
                self.ticket.agent_replied("msg", why, then=then)
            else:
                self.refused(lambda: self.ticket.agent_replied("msg", why, then=then))
        self.told += allowed

    @rule(status=st.sampled_from(Status))
    def somebody_moves_it(self, status: Status) -> None:
        why, before = self.next_cause(), self.ticket.status
        moved = status in MOVES[before]
        for _ in range(2):
            if moved or status is before:
                self.ticket.change_status(status, why)
            else:
                self.refused(lambda: self.ticket.change_status(status, why))
        self.told += moved
        assert self.ticket.status is (status if moved else before)

    @rule(priority=st.sampled_from(Priority))
    def a_person_sets_the_priority(self, priority: Priority) -> None:
        why = self.next_cause()
        for _ in range(2):
            self.ticket.set_priority(priority, why)
        self.told += self.by_person is not priority
        self.by_person = priority

    @rule(assignee=AGENTS, team=TEAMS)
    def it_is_given_to_somebody(self, assignee: str | None, team: str | None) -> None:
        why, before = self.next_cause(), (self.ticket.assignee, self.ticket.team)
        for _ in range(2):
            self.ticket.assign(assignee, team, why)
        self.told += before != (assignee, team)

    @rule(found=FINDINGS)
    def triage_finds_something(self, found: Classification) -> None:
        why = self.next_cause()
        for _ in range(2):
            self.ticket.triaged(f"tri_{self.deeds}", found, Source.RULES, [], why)
        self.told += 1
        assert self.ticket.priority is (self.by_person or found.priority)

    @rule(missed=st.sampled_from(["first_response", "resolution"]))
    def a_deadline_passes(self, missed: str) -> None:
        why, known = self.next_cause(), missed in self.ticket.breached
        for _ in range(2):
            self.ticket.breach(missed, NOON, "default", why)
        self.told += not known

    @rule(deed=st.sampled_from(["note", "automatic", "stranger"]))
    def something_is_written_that_moves_nothing(self, deed: str) -> None:
        why, before, loop = self.next_cause(), self.ticket.facts(), self.ticket.loop
        for _ in range(2):
            if deed == "note":
                self.ticket.add_note("msg", why)
            elif deed == "automatic":
                self.ticket.note_automatic("msg", "robot@example.org", "auto_reply", why)
            else:
                self.ticket.participant_wrote("msg", Contact(address="bo@example.org"), why)
        self.told += 1 + (self.ticket.loop != loop)
        assert self.ticket.facts() == before

    @rule()
    def a_letter_comes_back(self) -> None:
        why, before = self.next_cause(), self.ticket.status
        for _ in range(2):
            self.ticket.letter_came_back("msg", why)
        reopened = before in REOPENED_BY_REPLY
        self.told += 1 + reopened
        assert self.ticket.status is (Status.OPEN if reopened else before)

    @invariant()
    def each_deed_counts_once_and_the_outbox_holds_every_event_in_order(self) -> None:
        assert self.ticket.version == self.told
        assert [one.id for one in self.ticket.outbox] == [f"tkt_1.{n}" for n in range(1, self.told + 1)]

    @invariant()
    def the_last_event_says_how_the_ticket_stands(self) -> None:
        last = self.ticket.outbox[-1]
        event = events.parse_event(last.type, last.data)
        assert isinstance(event, events.TicketEvent)
        assert event.facts == self.ticket.facts()
        assert event.facts.status == self.ticket.status.value
        assert event.facts.priority == self.ticket.priority.value
        assert event.facts.breached == bool(self.ticket.breached)
        assert event.facts.handled_by == (
            "agent" if self.ticket.assignee else "team" if self.ticket.team else "unassigned"
        )

    @invariant()
    def its_instants_fit_its_state(self) -> None:
        assert (self.ticket.closed_at is not None) == (self.ticket.status is Status.CLOSED)
        if self.ticket.resolved_at is not None:
            assert self.ticket.status in (Status.RESOLVED, Status.CLOSED)
        assert self.ticket.history[-1].status is self.ticket.status
        assert self.ticket.updated_at >= self.ticket.opened_at

    @invariant()
    def it_is_read_back_as_it_was_stored(self) -> None:
        assert Ticket.model_validate_json(self.ticket.model_dump_json()) == self.ticket

    @invariant()
    def a_stranger_is_shown_once_and_never_confirmed_by_writing(self) -> None:
        addresses = [one.address for one in self.ticket.participants]
        assert len(addresses) == len(set(addresses))
        assert not any(one.confirmed for one in self.ticket.participants)


TestDeeds = Deeds.TestCase
TestDeeds.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
