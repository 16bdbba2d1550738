"""Which letters an event asks for, how many may go, and when one is tried again. Pure.

An automatic letter goes to nobody who may not be answered (RFC 3834 §2), never to an address of ours, and
never on a ticket that is spam. What cannot be decided is decided against the letter.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.domain.contacts import bare_address
from shared.domain.events import (
    AgentReplied,
    CommandRefused,
    CustomerReplied,
    SlaBreached,
    TicketAssigned,
    TicketEvent,
    TicketOpened,
)
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.domain.users import User

WINDOWS = {"ten_minutes": 600, "hour": 3_600, "day": 86_400}
"""The spans that a brake counts in, in seconds; they stand side by side and do not slide."""


class Kind(StrEnum):
    """The letters we know to write; also the names of their templates."""

    ACKNOWLEDGEMENT = "acknowledgement"
    REPLY = "reply"
    SLA_BREACHED = "sla_breached"
    ASSIGNED = "assigned"
    CUSTOMER_REPLIED = "customer_replied"
    COMMAND_FAILED = "command_failed"


TO_AGENTS = frozenset({Kind.ASSIGNED, Kind.CUSTOMER_REPLIED})
"""Letters that tell a user of work; what they tell of was done by others."""

LOOPS = frozenset({Kind.ACKNOWLEDGEMENT, Kind.COMMAND_FAILED})
"""Letters that answer a mail: when the brake holds one, machines may be writing to each other."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A letter that an event asks for."""

    kind: Kind
    to: Contact
    automatic: bool


def acknowledgement(event: TicketOpened, ours: Iterable[str]) -> Wanted | None:
    """The letter that says we have received a customer's first mail.

    It carries nothing the sender wrote, his name included: with a forged From it would make us carry it to
    a stranger.
    """
    if not event.may_auto_respond or _is_spam(event) or "@" not in event.customer:
        return None
    if bare_address(event.customer) in {bare_address(address) for address in ours}:
        return None
    return Wanted(Kind.ACKNOWLEDGEMENT, Contact(address=event.customer), automatic=True)


def reply(event: AgentReplied, ticket: Ticket) -> Wanted | None:
    """The letter that carries an agent's answer to the customer."""
    if _is_spam(event):
        return None
    return Wanted(Kind.REPLY, ticket.customer, automatic=False)


def breach_notice(event: SlaBreached, lead_address: str) -> Wanted | None:
    """The letter that tells the lead of a missed deadline."""
    if not lead_address or _is_spam(event):
        return None
    return Wanted(Kind.SLA_BREACHED, Contact(address=lead_address.lower()), automatic=True)


def assignment(event: TicketAssigned, user: User | None, ours: Iterable[str]) -> Wanted | None:
    """The letter that tells `user`, the assignee, of a ticket that somebody else gave them."""
    if user is None or event.assignee == event.assignee_before or _is_act_of(event, user):
        return None
    return _to_user(Kind.ASSIGNED, event, user, ours)


def news(event: CustomerReplied, user: User | None, ours: Iterable[str]) -> Wanted | None:
    """The letter that tells `user`, the assignee, what the customer wrote."""
    if user is None or event.sender in user.addresses:
        return None
    return _to_user(Kind.CUSTOMER_REPLIED, event, user, ours)


def command_failure(event: CommandRefused, user: User | None, ours: Iterable[str]) -> Wanted | None:
    """The letter that tells `user` why nothing was done of what their mail asked for; it goes where that came
    from."""
    if user is None or not event.may_auto_respond:
        return None
    return _to_user(Kind.COMMAND_FAILED, event, user, ours, event.sender)


def windows_at(at: datetime) -> dict[str, str]:
    """For each window its own number at this instant: what a counter counts in."""
    instant = int(at.timestamp())
    return {window: f"{window}:{instant // seconds}" for window, seconds in WINDOWS.items()}


def pause_before_next(tries: int, letter_id: str, first: float, longest: float) -> float:
    """Seconds to wait after `tries` tries: tripled each time up to `longest`, spread by a fifth.

    The spread follows from the letter, so that letters postponed together do not come back together.
    """
    steps = min(max(tries, 1) - 1, 32)  # beyond it every pause is the longest one
    fraction = hashlib.sha256(f"{letter_id}.{tries}".encode()).digest()[0] / 255
    return min(first * 3.0**steps, longest) * (0.8 + 0.4 * fraction)


def _is_spam(event: TicketEvent) -> bool:
    return event.facts.status == Status.SPAM.value


def _to_user(
    kind: Kind, event: TicketEvent, user: User, ours: Iterable[str], address: str = ""
) -> Wanted | None:
    """Nobody hears of what was before they were a user, or while they were none."""
    if not user.enabled or event.occurred_at < user.since or _is_spam(event):
        return None
    to = Contact(address=address or user.addresses[0], name=user.name)
    if bare_address(to.address) in {bare_address(one) for one in ours}:
        return None
    return Wanted(kind, to, automatic=True)


def _is_act_of(event: TicketEvent, user: User) -> bool:
    """Whether the user did it; a key of the API may be called after its user, by id or address."""
    actor = event.actor.removeprefix("user:").lower()
    return event.actor.startswith("user:") and actor in (user.id, *user.addresses)
