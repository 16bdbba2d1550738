"""A mail that is read, what follows from it alone, and what its message, its ticket and its ledger entry say.

Nothing is asked of anybody: every id and every instant follows from the mail, so that a mail handled again
makes the same.
"""

from dataclasses import dataclass
from datetime import timedelta

from services.ingest.authentication import Authentication, Policy, authenticate
from services.ingest.bounces import bounce_of
from services.ingest.finder import Asked
from services.ingest.parsing import ParsedMail
from services.ingest.recognise import NOTICES, Recognised
from services.ingest.reply_text import Split
from services.ingest.thread import Decision, Sender, Standing, standing_of
from shared.domain.cause import Cause
from shared.domain.ids import derived, sortable
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import MailFetched
from shared.domain.messages import Direction, Inner, Message
from shared.domain.ticket import Contact, Ticket

UNKNOWN_SENDER = "unknown@sender.invalid"
"""Stands for the sender of a mail that names none (RFC 2606 §2)."""

LONGEST_SUBJECT = 500
"""Characters of a ticket's subject."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A mail that is read, with what follows from it alone.

    `authserv_id`: whose word about senders counts, empty for nobody's. `edited`: by a person, in the
    quarantine.
    """

    fetched: MailFetched
    mail: ParsedMail
    recognised: Recognised
    document_id: str
    sender: Contact
    cause: Cause
    may_auto_respond: bool
    authentication: Authentication
    believed: bool
    authserv_id: str = ""
    edited: bool = False


def taken_of(
    fetched: MailFetched,
    mail: ParsedMail,
    recognised: Recognised,
    stale: timedelta,
    policy: Policy,
    *,
    edited: bool = False,
) -> Taken:
    """The mail with what follows from it. `stale`: how long it may have lain in its mailbox."""
    document_id = derived("msg", mail.fingerprint)
    sender = Contact(address=UNKNOWN_SENDER)
    if mail.sender is not None:
        sender = Contact(address=mail.sender.address, name=mail.sender.name)
    is_stale = fetched.fetched_at - fetched.received_at > stale
    cause = Cause(
        key=f"ingest:{document_id}",
        actor=f"customer:{sender.address}",
        # A server's clock may be ahead; and a first import must not breach every deadline at once.
        at=fetched.fetched_at if is_stale else min(fetched.received_at, fetched.fetched_at),
        correlation_id=fetched.entry,
        traceparent=fetched.traceparent,
    )
    authentication = authenticate(mail, policy.authserv_id)
    return Taken(
        fetched=fetched,
        mail=mail,
        recognised=recognised,
        document_id=document_id,
        sender=sender,
        cause=cause,
        may_auto_respond=recognised.may_auto_respond and not is_stale,
        authentication=authentication,
        believed=policy.believes(authentication),
        authserv_id=policy.authserv_id.strip(),
        edited=edited,
    )


def asked_of(taken: Taken) -> Asked:
    """The mail as it looks for its ticket."""
    return Asked(
        mail=taken.mail,
        document_id=taken.document_id,
        candidate=sortable("tkt", taken.cause.at, taken.mail.fingerprint),
        sender=Sender(taken.sender.address, taken.recognised.automatic, taken.believed),
        at=taken.cause.at,
        bounced=_bounced(taken),
    )


def _bounced(taken: Taken) -> list[str]:
    """The Message-ID of the letter that a notice says was not delivered."""
    if taken.recognised.kind not in NOTICES:
        return []
    original = bounce_of(taken.mail).original_message_id
    return [original] if original else []


def message_of(taken: Taken, decision: Decision, parts: Split) -> Message:
    """The message that the mail becomes."""
    mail = taken.mail
    doubts = [] if taken.believed else [f"unconfirmed sender: {taken.authentication.reason}"]
    return Message(
        id=taken.document_id,
        ticket_id=decision.ticket_id or "",
        direction=Direction.INBOUND,
        author="system" if taken.recognised.automatic else "customer",
        sender=taken.sender,
        to=[Contact(address=one.address, name=one.name) for one in mail.to],
        cc=[Contact(address=one.address, name=one.name) for one in mail.cc],
        subject=mail.subject,
        text=mail.text,
        reply_text="" if parts.is_forward or parts.reply_text == mail.text else parts.reply_text,
        forwarded=_inner(parts),
        html=mail.html,
        kind=taken.recognised.kind.value,
        attachments=mail.attachments,
        message_id=mail.stable_id,
        in_reply_to=mail.in_reply_to[0] if mail.in_reply_to else "",
        references=mail.references,
        raw=taken.fetched.digest,
        origin=taken.fetched.entry,
        verified=decision.verified,
        reasons=[*decision.reasons, *doubts, *taken.recognised.reasons, *mail.decisions, *parts.decisions],
        at=taken.cause.at,
    )


def _inner(parts: Split) -> Inner | None:
    if parts.forwarded is None:
        return None
    author = parts.forwarded.author
    return Inner(
        sender=Contact(address=author.address, name=author.name) if author else None,
        date=parts.forwarded.date,
        subject=parts.forwarded.subject,
    )


def opened_by(taken: Taken, message: Message, decision: Decision, number: int) -> Ticket:
    """The ticket that the mail opens."""
    return Ticket.open(
        message.ticket_id,
        number,
        mailbox=taken.fetched.mailbox,
        subject=taken.mail.subject[:LONGEST_SUBJECT] or "(no subject)",
        channel="mail",
        customer=taken.sender,
        message_id=message.id,
        # A letter to an address that a stranger wrote into From goes to one who never wrote to us.
        may_auto_respond=taken.may_auto_respond and message.verified,
        cause=taken.cause,
        follow_up_of=decision.follow_up_of,
        claims_to_belong_to=decision.claims_to_belong_to,
    )


def tell(ticket: Ticket, taken: Taken, message: Message, loop_from: int) -> None:
    """Tell the ticket that this mail arrived; one that knows does nothing. See `Ticket.note_automatic`."""
    if taken.recognised.automatic:
        kind = taken.recognised.kind.value
        ticket.note_automatic(taken.document_id, taken.sender.address, kind, taken.cause, loop_from)
    elif message.verified and standing_of(taken.sender.address, ticket) is Standing.CUSTOMER:
        ticket.customer_replied(taken.document_id, taken.sender.address, taken.cause)
    else:
        ticket.participant_wrote(taken.document_id, taken.sender, taken.cause)


def entry_of(
    fetched: MailFetched,
    outcome: Outcome,
    reason: str,
    mail: ParsedMail | None = None,
    message: Message | None = None,
) -> LedgerEntry:
    """The ledger entry of a mail; `mail` and `message` are what was made of it, where something was."""
    return LedgerEntry(
        id=fetched.entry,
        mailbox=fetched.mailbox,
        folder=fetched.folder,
        partial=fetched.partial,
        uidvalidity=fetched.uidvalidity,
        uid=fetched.uid,
        digest=fetched.digest,
        fingerprint=mail.fingerprint if mail else fetched.digest,
        message_id=mail.stable_id if mail else "",
        outcome=outcome,
        reason=reason,
        ticket_id=message.ticket_id if message else None,
        document_id=message.id if message else None,
        fetched_at=fetched.fetched_at,
        at=fetched.fetched_at,
    )
