"""Intake: one mail from the bus becomes a message on a ticket, and an entry in the ledger.

Every step is found done when it comes again, so a mail may be handled any number of times, by any number of
processes at once, and be cut off anywhere: it is one message on one ticket. The ledger entry is written last
and says that all is done. The raw bytes are stored first. A mail that cannot be read is quarantined whole.

Raises `Unavailable` and `Conflict` of the stores: then all of it is done again.
"""

import asyncio
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta

from services.ingest.agents import Agents
from services.ingest.authentication import Policy
from services.ingest.came_back import CameBack
from services.ingest.finder import Finder
from services.ingest.parse_workers import ParseWorkers, parsed
from services.ingest.parsing import ParsedMail
from services.ingest.recognise import AUTO_REPLIES, Kind, recognise
from services.ingest.reply_text import Split, split
from services.ingest.settings import IngestSettings
from services.ingest.taken import Taken, asked_of, entry_of, message_of, opened_by, taken_of, tell
from services.ingest.thread import Decision
from shared import metrics
from shared.domain.errors import Unreadable
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import RELEASED, MailFetched
from shared.domain.messages import Message
from shared.domain.signed import Signer
from shared.ports.bus import Record
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.runtime.service import Platform

PARSED_IN_LOOP = 256 * 1024
"""Characters; the quotes of a longer text are looked for in a thread, so that it delays no other mail."""


class Intake:
    """See the module. `own_addresses` are our mailboxes', in lower case; `policies` say whom each mailbox
    believes about senders, by its name. `workers` read large and suspicious mails; without them a thread
    does, which no time limit can end."""

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings,
        own_addresses: Collection[str],
        policies: Mapping[str, Policy] | None = None,
        workers: ParseWorkers | None = None,
    ) -> None:
        self._stores = platform.stores
        self._blobs = platform.blobs
        self._clock = platform.clock
        self._secret = platform.secret
        self._limits = settings.limits
        self._workers = workers
        self._stale = timedelta(days=settings.stale_days)
        self._own_addresses = frozenset(own_addresses)
        self._loop_from = settings.loop_mails
        self._policies = policies or {}
        signer = Signer(platform.secret)
        self._finder = Finder(platform.stores, settings, signer)
        self._agents = Agents(platform.stores, self._finder, signer)
        self._came_back = CameBack(platform.stores, settings)
        self._ignored = AUTO_REPLIES if settings.automatic_without_ticket == "ignored" else frozenset()

    async def handle(self, record: Record) -> None:
        """Take in one MailFetched. Raises `Unreadable` for a record that is none."""
        fetched = MailFetched.parse(record.headers, record.value)
        entry = await self._entry(fetched)
        if entry is not None and not _releases(record, entry):
            return
        raw = await self._kept(fetched)
        try:
            mail = await self._parsed(raw)
        except Unreadable as fault:
            became = entry_of(fetched, Outcome.QUARANTINED, str(fault))
        else:
            edited = entry is not None and entry.edited == fetched.digest
            became = await self._taken_in(fetched, mail, edited=edited)
            await reach(Site.INTAKE_TICKET)
        await self._settle(became, entry)

    async def _entry(self, fetched: MailFetched) -> LedgerEntry | None:
        return (await self._stores.ledger.get_many([fetched.entry])).get(fetched.entry)

    async def _kept(self, fetched: MailFetched) -> bytes:
        """The raw bytes, once they are in the blobs."""
        if fetched.raw is None:
            return await self._blobs.read(fetched.digest)
        await self._blobs.put(fetched.raw)
        return fetched.raw

    async def _parsed(self, raw: bytes) -> ParsedMail:
        started = time.perf_counter()
        try:
            return await parsed(raw, self._limits, self._workers)
        finally:
            metrics.MAIL_PARSE_SECONDS.observe(time.perf_counter() - started)

    async def _split(self, mail: ParsedMail) -> Split:
        if len(mail.text) + len(mail.html) <= PARSED_IN_LOOP:
            return split(mail.text, mail.html, mail.subject)
        return await asyncio.to_thread(split, mail.text, mail.html, mail.subject)

    async def _settle(self, entry: LedgerEntry, replaced: LedgerEntry | None) -> None:
        """Write what became of the mail; from here on it is not looked at again."""
        entry.at = self._clock.now()
        if replaced is not None:
            entry.replace(replaced)
            await self._stores.ledger.save(entry, if_version=replaced.version)
        elif await self._stores.ledger.add(entry) is not entry:
            return
        metrics.MAIL_OUTCOMES.labels(entry.mailbox, entry.outcome.value).inc()

    async def _taken_in(self, fetched: MailFetched, mail: ParsedMail, *, edited: bool) -> LedgerEntry:
        recognised = recognise(mail, self._own_addresses, self._secret)
        if recognised.kind is Kind.OWN_LOOP:
            return entry_of(fetched, Outcome.IGNORED, "; ".join(recognised.reasons), mail)
        policy = self._policies.get(fetched.mailbox, Policy())
        taken = taken_of(fetched, mail, recognised, self._stale, policy, edited=edited)
        message = await self._message_on_ticket(taken)
        if message is None:
            return entry_of(fetched, Outcome.IGNORED, "an automatic answer that belongs to no ticket", mail)
        await self._came_back.note(mail, recognised, message.id, taken.cause.at)
        if message.origin == fetched.entry:
            reason = "; ".join(message.reasons)
        else:
            reason = f"the same mail as {message.origin}"
            await self._came_to_another(taken, message)
        return entry_of(fetched, Outcome.INGESTED, reason, mail, message)

    async def _message_on_ticket(self, taken: Taken) -> Message | None:
        first = (await self._stores.messages.get_many([taken.document_id])).get(taken.document_id)
        asked = asked_of(taken)
        known = await self._stores.thread_ids.get_many(self._finder.ids(asked))
        if first is not None and await self._done_by_another(first, taken):
            return first
        parts = await self._split(taken.mail)
        claim = await self._agents.claim_of(taken, asked)
        if claim is not None and (told := await self._agents.take(taken, claim, parts, first)) is not None:
            await self._finder.remember(asked, told.ticket_id, known)
            return told
        decision = await self._finder.find(asked, known)
        if claim is not None and claim.doubt:
            decision = self._agents.doubted(taken, claim, decision)
        if first is None and decision.opens and taken.recognised.kind in self._ignored:
            return None
        new = message_of(taken, decision, parts)
        message = first or await self._stores.messages.add(new)
        if message is not new:
            decision = await self._finder.as_decided_before(decision, message.ticket_id)
        await reach(Site.INTAKE_MESSAGE)
        await asyncio.gather(
            self._put_on_ticket(taken, message, decision),
            self._finder.remember(asked, message.ticket_id, known),
        )
        return message

    async def _done_by_another(self, message: Message, taken: Taken) -> bool:
        """Whether this very mail was taken in before from elsewhere, to the end."""
        if message.origin == taken.fetched.entry:
            return False
        return message.origin in await self._stores.ledger.get_many([message.origin])

    async def _came_to_another(self, taken: Taken, message: Message) -> None:
        """Note a mail that came to several mailboxes of ours: who works in either sees the one ticket."""
        mailbox, entry = taken.fetched.mailbox, taken.fetched.entry
        cause = replace(taken.cause, key=f"ingest:{entry}:{mailbox}", correlation_id=entry)
        await self._stores.tickets.change(
            message.ticket_id, lambda ticket: ticket.came_to(mailbox, message.id, cause)
        )

    async def _put_on_ticket(self, taken: Taken, message: Message, decision: Decision) -> None:
        if decision.opens:
            ticket = opened_by(taken, message, decision, await self._stores.next_ticket_number())
            if await self._stores.tickets.add(ticket) is ticket:
                metrics.TICKETS_OPENED.labels(ticket.channel).inc()
                return
        await self._stores.tickets.change(
            message.ticket_id, lambda ticket: tell(ticket, taken, message, self._loop_from)
        )


def _releases(record: Record, entry: LedgerEntry) -> bool:
    """Whether the mail is taken in although it has an entry: a note that it was not fetched gives way."""
    if not entry.digest:
        return True
    return entry.outcome is Outcome.QUARANTINED and record.headers.get(RELEASED) == str(entry.version)
