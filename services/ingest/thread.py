"""Which ticket a mail belongs to, and what its sender may do there. Pure: what is known comes in as
arguments.

In this order: an id of In-Reply-To or References, newest first, that a letter or a mail of a ticket carried
or referred to; the mail's own id, when an answer to it came before it; a number in the subject. A participant
joins. A stranger joins, pending and without rights, only if they were written to on that ticket; else their
mail opens a ticket of its own, linked as one that claims to belong to the other. The answer comes with its
reasons.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from services.ingest.parsing import ParsedMail
from shared.domain.ids import thread_id_for
from shared.domain.ticket import Ticket
from shared.stores.collections import ThreadId

_NUMBER = re.compile(r"\[#(\d{1,12})\]")


class Standing(StrEnum):
    """What the sender is to a ticket."""

    CUSTOMER = "customer"
    """The customer or a confirmed participant: may do all that a customer may."""
    PENDING = "pending"
    """Is shown, and moves nothing."""


class Link(NamedTuple):
    """An id of the mail that leads to a ticket. `quoted`: the mail refers to it; else it is the mail's
    own."""

    message_id: str
    ticket_id: str
    quoted: bool
    ours: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """`opens`: the ticket does not exist yet; `ticket_id` None: it is the mail's own to name.

    `reasons` are stored with the message.
    """

    ticket_id: str | None
    opens: bool
    reasons: list[str]
    follow_up_of: str | None = None
    claims_to_belong_to: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What the stores say about a mail's links: the tickets that exist, and in which the sender was written
    to."""

    links: Sequence[Link] = ()
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    written_to: Collection[str] = ()
    numbered: Ticket | None = None


def links_of(mail: ParsedMail, most: int, known: Mapping[str, ThreadId]) -> list[Link]:
    """The links of a mail, the strongest first; `known` by `thread_id_for`."""
    links = []
    for message_id in mail.referred(most):
        found = known.get(thread_id_for(message_id))
        if found is not None:
            links.append(Link(message_id, found.ticket_id, quoted=True, ours=minted(found)))
    own = known.get(thread_id_for(mail.message_id)) if mail.message_id else None
    if own is not None and not own.carried:
        links.append(Link(mail.message_id, own.ticket_id, quoted=False, ours=False))
    return links


def minted(found: ThreadId) -> bool:
    """Whether a letter of ours carried the id; no mail that came in can make it look so."""
    return found.carried and not found.message


def standing_of(address: str, ticket: Ticket) -> Standing | None:
    """The sender's standing by the ticket alone; None for a stranger."""
    if address == ticket.customer_address:
        return Standing.CUSTOMER
    for one in ticket.participants:
        if one.address == address:
            return Standing.CUSTOMER if one.confirmed else Standing.PENDING
    return None


def decide(sender: str, automatic: bool, at: datetime, known: Known) -> Decision:
    """The ticket for a mail of `sender` that arrived at `at`."""
    claimed: str | None = None
    for link in known.links:
        ticket = known.tickets.get(link.ticket_id)
        if ticket is None:  # another mail of the thread is about to open it, or was and died: we can as well
            return Decision(link.ticket_id, True, [_matched(link)])
        standing = _standing(sender, automatic, link, ticket, known)
        if standing is not None:
            return _joined(ticket, standing, automatic, at, _matched(link))
        if link.quoted:
            claimed = claimed or ticket.id
    if known.numbered is not None:
        if standing_of(sender, known.numbered) is Standing.CUSTOMER:
            reason = f"matched by the number #{known.numbered.number} in the subject, from a participant"
            return _joined(known.numbered, Standing.CUSTOMER, automatic, at, reason)
        claimed = claimed or known.numbered.id
    if claimed is not None:
        reason = "opened: the sender takes no part in the ticket that the mail names"
        return Decision(None, True, [reason], claims_to_belong_to=claimed)
    return Decision(None, True, ["opened: no id of a ticket is known in it"])


def number_in(subject: str) -> int | None:
    """The ticket number that a subject names, as in `[#10042]`."""
    found = _NUMBER.search(subject)
    return int(found[1]) if found else None


def _standing(sender: str, automatic: bool, link: Link, ticket: Ticket, known: Known) -> Standing | None:
    if standing := standing_of(sender, ticket):
        return standing
    bounced = automatic and link.ours
    return Standing.PENDING if bounced or ticket.id in known.written_to else None


def _joined(ticket: Ticket, standing: Standing, automatic: bool, at: datetime, reason: str) -> Decision:
    if standing is Standing.CUSTOMER and not automatic and not ticket.takes_reply_at(at):
        reasons = [f"{reason}, but that ticket is closed for long"]
        return Decision(None, True, reasons, follow_up_of=ticket.id)
    return Decision(ticket.id, False, [reason])


def _matched(link: Link) -> str:
    how = "In-Reply-To or References" if link.quoted else "an answer that came before it, to"
    return f"matched by {how} <{link.message_id}>"
