"""What became of one mail: all that is known under its Message-ID, for a person who asks where it is."""

from dataclasses import dataclass

from shared.domain.errors import NotFound
from shared.domain.ledger import LedgerEntry
from shared.domain.letters import Letter
from shared.domain.messages import Message
from shared.domain.ticket import Ticket
from shared.ports.documents import AnyOf, Order
from shared.stores.stores import Stores

MOST = 200
"""Entries of each kind; a Message-ID that has more is an attack or a fault."""


@dataclass(frozen=True)
class Trace:
    """See the module. `letters` are those of the tickets and the one that itself has the Message-ID."""

    message_id: str
    ledger: list[LedgerEntry]
    messages: list[Message]
    tickets: list[Ticket]
    letters: list[Letter]


async def trace(stores: Stores, message_id: str) -> Trace:
    """The trace of the mail with this Message-ID, with or without `<>`. Raises `NotFound`."""
    message_id = message_id.strip().removeprefix("<").removesuffix(">")
    if not message_id:
        raise NotFound("a mail without a Message-ID is found by its digest, not by this")
    ledger = (await stores.ledger.find({"message_id": message_id}, limit=MOST)).items
    messages = (await stores.messages.find({"message_id": message_id}, limit=MOST)).items
    own_letters = (await stores.letters.find({"message_id": message_id}, limit=MOST)).items
    if not ledger and not messages and not own_letters:
        raise NotFound(f"no mail with the Message-ID <{message_id}> was seen or sent")
    ticket_ids = sorted(
        {entry.ticket_id for entry in ledger if entry.ticket_id}
        | {message.ticket_id for message in messages}
        | {letter.ticket_id for letter in own_letters}
    )
    tickets = await stores.tickets.get_many(ticket_ids)
    letters = {letter.id: letter for letter in own_letters}
    if ticket_ids:
        found = await stores.letters.find({"ticket_id": AnyOf(ticket_ids)}, Order("created_at"), MOST)
        letters |= {letter.id: letter for letter in found.items}
    return Trace(
        message_id=message_id,
        ledger=ledger,
        messages=messages,
        tickets=[tickets[ticket_id] for ticket_id in ticket_ids if ticket_id in tickets],
        letters=sorted(letters.values(), key=lambda letter: (letter.created_at, letter.id)),
    )
