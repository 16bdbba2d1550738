"""A letter: one mail of ours to one addressee, a document before it is a mail.

`held → queued → sending → sent | failed`, and `sent → bounced` when it came back from behind the relay. An
agent's reply is held for a while; until it is being sent a person may cancel it: `cancelled`. `sending` is
saved just before the last byte that a relay could act on; a letter found in `sending` after its sender died
may or may not have gone out. An agent's reply is then sent again with the same Message-ID (at least once); an
automatic letter is not (at most once).
"""

from enum import StrEnum

from pydantic import BaseModel, Field

from shared.domain import events
from shared.domain.documents import Instant, Sleeper
from shared.domain.errors import MoveNotAllowed
from shared.domain.ids import derived
from shared.domain.ticket import Contact


class LetterState(StrEnum):
    """Where a letter stands."""

    HELD = "held"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    BOUNCED = "bounced"
    CANCELLED = "cancelled"


class Attempt(BaseModel):
    """One try: when, and what the relay said. An empty code: it never answered."""

    at: Instant
    code: int | None = None
    answer: str = ""


def letter_id(event_id: str, kind: str, addressee: str) -> str:
    """The id that follows from what caused the letter: a repeat finds the letter there."""
    return derived("let", event_id, kind, addressee)


class Letter(Sleeper):
    """See the module. `wake_at` is when it is tried next; `message_id` is without `<>`."""

    ticket_id: str
    kind: str
    automatic: bool
    to: Contact
    sender: Contact
    subject: str
    text: str
    html: str
    message_id: str
    in_reply_to: str = ""
    references: list[str] = Field(default_factory=list)
    reply_to: str = ""
    language: str = "en"
    state: LetterState = LetterState.QUEUED
    attempts: list[Attempt] = Field(default_factory=list)
    reason: str = ""
    created_at: Instant
    sent_at: Instant | None = None
    correlation_id: str = ""
    traceparent: str = ""

    def held(self, until: Instant) -> None:
        """It is not yet stored, and must not be sent before `until`."""
        self.state, self.wake_at = LetterState.HELD, until

    def cancelled(self, at: Instant, actor: str) -> None:
        """A person does not want it sent; a second time changes nothing.

        Raises `MoveNotAllowed` when the relay may have it already, and for one that is over.
        """
        if self.state is LetterState.CANCELLED:
            return
        if self.state not in (LetterState.HELD, LetterState.QUEUED):
            raise MoveNotAllowed(f"letter {self.id} is {self.state.value}: too late to cancel it", allowed=[])
        self.state, self.reason, self.wake_at = LetterState.CANCELLED, f"cancelled by {actor}", None
        self.touch()
        self._tell(events.LetterFailed, Attempt(at=at), reason=self.reason)

    def start_sending(self) -> None:
        """From here on the relay may have it."""
        self.state = LetterState.SENDING
        self.touch()

    def sent(self, attempt: Attempt) -> None:
        """The relay took it."""
        self.attempts.append(attempt)
        self.state, self.sent_at, self.wake_at = LetterState.SENT, attempt.at, None
        self.touch()
        self._tell(events.LetterSent, attempt)

    def failed(self, attempt: Attempt, reason: str) -> None:
        """It will not be tried again."""
        self.attempts.append(attempt)
        self.state, self.reason, self.wake_at = LetterState.FAILED, reason, None
        self.touch()
        self._tell(events.LetterFailed, attempt, reason=reason)

    def bounced(self, at: Instant, reason: str, hard: bool | None, status: str) -> None:
        """A mail system behind the relay sent it back, for good. Once: a second notice changes nothing."""
        if self.state is LetterState.BOUNCED:
            return
        self.state, self.reason, self.wake_at = LetterState.BOUNCED, f"bounced: {reason} ({status})", None
        self.touch()
        self._tell(events.LetterBounced, Attempt(at=at), reason=reason, hard=hard, status=status)

    def postponed(self, attempt: Attempt, until: Instant) -> None:
        """It was not taken; it will be tried again at `until`."""
        self.attempts.append(attempt)
        self.state, self.wake_at = LetterState.QUEUED, until
        self.touch()

    def retried(self, at: Instant) -> None:
        """A person wants one more try of a letter that failed, came back or was cancelled.

        Raises `MoveNotAllowed` in any other state.
        """
        if self.state not in (LetterState.FAILED, LetterState.BOUNCED, LetterState.CANCELLED):
            raise MoveNotAllowed(f"letter {self.id} is {self.state.value}, not failed", allowed=[])
        self.state, self.reason, self.wake_at = LetterState.QUEUED, "", at
        self.touch()

    def _tell(
        self, event_kind: type[events.LetterEvent], attempt: Attempt, **fields: str | bool | None
    ) -> None:
        event = event_kind(
            ticket_id=self.ticket_id,
            version=self.version,
            actor="service:notify",
            occurred_at=attempt.at,
            correlation_id=self.correlation_id,
            letter_id=self.id,
            kind=self.kind,
            **fields,
        )
        self.outbox.append(event.enveloped(self.traceparent))
