"""A ticket's timeline: everything that happened, in order, put together from where it is kept."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from services.api import views
from shared.domain.deadlines import Deadline
from shared.domain.documents import Document
from shared.domain.letters import Letter
from shared.domain.messages import Message
from shared.domain.ticket import Ticket
from shared.domain.triage import Triage
from shared.ports.documents import Order
from shared.stores.store import Store
from shared.stores.stores import Stores

D = TypeVar("D", bound=Document)

_PAGE = 200


async def timeline(stores: Stores, ticket: Ticket, most: int) -> views.Timeline:
    """The timeline with up to `most` entries of each kind, the earliest; `complete` says if that was all."""
    messages, all_messages = await _of_ticket(stores.messages, ticket.id, "at", most)
    letters, all_letters = await _of_ticket(stores.letters, ticket.id, "created_at", most)
    triages, all_triages = await _of_ticket(stores.triages, ticket.id, "at", most)
    deadlines, all_deadlines = await _of_ticket(stores.deadlines, ticket.id, "id", most)
    entries: list[views.Entry] = [
        *_of_messages(messages),
        *(views.StatusEntry(at=span.since, status=span.status) for span in ticket.history[:most]),
        *_of_triages(triages),
        *_of_deadlines(deadlines),
        *_of_letters(letters),
    ]
    return views.Timeline(
        # Sorting is stable: at one instant the message stands before what came of it.
        data=sorted(entries, key=lambda entry: entry.at),
        complete=all_messages
        and all_letters
        and all_triages
        and all_deadlines
        and len(ticket.history) <= most,
    )


async def _of_ticket(store: Store[D], ticket_id: str, by: str, most: int) -> tuple[Sequence[D], bool]:
    found: list[D] = []
    after: str | None = None
    while len(found) < most:
        page = await store.find({"ticket_id": ticket_id}, Order(by), min(_PAGE, most - len(found)), after)
        found += page.items
        after = page.after
        if after is None:
            break
    return found, after is None


def _of_messages(messages: Iterable[Message]) -> Iterable[views.MessageEntry]:
    for message in messages:
        yield views.MessageEntry(at=message.at, message=views.MessageView.of(message))


def _of_letters(letters: Iterable[Letter]) -> Iterable[views.LetterEntry]:
    for letter in letters:
        yield views.LetterEntry(at=letter.created_at, letter=views.LetterView.model_validate(letter))


def _of_triages(triages: Iterable[Triage]) -> Iterable[views.TriageEntry]:
    for triage in triages:
        yield views.TriageEntry(
            at=triage.at,
            rung=triage.rung,
            priority=triage.priority,
            category=triage.found.category,
            model=triage.model,
            prompt_version=triage.prompt_version,
            confidence=triage.confidence,
            reasons=triage.reasons,
        )


def _of_deadlines(deadlines: Iterable[Deadline]) -> Iterable[views.DeadlineEntry]:
    for deadline in deadlines:
        yield views.DeadlineEntry(
            at=deadline.due_at,
            target=deadline.target,
            policy=deadline.policy,
            state=deadline.state,
            explanation=deadline.explanation,
            fired_at=deadline.fired_at,
        )
