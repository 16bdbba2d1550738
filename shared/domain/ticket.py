"""The ticket: one concern of one customer, changed only by its own methods, which record events.

A method given a cause whose key the ticket has seen does nothing, so handling an event twice changes nothing.
"""

from datetime import datetime, timedelta

from shared.domain import events
from shared.domain.cause import Cause
from shared.domain.contacts import Contact, Participant
from shared.domain.errors import Invalid
from shared.domain.priority import Priority, Source
from shared.domain.status import REOPENED_BY_REPLY, Status, check_move
from shared.domain.ticket_state import REMEMBERED_CAUSES, Classification, Span, TicketState

__all__ = ["REMEMBERED_CAUSES", "Classification", "Contact", "Participant", "Span", "Ticket"]

REOPEN_WITHIN = timedelta(days=14)
"""A reply to a closed ticket reopens it for so long; after that it opens a follow-up."""

LONGEST_SNOOZE = timedelta(days=732)
"""A ticket is put off by two years at most: what is further away is a slip of the pen."""

LOOP_FROM = 3
"""So many mails of machines, with none of a person between them, look like a loop."""


class Ticket(TicketState):
    """See the module."""

    @classmethod
    def open(
        cls,
        ticket_id: str,
        number: int,
        *,
        mailbox: str,
        subject: str,
        channel: str,
        customer: Contact,
        message_id: str,
        may_auto_respond: bool,
        cause: Cause,
        participants: list[Participant] | None = None,
        follow_up_of: str | None = None,
        claims_to_belong_to: str | None = None,
    ) -> "Ticket":
        """A new ticket with its `TicketOpened`."""
        ticket = cls(
            id=ticket_id,
            number=number,
            mailbox=mailbox,
            subject=subject,
            channel=channel,
            customer=customer,
            customer_address=customer.address,
            participants=participants or [],
            opened_at=cause.at,
            updated_at=cause.at,
            history=[Span(status=Status.NEW, since=cause.at)],
            follow_up_of=follow_up_of,
            claims_to_belong_to=claims_to_belong_to,
        )
        ticket._record(
            events.TicketOpened,
            cause,
            number=number,
            mailbox=mailbox,
            channel=channel,
            subject=subject,
            customer=customer.address,
            customer_name=customer.name,
            message_id=message_id,
            may_auto_respond=may_auto_respond,
        )
        return ticket

    def takes_reply_at(self, at: datetime, within: timedelta = REOPEN_WITHIN) -> bool:
        """Whether a customer's reply belongs here, not to a follow-up: all but those closed for long."""
        return self.status is not Status.CLOSED or self.closed_at is None or at - self.closed_at <= within

    def customer_replied(self, message_id: str, sender: str, cause: Cause) -> None:
        """A customer's message arrived: a ticket that waited or was done becomes open."""
        if self.has_done(cause):
            return
        self.machine_mails = 0
        before = self.status
        if before in REOPENED_BY_REPLY:
            self._enter(Status.OPEN, cause.at)
        self._record(
            events.CustomerReplied,
            cause,
            message_id=message_id,
            sender=sender,
            status_before=before.value,
            assignee=self.assignee,
        )

    def note_automatic(
        self, message_id: str, sender: str, kind: str, cause: Cause, loop_from: int = LOOP_FROM
    ) -> None:
        """A machine's message arrived: noted, nothing moves. `loop_from` such in a row look like a loop."""
        if self.has_done(cause):
            return
        self.machine_mails += 1
        self._record(events.AutomaticMailNoted, cause, message_id=message_id, sender=sender, kind=kind)
        if self.machine_mails >= loop_from:
            self._mark_loop(f"{self.machine_mails} mails in a row were written by machines", cause)

    def suspect_loop(self, reason: str, cause: Cause) -> None:
        """Something tells that machines write to each other here: marked, once."""
        if not self.has_done(cause):
            self._mark_loop(reason, cause)

    def letter_came_back(self, note_id: str, cause: Cause) -> None:
        """A letter that a person waits for did not arrive: a note says so, and the ticket is open again."""
        if self.has_done(cause):
            return
        self._record(events.NoteAdded, cause, message_id=note_id)
        if self.status in REOPENED_BY_REPLY:
            before = self.status
            self._enter(Status.OPEN, cause.at)
            self._record(
                events.StatusChanged,
                cause,
                status_before=before.value,
                status=Status.OPEN.value,
                reason="a letter did not arrive",
            )

    def participant_wrote(self, message_id: str, sender: Contact, cause: Cause) -> None:
        """Somebody without a customer's rights wrote: they take part, pending, and nothing moves.

        Also somebody who says that he is the customer, and is not believed.
        """
        if self.has_done(cause):
            return
        known = {self.customer_address, *(one.address for one in self.participants)}
        if sender.address not in known:
            self.participants = [*self.participants, Participant(address=sender.address, name=sender.name)]
        self._record(events.ParticipantWrote, cause, message_id=message_id, sender=sender.address)

    def came_to(self, mailbox: str, message_id: str, cause: Cause) -> None:
        """A mail of this ticket came to another mailbox of ours as well: who works there sees it too."""
        if self.has_done(cause) or mailbox == self.mailbox or mailbox in self.also_in:
            return
        self.also_in = [*self.also_in, mailbox]
        self._record(events.CameToMailbox, cause, mailbox=mailbox, message_id=message_id)

    def agent_replied(self, message_id: str, cause: Cause, *, then: Status = Status.WAITING) -> None:
        """An agent answers; the ticket becomes `then`. Raises `MoveNotAllowed`."""
        if self.has_done(cause):
            return
        before = self.status
        self._move(then, cause.at)
        if self.first_response_at is None:
            self.first_response_at = cause.at
        self._record(events.AgentReplied, cause, message_id=message_id, status_before=before.value)

    def add_note(self, message_id: str, cause: Cause) -> None:
        """An agent leaves a note."""
        if not self.has_done(cause):
            self._record(events.NoteAdded, cause, message_id=message_id)

    def triaged(
        self, triage_id: str, found: Classification, source: Source, reasons: list[str], cause: Cause
    ) -> None:
        """Put what triage found on the ticket, but over nothing that a person has set."""
        if self.has_done(cause) or self.triage_id == triage_id:
            return
        before = self.priority
        for name, value in found:
            self._fill(name, value, source)
        self._fill("priority", found.priority, source)
        self.triage_state, self.triage_id = "done", triage_id
        self._record(
            events.TicketTriaged,
            cause,
            triage_id=triage_id,
            rung=source.value,
            priority_before=before.value,
            reasons=reasons,
        )

    def assign(self, assignee: str | None, team: str | None, cause: Cause) -> None:
        """Give the ticket to an agent or a team, or to nobody."""
        if self.has_done(cause) or (assignee == self.assignee and team == self.team):
            return
        before, team_before = self.assignee, self.team
        self.assignee, self.team = assignee, team
        self.handled_by = "agent" if assignee else "team" if team else "unassigned"
        self._record(
            events.TicketAssigned,
            cause,
            assignee_before=before,
            assignee=assignee,
            team_before=team_before,
            team=team,
        )

    def change_status(self, status: Status, cause: Cause, reason: str = "") -> None:
        """Move to another state; to the same one is no change, but that it is snoozed no longer.

        Raises `MoveNotAllowed`.
        """
        before = self.status
        if self.has_done(cause) or (status is before and self.snoozed_until is None):
            return
        self._move(status, cause.at)
        self._record(
            events.StatusChanged, cause, status_before=before.value, status=status.value, reason=reason
        )

    def snooze(self, until: datetime, cause: Cause) -> None:
        """On hold until an instant, to the millisecond; then it opens by itself, or at a reply before.

        Raises `Invalid` for an instant that is past or too far away, and `MoveNotAllowed`.
        """
        until = until.replace(microsecond=until.microsecond // 1000 * 1000)
        if self.has_done(cause) or (self.status is Status.ON_HOLD and self.snoozed_until == until):
            return
        _check_snooze(until, cause.at)
        before = self.status
        if before is not Status.ON_HOLD:
            check_move(before, Status.ON_HOLD)
            self._enter(Status.ON_HOLD, cause.at)
        self.snoozed_until = until
        self._record(
            events.StatusChanged,
            cause,
            status_before=before.value,
            status=self.status.value,
            reason="snoozed",
            snoozed_until=until,
        )

    def wake(self, until: datetime, cause: Cause) -> None:
        """The instant until which it was snoozed has come: open again, unless something moved it before."""
        if self.has_done(cause) or self.status is not Status.ON_HOLD or self.snoozed_until != until:
            return
        self._enter(Status.OPEN, cause.at)
        self._record(
            events.StatusChanged,
            cause,
            status_before=Status.ON_HOLD.value,
            status=Status.OPEN.value,
            reason="it was snoozed until now",
        )

    def refuse_command(
        self, message_id: str, sender: str, reason: str, may_auto_respond: bool, cause: Cause
    ) -> None:
        """An agent's mail asked for what cannot be done: nothing of it was."""
        if not self.has_done(cause):
            self._record(
                events.CommandRefused,
                cause,
                message_id=message_id,
                sender=sender,
                reason=reason,
                may_auto_respond=may_auto_respond,
            )

    def set_priority(self, priority: Priority, cause: Cause) -> None:
        """A person sets the priority; no machine changes it afterwards."""
        if self.has_done(cause):
            return
        before = self.priority
        if before is priority and self.sources.get("priority") is Source.PERSON:
            return
        self.priority = priority
        self.sources["priority"] = Source.PERSON
        self._record(events.PriorityChanged, cause, priority_before=before.value, priority=priority.value)

    def breach(self, target: str, due_at: datetime, policy: str, cause: Cause) -> None:
        """A deadline passed unmet; once a target."""
        if self.has_done(cause) or target in self.breached:
            return
        self.breached.append(target)
        self._record(events.SlaBreached, cause, target=target, due_at=due_at, policy=policy)

    def _move(self, status: Status, at: datetime) -> None:
        """To a state that was asked for; who asks for on hold does not ask for on hold until an instant."""
        if status is self.status:
            self.snoozed_until = None
        else:
            check_move(self.status, status)
            self._enter(status, at)

    def _mark_loop(self, reason: str, cause: Cause) -> None:
        if not self.loop:
            self.loop = reason
            self._record(events.LoopSuspected, cause, reason=reason)


def _check_snooze(until: datetime, now: datetime) -> None:
    if until <= now:
        reason = f"{until:%Y-%m-%d %H:%M} UTC is past: choose an instant to come"
        raise Invalid(reason, {"until": "past"})
    if until - now > LONGEST_SNOOZE:
        reason = f"{until:%Y-%m-%d %H:%M} UTC is too far away: {LONGEST_SNOOZE.days} days are the most"
        raise Invalid(reason, {"until": "too far away"})
