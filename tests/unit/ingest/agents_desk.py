"""A helpdesk with a user, who answers letters of ours by mail."""

from datetime import UTC, datetime
from typing import Any

from services.ingest.authentication import Policy
from shared.domain.events import Event, parse_event
from shared.domain.ids import derived
from shared.domain.ledger import LedgerEntry
from shared.domain.messages import Message
from shared.domain.ticket import Ticket
from shared.domain.users import User
from shared.runtime.service import Platform
from shared.stores.users import add_user
from tests.unit.ingest.desk import Helpdesk
from tests.unit.ingest.mails import SUPPORT, mail

BOB, ALIAS = "bob@example.org", "b.builder@example.org"
OURS = "mx.example.com"
PASS = f"{OURS}; dmarc=pass header.from=example.org"
FAIL = f"{OURS}; dmarc=fail header.from=example.org"
LETTER = derived("let", "event", "assigned", BOB)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class AgentsDesk(Helpdesk):
    """The mailbox `support` believes the server `OURS` about senders; `sales` believes nobody."""

    def __init__(self, platform: Platform) -> None:
        super().__init__(platform, policies={"support": Policy(OURS), "sales": Policy()})

    async def user(self, *addresses: str) -> User:
        return await add_user(self.stores, "Bob", addresses or (BOB, ALIAS), [SUPPORT], LONG_AGO)

    async def ticket(self) -> LedgerEntry:
        """A customer's first mail."""
        return await self.take(mail(headers={"Authentication-Results": PASS}))

    def answer(
        self, first: LedgerEntry, text: str, message_id: str = "cmd@example.org", **changed: Any
    ) -> bytes:
        """Bob's answer to a letter that was made for him; `changed`: sender, made_for, said, headers."""
        made_for = changed.pop("made_for", BOB)
        headers = {
            "Authentication-Results": changed.pop("said", PASS),
            "In-Reply-To": f"<{self.letter_of(first, made_for)}>" if made_for else "",
            **changed.pop("headers", {}),
        }
        sender = changed.pop("sender", f"Bob B <{BOB}>")
        return mail(message_id, sender=sender, body=text, headers=headers, subject="Re: yours", **changed)

    def letter_of(self, first: LedgerEntry, made_for: str = BOB) -> str:
        """The Message-ID of a letter of ours about the ticket."""
        return self.signer.message_id(str(first.ticket_id), made_for, LETTER, "example.com")


def told(ticket: Ticket) -> list[Event]:
    """The ticket's events, which wait in its outbox."""
    return [event for one in ticket.outbox if (event := parse_event(one.type, one.data)) is not None]


def moved(ticket: Ticket) -> tuple[Any, ...]:
    """What commands may change of a ticket."""
    return ticket.status, ticket.assignee, ticket.snoozed_until, ticket.history, ticket.participants


def reason(message: Message) -> str:
    """Why nothing was done of what it asks for."""
    return next(one.partition(": ")[2] for one in message.reasons if one.startswith("nothing was done"))
