"""Which ticket a mail belongs to, and what its sender may do there. Pure: what is known comes in as
arguments.

In this order: what we signed into a letter and the mail gives back (its Message-ID, its reply address, its
mark); an id of In-Reply-To or References, newest first, that another mail of a ticket carried or referred to,
and the mail's own id, when an answer to it came before it; a number in the subject.

A participant joins. A stranger joins, pending and without rights, by what we signed, or if they were written
to on that ticket; else their mail opens a ticket of its own, linked as one that claims to belong to the
other. Whoever is not believed to be the sender (services/ingest/authentication.py) has no rights unless what
we signed for that very address comes back. A merged ticket stands for the one it was merged into. The answer
comes with its reasons.

What operators choose (`Rules`) lets nobody in with rights: at most a stranger's mail is shown as pending.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from services.ingest.links import Link, Token
from services.ingest.subjects import same_subject
from shared.domain.ticket import REOPEN_WITHIN, Ticket

MOST_MERGES = 20
"""Merges one after the other that are followed; what goes on for longer is a fault."""


class Standing(StrEnum):
    """What the sender is to a ticket."""

    CUSTOMER = "customer"
    """The customer or a confirmed participant: may do all that a customer may."""
    PENDING = "pending"
    """Is shown, and moves nothing."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote, or what. `believed`: nothing speaks against the address; see authentication.py."""

    address: str
    automatic: bool = False
    believed: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """What operators choose. `any_sender`: a number lets strangers in, as pending.

    `changed_subject_opens`: who answers an old mail under another subject means another thing. What we
    signed, and what machines answer, leads to its ticket all the same.
    """

    reopen_within: timedelta = REOPEN_WITHIN
    any_sender: bool = False
    changed_subject_opens: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """`opens`: the ticket does not exist yet; `ticket_id` None: it is the mail's own to name.

    `verified`: the sender is believed, or has shown what we signed for them. `reasons` are stored with the
    message.
    """

    ticket_id: str | None
    opens: bool
    reasons: list[str]
    follow_up_of: str | None = None
    claims_to_belong_to: str | None = None
    verified: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """What the stores say about what a mail carries.

    `tickets`: those that exist, and those they were merged into. `written_to`: those of them in which the
    sender, a stranger, was written to. `numbered`: those that the mail names by number. `subject`: its own.
    """

    links: Sequence[Link] = ()
    tickets: Mapping[str, Ticket] = field(default_factory=dict)
    written_to: Collection[str] = ()
    numbered: Sequence[Ticket] = ()
    tokens: Sequence[Token] = ()
    subject: str = ""

    def way_of(self, ticket_id: str) -> list[Ticket]:
        """The ticket and those it was merged into, one after the other: a mail belongs to the last.

        Empty for a ticket that does not exist. Merges that lead round in a circle, or nowhere, are not
        followed at all.
        """
        way = [self.tickets[ticket_id]] if ticket_id in self.tickets else []
        while way and (following := way[-1].merged_into):
            if (
                following not in self.tickets
                or len(way) > MOST_MERGES
                or any(following == one.id for one in way)
            ):
                return way[:1]
            way.append(self.tickets[following])
        return way


def standing_of(address: str, ticket: Ticket) -> Standing | None:
    """The sender's standing by the ticket alone; None for a stranger."""
    if address == ticket.customer_address:
        return Standing.CUSTOMER
    for one in ticket.participants:
        if one.address == address:
            return Standing.CUSTOMER if one.confirmed else Standing.PENDING
    return None


def decide(sender: Sender, at: datetime, known: Known, rules: Rules) -> Decision:
    """The ticket for a mail of `sender` that arrived at `at`."""
    return _Question(sender, at, known, rules).answer()


@dataclass(frozen=True, slots=True)
class _Question:
    sender: Sender
    at: datetime
    known: Known
    rules: Rules

    def answer(self) -> Decision:
        claimed: list[str] = []
        found = self._by_token() or self._by_link(claimed) or self._by_number(claimed)
        if found is not None:
            return found
        if claimed:
            return self._claims(claimed[0], "the sender takes no part in the ticket that the mail names")
        return Decision(
            None, True, ["opened: no id of a ticket is known in it"], verified=self.sender.believed
        )

    def _by_token(self) -> Decision | None:
        for token in self.known.tokens:
            way = self.known.way_of(token.ticket_id)
            if way:
                verified = self.sender.believed or self._is_shown_for(way[-1])
                standing = self._standing(way) if verified else None
                return self._joined(way, standing or Standing.PENDING, f"matched by {token.how}", verified)
        return None

    def _by_link(self, claimed: list[str]) -> Decision | None:
        for link in self.known.links:
            way = self.known.way_of(link.ticket_id)
            if not way:  # another mail of the thread is about to open it, or was and died: we can as well
                return Decision(link.ticket_id, True, [_matched(link)], verified=self.sender.believed)
            if standing := self._standing_by_link(way, link):
                if self._is_about_else(way, link):
                    return self._apart(way[-1], standing)
                return self._joined(way, standing, _matched(link), self.sender.believed)
            if link.quoted:
                claimed.append(way[-1].id)
        return None

    def _by_number(self, claimed: list[str]) -> Decision | None:
        for ticket in self.known.numbered:
            way = self.known.way_of(ticket.id) or [ticket]
            standing = self._standing(way) if self.sender.believed else None
            if standing is not Standing.CUSTOMER and self.rules.any_sender and self.sender.believed:
                standing = Standing.PENDING
            elif standing is Standing.PENDING:
                standing = None
            if standing is not None:
                whose = "from a participant" if standing is Standing.CUSTOMER else "which any sender may"
                reason = f"matched by the number #{ticket.number} that it names, {whose}"
                return self._joined(way, standing, reason, self.sender.believed)
            claimed.append(way[-1].id)
        return None

    def _is_about_else(self, way: list[Ticket], link: Link) -> bool:
        if not self.rules.changed_subject_opens or link.ours or not link.quoted or self.sender.automatic:
            return False
        return not any(same_subject(self.known.subject, ticket.subject) for ticket in way)

    def _apart(self, ticket: Ticket, standing: Standing) -> Decision:
        """A ticket of its own, for a mail that would have joined this one if its subject were the same."""
        why = "it answers a mail of another ticket, under another subject"
        if standing is Standing.PENDING:
            return self._claims(ticket.id, why)
        return Decision(None, True, [f"opened: {why}"], follow_up_of=ticket.id, verified=self.sender.believed)

    def _standing_by_link(self, way: list[Ticket], link: Link) -> Standing | None:
        if self.sender.automatic and link.ours:
            return self._standing(way) or Standing.PENDING  # a letter of ours came back, from whatever server
        if not self.sender.believed:
            return None
        written_to = any(ticket.id in self.known.written_to for ticket in way)
        return self._standing(way) or (Standing.PENDING if written_to else None)

    def _standing(self, way: list[Ticket]) -> Standing | None:
        """On the last; who took part in one that was merged into it is no stranger there."""
        standing = standing_of(self.sender.address, way[-1])
        if standing is None and any(standing_of(self.sender.address, ticket) for ticket in way):
            return Standing.PENDING
        return standing

    def _is_shown_for(self, ticket: Ticket) -> bool:
        """Whether something that we signed for this sender and this ticket came back."""
        shown = (token for token in self.known.tokens if token.for_sender)
        return any(way[-1] is ticket for token in shown if (way := self.known.way_of(token.ticket_id)))

    def _joined(self, way: list[Ticket], standing: Standing, reason: str, verified: bool) -> Decision:
        ticket = way[-1]
        if len(way) > 1:
            reason = f"{reason}; that ticket was merged into #{ticket.number}"
        if self.sender.automatic or ticket.takes_reply_at(self.at, self.rules.reopen_within):
            reasons = [reason]
            if standing is Standing.PENDING and not self.sender.automatic:
                why = "is not a confirmed participant" if verified else "is not known to be who it says"
                reasons.append(f"without rights: the sender {why}")
            return Decision(ticket.id, False, reasons, verified=verified)
        if standing is Standing.PENDING:
            return self._claims(ticket.id, f"{reason}, but that ticket is closed for long", verified)
        reasons = [f"{reason}, but that ticket is closed for long"]
        return Decision(None, True, reasons, follow_up_of=ticket.id, verified=verified)

    def _claims(self, ticket_id: str, why: str, verified: bool | None = None) -> Decision:
        verified = self.sender.believed if verified is None else verified
        return Decision(None, True, [f"opened: {why}"], claims_to_belong_to=ticket_id, verified=verified)


def _matched(link: Link) -> str:
    how = "In-Reply-To or References" if link.quoted else "an answer that came before it, to"
    return f"matched by {how} <{link.message_id}>"
