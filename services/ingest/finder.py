"""Finding a mail's ticket in the stores, so that mails of one thread handled at once find the same one.

A mail that is to open a ticket first claims an id: the oldest one of its thread, which all its mails share,
or its own. Of two that claim it at the same moment one wins, and the other looks again and finds the winner.
A claim names a ticket that may not exist yet; whoever gets there first opens it, so nobody ever waits for a
process that died. Raises `Conflict` when others were first several times in a row; then all is tried again.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.ingest.html_text import text_from
from services.ingest.links import LOOKED_THROUGH, Token, links_of, numbers_in, referred, tokens_of
from services.ingest.parsing import ParsedMail
from services.ingest.settings import IngestSettings
from services.ingest.thread import MOST_MERGES, Decision, Known, Rules, Sender, decide, standing_of
from shared.domain.errors import Conflict
from shared.domain.ids import thread_id_for
from shared.domain.signed import Signer
from shared.domain.ticket import Ticket
from shared.ports.documents import AnyOf, Order
from shared.stores.collections import ThreadId
from shared.stores.stores import Stores

LOOKS = 5
MESSAGES_LOOKED_AT = 200
"""Of a ticket, to see whether a stranger was written to on it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A mail looking for its ticket. `document_id` is its message's, `candidate` the ticket it would open.

    `bounced`: ids of letters that it says came back, the newest first.
    """

    mail: ParsedMail
    document_id: str
    candidate: str
    sender: Sender
    at: datetime
    bounced: Sequence[str] = ()


class Finder:
    """See the module. `signer` reads what we signed into our letters."""

    def __init__(self, stores: Stores, settings: IngestSettings, signer: Signer) -> None:
        self._stores = stores
        self._settings = settings
        self._signer = signer
        self._rules = Rules(
            reopen_within=timedelta(days=settings.reopen_days),
            any_sender=settings.subject_reference == "any_sender",
            changed_subject_opens=settings.changed_subject == "opens",
        )

    def ids(self, asked: Asked) -> list[str]:
        """The documents of all ids that the mail carries or refers to."""
        named = [asked.mail.message_id] if asked.mail.message_id else []
        return [thread_id_for(one) for one in named + self._referred(asked)]

    def _referred(self, asked: Asked) -> list[str]:
        if not self._settings.header_references:
            return list(asked.bounced)
        return referred(asked.mail, self._settings.limits.references, asked.bounced)

    async def shown_for(self, asked: Asked, addresses: Sequence[str]) -> Ticket | None:
        """The ticket that what we signed leads to, if some of it was signed for one of these addresses."""
        tokens = [one for address in addresses for one in self._tokens(asked, address)]
        tickets = await self._tickets([token.ticket_id for token in tokens], {})
        ways = [(token, Known(tickets=tickets).way_of(token.ticket_id)) for token in tokens]
        found = next((way[-1] for _, way in ways if way), None)
        shown = any(token.for_sender and way and way[-1] is found for token, way in ways)
        return found if shown else None

    def is_signed(self, asked: Asked) -> bool:
        """Whether the mail gives back anything that we signed, for whomever."""
        return bool(self._tokens(asked, asked.sender.address))

    def _tokens(self, asked: Asked, address: str) -> list[Token]:
        return tokens_of(asked.mail, address, self._referred(asked), self._signer)

    async def find(self, asked: Asked, known: dict[str, ThreadId]) -> Decision:
        """The ticket, by name. `known` are those of `ids` that exist; what was claimed is added to it."""
        tokens = self._tokens(asked, asked.sender.address)
        for _ in range(LOOKS):
            decision = await self._decide(asked, known, tokens)
            if decision.ticket_id is not None:
                return decision
            candidate = self._candidate(asked, known)
            if await self._claims(asked, candidate, known):
                return replace(decision, ticket_id=candidate)
            known.update(await self._stores.thread_ids.get_many(self.ids(asked)))
        raise Conflict("other mails of the thread were first, several times in a row")

    async def as_decided_before(self, decision: Decision, ticket_id: str) -> Decision:
        """The decision for a mail whose message names `ticket_id` already, from an earlier or parallel
        try."""
        exists = ticket_id in await self._stores.tickets.get_many([ticket_id])
        return replace(decision, ticket_id=ticket_id, opens=not exists)

    async def remember(self, asked: Asked, ticket_id: str, known: Mapping[str, ThreadId]) -> None:
        """Note that the mail's own id, and those it refers to that nobody knew, belong to `ticket_id`."""
        unknown = [one for one in self._referred(asked) if thread_id_for(one) not in known]
        notes = [self._stores.thread_ids.add(_referred(one, ticket_id)) for one in unknown]
        own = known.get(thread_id_for(asked.mail.message_id))
        await asyncio.gather(*notes, self._carry(asked, ticket_id, own))

    async def _carry(self, asked: Asked, ticket_id: str, own: ThreadId | None) -> None:
        if not asked.mail.message_id or (own is not None and own.carried):
            return
        carried = _carried(asked, ticket_id)
        held = await self._stores.thread_ids.add(carried)
        if not held.carried:  # an answer came before the mail
            await self._stores.thread_ids.change(held.id, lambda known: _now_carried(known, carried))

    async def _decide(self, asked: Asked, known: Mapping[str, ThreadId], tokens: list[Token]) -> Decision:
        links = links_of(asked.mail, self._referred(asked), known)
        numbered = await self._numbered(asked)
        named = [token.ticket_id for token in tokens] + [link.ticket_id for link in links]
        tickets = await self._tickets(named, {ticket.id: ticket for ticket in numbered})
        written_to = await self._written_to(asked.sender.address, tickets, [link.ticket_id for link in links])
        about = Known(links, tickets, written_to, numbered, tokens, asked.mail.subject)
        return decide(asked.sender, asked.at, about, self._rules)

    def _candidate(self, asked: Asked, known: Mapping[str, ThreadId]) -> str:
        """The ticket that this very mail claimed when it was handled before, or the one it would open."""
        own = known.get(thread_id_for(asked.mail.message_id))
        return own.ticket_id if own is not None and own.message == asked.document_id else asked.candidate

    async def _tickets(self, named: Iterable[str], loaded: dict[str, Ticket]) -> dict[str, Ticket]:
        """Those of these tickets that exist, those loaded, and all that they were merged into."""
        wanted = [one for one in dict.fromkeys(named) if one not in loaded]
        for _ in range(MOST_MERGES):
            found = await self._stores.tickets.get_many(wanted) if wanted else {}
            loaded |= found
            into = {ticket.merged_into for ticket in loaded.values() if ticket.merged_into}
            wanted = sorted(into - set(loaded) - set(wanted))
            if not wanted:
                break
        return loaded

    async def _written_to(
        self, sender: str, tickets: Mapping[str, Ticket], linked: Sequence[str]
    ) -> list[str]:
        """Those of the tickets, to which the sender is a stranger, that have a message to the sender."""
        if not linked:
            return []
        strange = [ticket.id for ticket in tickets.values() if standing_of(sender, ticket) is None]
        return [ticket_id for ticket_id in strange if await self._was_written_to(sender, ticket_id)]

    async def _was_written_to(self, sender: str, ticket_id: str) -> bool:
        page = await self._stores.messages.find(
            {"ticket_id": ticket_id}, Order("at"), limit=MESSAGES_LOOKED_AT
        )
        return any(one.address == sender for message in page.items for one in [*message.to, *message.cc])

    async def _numbered(self, asked: Asked) -> list[Ticket]:
        """The tickets whose numbers the mail names, where operators want them looked for, in its order."""
        numbers = numbers_in(self._searched(asked.mail), self._settings.reference_hooks)
        if not numbers:
            return []
        page = await self._stores.tickets.find({"number": AnyOf(numbers)}, limit=len(numbers))
        return sorted(page.items, key=lambda ticket: numbers.index(ticket.number))

    def _searched(self, mail: ParsedMail) -> list[str]:
        """The texts in which numbers are looked for, as a reader sees them."""
        places = self._settings.reference_in if self._settings.subject_reference != "off" else []
        texts = [mail.subject] if "subject" in places else []
        if "body" in places:
            texts += [mail.text, text_from(mail.html[: 2 * LOOKED_THROUGH])]
        return texts + mail.attached if "attachments" in places else texts

    async def _claims(self, asked: Asked, candidate: str, known: dict[str, ThreadId]) -> bool:
        """Claim an id of the thread for the candidate; False when somebody else just did."""
        claim = self._claim(asked, candidate, known)
        if claim is None:
            return True
        held = await self._stores.thread_ids.add(claim)
        known[held.id] = held
        return held.ticket_id == candidate or (
            claim.carried and held.carried and held.message != claim.message
        )

    def _claim(self, asked: Asked, candidate: str, known: Mapping[str, ThreadId]) -> ThreadId | None:
        ids = self._referred(asked)
        if ids and thread_id_for(ids[-1]) not in known:
            return _referred(ids[-1], candidate)
        if asked.mail.message_id and thread_id_for(asked.mail.message_id) not in known:
            return _carried(asked, candidate)
        return None


def _referred(message_id: str, ticket_id: str) -> ThreadId:
    return ThreadId(id=thread_id_for(message_id), ticket_id=ticket_id, carried=False)


def _carried(asked: Asked, ticket_id: str) -> ThreadId:
    return ThreadId(
        id=thread_id_for(asked.mail.message_id), ticket_id=ticket_id, carried=True, message=asked.document_id
    )


def _now_carried(known: ThreadId, carried: ThreadId) -> None:
    if not known.carried:
        known.ticket_id, known.carried, known.message = carried.ticket_id, True, carried.message
        known.touch()
