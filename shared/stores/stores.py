"""All stores of a process, opened together."""

from dataclasses import dataclass
from typing import Any

from shared.domain.deadlines import Deadline
from shared.domain.ledger import LedgerEntry
from shared.domain.letters import Letter
from shared.domain.messages import Message
from shared.domain.snoozes import Snooze
from shared.domain.suppressions import Suppression
from shared.domain.ticket import Ticket
from shared.domain.triage import Triage
from shared.domain.users import User, UserAddress
from shared.ports.documents import Documents
from shared.stores import collections as known
from shared.stores.collections import AgentMail, ApiKey, Cursor, DeadReplay, Lease, OverviewRow, ThreadId
from shared.stores.store import Publisher, PublishingStore, Store

TICKET_NUMBERS = "ticket_numbers"
FIRST_TICKET_NUMBER = 10_000
"""Numbers people see start above this, so that they all look alike for a while."""


@dataclass(frozen=True)
class Stores:
    """See the module; each field is one collection of `shared/stores/collections.py`."""

    documents: Documents
    tickets: PublishingStore[Ticket]
    messages: Store[Message]
    thread_ids: Store[ThreadId]
    ledger: Store[LedgerEntry]
    letters: PublishingStore[Letter]
    deadlines: Store[Deadline]
    triages: Store[Triage]
    leases: Store[Lease]
    cursors: Store[Cursor]
    api_keys: Store[ApiKey]
    dead_replays: Store[DeadReplay]
    overview_rows: Store[OverviewRow]
    suppressions: Store[Suppression]
    users: Store[User]
    user_addresses: Store[UserAddress]
    agent_mails: Store[AgentMail]
    snoozes: Store[Snooze]

    @classmethod
    def over(cls, documents: Documents, publisher: Publisher) -> "Stores":
        """The stores on these documents."""
        return cls(
            documents=documents,
            tickets=PublishingStore(documents, known.TICKETS, publisher),
            messages=Store(documents, known.MESSAGES),
            thread_ids=Store(documents, known.THREAD_IDS),
            ledger=Store(documents, known.LEDGER),
            letters=PublishingStore(documents, known.LETTERS, publisher),
            deadlines=Store(documents, known.DEADLINES),
            triages=Store(documents, known.TRIAGES),
            leases=Store(documents, known.LEASES),
            cursors=Store(documents, known.CURSORS),
            api_keys=Store(documents, known.API_KEYS),
            dead_replays=Store(documents, known.DEAD_REPLAYS),
            overview_rows=Store(documents, known.OVERVIEW_ROWS),
            suppressions=Store(documents, known.SUPPRESSIONS),
            users=Store(documents, known.USERS),
            user_addresses=Store(documents, known.USER_ADDRESSES),
            agent_mails=Store(documents, known.AGENT_MAILS),
            snoozes=Store(documents, known.SNOOZES),
        )

    def publishing(self) -> list[PublishingStore[Any]]:
        """Those whose documents record events; the sweep looks into each for what a crash left behind."""
        return [store for store in vars(self).values() if isinstance(store, PublishingStore)]

    async def next_ticket_number(self) -> int:
        """A number that no other ticket has; one is skipped when a process dies before using it."""
        counted = await self.documents.increment(TICKET_NUMBERS, {"last": 1})
        return FIRST_TICKET_NUMBER + counted["last"]
