"""A helpdesk that takes mails in, and what it made of them."""

from collections.abc import Callable, Mapping

from services.ingest.authentication import Policy
from services.ingest.handlers import Intake
from services.ingest.parse_workers import ParseWorkers
from services.ingest.settings import IngestSettings
from shared.domain.cause import Cause
from shared.domain.errors import Conflict
from shared.domain.ledger import LedgerEntry
from shared.domain.mail_fetched import MailFetched
from shared.domain.messages import Message
from shared.domain.signed import Signer
from shared.domain.ticket import Ticket
from shared.runtime.service import Platform
from tests.unit.ingest.mails import RECEIVED, SUPPORT, fetched, record

STRANGER = "eve@example.net"


class Helpdesk:
    """Intake with what it made."""

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings | None = None,
        policies: Mapping[str, Policy] | None = None,
        workers: ParseWorkers | None = None,
    ) -> None:
        self.platform = platform
        self.stores = platform.stores
        self.intake = Intake(platform, settings or IngestSettings(), [SUPPORT], policies, workers)
        self.signer = Signer(platform.secret)
        self._uids = iter(range(100, 10_000))

    async def take(self, raw: bytes, mailbox: str = "support") -> LedgerEntry:
        """Handle a mail and return its ledger entry."""
        event = fetched(raw, next(self._uids), mailbox)
        await self.handle(event)
        return await self.stores.ledger.get(event.entry)

    async def handle(self, event: MailFetched) -> None:
        """Handle it as the runner does: again while others save first."""
        for _ in range(8):
            try:
                return await self.intake.handle(record(event))
            except Conflict:
                continue
        raise AssertionError("others saved first eight times over")

    async def ticket_of(self, entry: LedgerEntry) -> Ticket:
        assert entry.ticket_id is not None
        return await self.stores.tickets.get(entry.ticket_id)

    async def message_of(self, entry: LedgerEntry) -> Message:
        assert entry.document_id is not None
        return await self.stores.messages.get(entry.document_id)

    async def change(self, entry: LedgerEntry, decide: Callable[[Ticket], None]) -> None:
        await self.stores.tickets.change(str(entry.ticket_id), decide)

    async def all(self) -> tuple[list[Ticket], list[Message], list[LedgerEntry]]:
        return (
            (await self.stores.tickets.find({}, limit=500)).items,
            (await self.stores.messages.find({}, limit=500)).items,
            (await self.stores.ledger.find({}, limit=500)).items,
        )


def events_of(ticket: Ticket) -> list[str]:
    return [one.type for one in ticket.outbox]


def cause(key: str) -> Cause:
    return Cause(key=key, actor="user:agent", at=RECEIVED)
