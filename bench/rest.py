"""What belongs to a seeded ticket: its mail, the ledger's entry, its thread, triage, deadlines and letter."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from shared.domain.deadlines import Deadline, DeadlineState, Target, deadline_id
from shared.domain.documents import Document
from shared.domain.ids import derived, digest, thread_id_for
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.domain.letters import Attempt, Letter, LetterState, letter_id
from shared.domain.messages import Direction, Message
from shared.domain.priority import Source
from shared.domain.ticket import Classification, Contact, Ticket
from shared.domain.triage import Triage
from shared.ports.documents import Spec
from shared.stores.collections import DEADLINES, LEDGER, LETTERS, MESSAGES, THREAD_IDS, TRIAGES, ThreadId

DESK = Contact(address="support@sandbox.example", name="Support")
UIDVALIDITY = 1
"""Of a mailbox that is none of ours: the collector will not meet these mails."""


def rest_of(ticket: Ticket, now: datetime) -> Iterator[tuple[Spec[Any], Document]]:
    """Each document with its collection. The text is short, for disk and cache are small where this runs."""
    number, at = ticket.number, ticket.opened_at
    message_id, message = f"seed.{number}@example.org", derived("msg", f"seed.{number}")
    entry = entry_id("former", UIDVALIDITY, number)
    raw = digest(message_id.encode())
    letter = _letter(ticket, message_id)
    yield (
        MESSAGES,
        Message(
            id=message,
            version=1,
            ticket_id=ticket.id,
            direction=Direction.INBOUND,
            author="customer",
            sender=ticket.customer,
            to=[DESK],
            subject=ticket.subject,
            text=f"{ticket.subject}\n" * 20,
            kind="person",
            message_id=message_id,
            raw=raw,
            origin=entry,
            reasons=["opens a ticket"],
            at=at,
        ),
    )
    for known, carrier in ((message_id, message), (letter.message_id, "")):
        yield (
            THREAD_IDS,
            ThreadId(id=thread_id_for(known), version=1, ticket_id=ticket.id, carried=True, message=carrier),
        )
    yield (
        LEDGER,
        LedgerEntry(
            id=entry,
            version=1,
            mailbox="former",
            uidvalidity=UIDVALIDITY,
            uid=number,
            digest=raw,
            fingerprint=raw,
            message_id=message_id,
            outcome=Outcome.INGESTED,
            reason="opens a ticket",
            ticket_id=ticket.id,
            document_id=message,
            fetched_at=at,
            at=at,
        ),
    )
    yield TRIAGES, _triage(ticket, raw)
    yield LETTERS, letter
    for target in Target:
        yield DEADLINES, _deadline(ticket, target, now)


def _triage(ticket: Ticket, input_digest: str) -> Triage:
    fields = {name: getattr(ticket, name) for name in Classification.model_fields}
    return Triage(
        id=ticket.triage_id or "",
        version=1,
        ticket_id=ticket.id,
        found=Classification(**fields),
        priority=ticket.priority,
        rung=Source.RULES,
        reasons=["category: no signal found"],
        input_digest=input_digest,
        at=ticket.opened_at,
    )


def _letter(ticket: Ticket, parent: str) -> Letter:
    own_id = letter_id(f"{ticket.id}.1", "acknowledgement", ticket.customer.address)
    return Letter(
        id=own_id,
        version=3,
        ticket_id=ticket.id,
        kind="acknowledgement",
        automatic=True,
        to=ticket.customer,
        sender=DESK,
        subject=f"Re: {ticket.subject}",
        text="We have your mail and will answer it. " * 10,
        html="",
        message_id=f"{own_id}@sandbox.example",
        in_reply_to=parent,
        state=LetterState.SENT,
        attempts=[Attempt(at=ticket.opened_at, code=250, answer="stored")],
        created_at=ticket.opened_at,
        sent_at=ticket.opened_at,
    )


def _deadline(ticket: Ticket, target: Target, now: datetime) -> Deadline:
    """Met where the ticket is answered; else due when the bench is long over."""
    met = ticket.first_response_at is not None
    due = ticket.opened_at + timedelta(days=1) if met else now + timedelta(days=30)
    return Deadline(
        id=deadline_id(ticket.id, target, 1),
        version=1,
        wake_at=None if met else due,
        ticket_id=ticket.id,
        target=target,
        policy="default",
        started_at=ticket.opened_at,
        due_at=due,
        ticket_version=ticket.version,
        state=DeadlineState.MET if met else DeadlineState.RUNNING,
    )
