"""A case of threading, rehearsed: mails go through intake itself, letters are put where sending puts them.

For `ombud thread` and the conformance run. A letter gets the signed Message-ID and reply address that ours
have; where the mails after it have those of the case, ours are put in their place. It needs a platform of its
own for each case, as its ids come again in others. Raises what intake raises.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from services.ingest.handlers import Intake
from services.ingest.headers import Address, addresses, own_id
from services.ingest.settings import IngestSettings
from services.ingest.thread_cases import NOBODY, Case, CaseMessage
from shared.domain.cause import Cause
from shared.domain.events import MAIL_TOPIC
from shared.domain.ids import derived, digest, sortable, thread_id_for
from shared.domain.ledger import Outcome
from shared.domain.mail_fetched import MailFetched
from shared.domain.messages import Direction, Message
from shared.domain.signed import Signer
from shared.domain.status import Status
from shared.domain.ticket import Contact, Ticket
from shared.ports.bus import Partition, Record
from shared.runtime.service import Platform
from shared.stores.collections import ThreadId

MAILBOX = "support"
DOMAIN = "support.invalid"
_BEGIN = datetime(2026, 9, 1, 8, tzinfo=UTC)
_STATES = {"closed": Status.CLOSED, "resolved": Status.RESOLVED}
"""Those of a case's states that a ticket is moved to; `merged` ones stand for another that the case does not
name, `removed` ones are gone; in all others it waits for the customer."""


class Rehearsal:
    """See the module. `mails` are the raw bytes by message key."""

    def __init__(
        self, platform: Platform, settings: IngestSettings, case: Case, mails: Mapping[str, bytes]
    ) -> None:
        self._stores = platform.stores
        self._intake = Intake(platform, settings, case.own_addresses())
        self._signer = Signer(platform.secret)
        self._case = case
        self._mails = mails
        self._tickets: dict[str, str] = {}
        self._labels: dict[str, str] = {}
        self._ours: dict[bytes, bytes] = {}
        self._now = _BEGIN

    async def run(self) -> dict[str, str | None]:
        """A label for each message, by its key: equal for one ticket, None for one without a ticket."""
        labels: dict[str, str | None] = {}
        for uid, message in enumerate(self._case.messages, start=1):
            self._now += timedelta(minutes=1)
            if message.direction == "out":
                ticket_id: str | None = await self._written(message)
            else:
                ticket_id = await self._taken_in(message, uid)
            labels[message.key] = self._label(ticket_id)
            if message.ticket and ticket_id:
                self._tickets.setdefault(message.ticket, ticket_id)
        return labels

    def _label(self, ticket_id: str | None) -> str | None:
        if ticket_id is None:
            return None
        return self._labels.setdefault(ticket_id, f"T{len(self._labels) + 1}")

    async def _taken_in(self, message: CaseMessage, uid: int) -> str | None:
        """The ticket of a mail; None for one that made no message."""
        raw = self._mails[message.key]
        for theirs, ours in self._ours.items():
            raw = raw.replace(theirs, ours)
        fetched = MailFetched(MAILBOX, 1, uid, digest(raw), self._now, self._now, "", raw)
        await self._intake.handle(
            Record(Partition(MAIL_TOPIC, 0), uid, fetched.entry, raw, fetched.headers(), self._now)
        )
        entry = await self._stores.ledger.get(fetched.entry)
        if entry.outcome is not Outcome.INGESTED or entry.document_id is None:
            return None
        kept = await self._stores.messages.get(entry.document_id)
        return entry.ticket_id if kept.origin == entry.id else None

    async def _written(self, letter: CaseMessage) -> str:
        """A letter of ours: its message, its id and its ticket are as after it was sent."""
        told = self._message(letter)
        known = self._tickets.get(letter.ticket or letter.key)
        if known is None:
            ticket = await self._opened(letter, told)
        else:
            ticket = await self._stores.tickets.get(known)
        told.ticket_id = ticket.id
        self._sign(letter, told)
        await self._stores.messages.add(told)
        if told.message_id:
            carried = ThreadId(id=thread_id_for(told.message_id), ticket_id=ticket.id, carried=True)
            await self._stores.thread_ids.add(carried)
        await self._stores.tickets.change(ticket.id, lambda found: self._reply(found, letter, told))
        await self._moved(ticket, letter, told)
        return ticket.id

    async def _moved(self, ticket: Ticket, letter: CaseMessage, told: Message) -> None:
        if letter.ticket_state == "merged":
            into = await self._stores.tickets.add(
                self._ticket(letter, told, f"{letter.key}:merged", await self._stores.next_ticket_number())
            )
            await self._stores.tickets.change(ticket.id, lambda found: _merge(found, into.id))
        elif letter.ticket_state == "removed":
            await self._stores.tickets.collection.delete(ticket.id)

    def _message(self, letter: CaseMessage) -> Message:
        return Message(
            id=derived("msg", self._case.id, letter.key),
            ticket_id="",
            direction=Direction.OUTBOUND,
            author="agent",
            to=[_contact(one) for one in addresses(letter.to or NOBODY)],
            subject=letter.subject or "",
            at=self._now,
        )

    def _sign(self, letter: CaseMessage, told: Message) -> None:
        """Give it the names that our letters have; a letter that the case gives no id has left none."""
        addressee = told.to[0].address
        if letter.message_id:
            letter_id = derived("let", self._case.id, letter.key)
            told.message_id = self._signer.message_id(told.ticket_id, addressee, letter_id, DOMAIN)
            written = letter.message_id.strip()
            self._ours[written.encode()] = written.replace(own_id(written), told.message_id).encode()
        for one in addresses(letter.reply_to or ""):
            local, _, domain = one.address.rpartition("@")
            mailbox = f"{local.partition('+')[0]}@{domain}"
            ours = self._signer.reply_address(mailbox, told.ticket_id, addressee)
            self._ours[one.address.encode()] = ours.encode()

    async def _opened(self, letter: CaseMessage, told: Message) -> Ticket:
        """The ticket that a letter without one before it stands on."""
        number = (
            int(letter.ticket_number) if letter.ticket_number else await self._stores.next_ticket_number()
        )
        return await self._stores.tickets.add(self._ticket(letter, told, letter.key, number))

    def _ticket(self, letter: CaseMessage, told: Message, name: str, number: int) -> Ticket:
        return Ticket.open(
            sortable("tkt", self._now, name),
            number,
            mailbox=MAILBOX,
            subject=told.subject,
            channel="mail",
            customer=told.to[0],
            message_id=told.id,
            may_auto_respond=False,
            cause=self._cause(letter, "opened"),
        )

    def _reply(self, ticket: Ticket, letter: CaseMessage, told: Message) -> None:
        ticket.agent_replied(told.id, self._cause(letter, "replied"))
        if letter.ticket_state in _STATES:
            ticket.change_status(_STATES[letter.ticket_state], self._cause(letter, "moved"))

    def _cause(self, letter: CaseMessage, deed: str) -> Cause:
        return Cause(key=f"rehearsal:{letter.key}:{deed}", actor="user:agent", at=self._now)


def _merge(ticket: Ticket, into: str) -> None:
    ticket.merged_into = into
    ticket.touch()


def _contact(address: Address) -> Contact:
    return Contact(address=address.address, name=address.name)
