"""Mails of agents: an answer to a letter of ours, by which a user works on a ticket (domain.md, "Rights of a
sender"; mail.md, "Agents by mail").

Two things make a mail an agent's: it gives back what we signed for an address of the user, and our own mail
server confirms its sender. With one of them missing it is anybody's mail: shown, and nothing follows.

All that the mail asks for is done or nothing is, by one save of the ticket; which of the two, the ticket
remembers. The message comes first and says what was meant to be sent; when nothing was done it is turned into
a note afterwards, so what a letter is made of never changes. Whatever comes again finds what was decided.
Nothing that the customer would be sent holds what we signed for the agent. A mail that somebody sends once
more, changed in what no signature vouches for, is refused.

Raises `Unavailable` and `Conflict` of the stores: then the mail is handled again.
"""

import re
from dataclasses import replace
from datetime import UTC, tzinfo

import structlog

from services.ingest.agent_commands import ME, NOBODY, parse
from services.ingest.agent_orders import (
    AGENT,
    Claim,
    Order,
    message_for,
    reason_of,
    refusal,
    settled,
    turn_into,
)
from services.ingest.authentication import Said
from services.ingest.dates import written_date
from services.ingest.finder import Asked, Finder
from services.ingest.parsing import ParsedMail
from services.ingest.recognise import Kind
from services.ingest.reply_text import Split
from services.ingest.taken import Taken
from services.ingest.thread import Decision, Standing, standing_of
from shared import metrics
from shared.domain.cause import Cause
from shared.domain.errors import Invalid, MoveNotAllowed
from shared.domain.ids import derived
from shared.domain.messages import Attachment, Message
from shared.domain.signed import Signer
from shared.domain.ticket import Ticket
from shared.domain.users import User
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.stores.collections import AgentMail
from shared.stores.stores import Stores
from shared.stores.users import user_named, user_of

_SIGNATURES = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)

_ONCE = ("date", "content-type", "content-transfer-encoding")
_OPEN_ENDED = re.compile(r"(?:^|;)\s*l\s*=", re.IGNORECASE)

log = structlog.get_logger()


class Agents:
    """See the module."""

    def __init__(self, stores: Stores, finder: Finder, signer: Signer) -> None:
        self._stores = stores
        self._finder = finder
        self._signer = signer

    async def claim_of(self, taken: Taken, asked: Asked) -> Claim | None:
        """Whether the mail is, or says it is, a user's answer to a letter of ours; None for all others.

        A user who is the customer of the ticket answers as such. A machine's mail commands nothing.
        """
        if taken.recognised.automatic or taken.recognised.kind is not Kind.MESSAGE:
            return None
        if not self._finder.is_signed(asked):
            return None
        user = await user_of(self._stores, taken.sender.address)
        if user is None:
            return None
        ticket = await self._finder.shown_for(asked, user.addresses)
        if ticket is None or standing_of(taken.sender.address, ticket) is Standing.CUSTOMER:
            return None
        return Claim(user, ticket, _doubt(taken, user))

    def doubted(self, taken: Taken, claim: Claim, decision: Decision) -> Decision:
        """The decision for a mail that commands nothing, though a user's address stands in its From."""
        confirmed = taken.authentication.said is Said.PASSED
        disabled = confirmed and not claim.user.enabled
        metrics.AGENT_MAILS.labels("disabled" if disabled else "unconfirmed").inc()
        log.warning("agent.doubted", user=claim.user.id, ticket=claim.ticket.id, confirmed=confirmed)
        reasons = [*decision.reasons, f"no command: {claim.doubt}"]
        return replace(decision, verified=decision.verified and confirmed, reasons=reasons)

    async def take(self, taken: Taken, claim: Claim, parts: Split, first: Message | None) -> Message | None:
        """Do what the mail asks for; returns its message. `first` is the one that an earlier try made.

        None for a mail that is anybody's: its sender is in doubt, or another mailbox, which may know less of
        senders, had it before.
        """
        if first is None and claim.doubt:
            return None
        cause = replace(taken.cause, key=f"ingest:agent:{taken.document_id}", actor=f"user:{claim.user.id}")
        order, fault = await self._ordered(taken, claim, parts, cause)
        made = message_for(taken, claim, parts, order, fault)
        message = first or await self._stores.messages.add(made)
        if message.author != AGENT:
            return None
        await reach(Site.INTAKE_MESSAGE)
        reason = await self._done(taken, message, order, fault or reason_of(message), cause)
        if reason:
            note = message_for(taken, claim, parts, None, reason)
            message = await self._stores.messages.change(message.id, lambda one: turn_into(one, note))
        if message.origin == taken.fetched.entry and first is None:
            outcome = "refused" if reason else "done"
            metrics.AGENT_MAILS.labels(outcome).inc()
            log.info("agent.mail", user=claim.user.id, ticket=message.ticket_id, outcome=outcome)
        return message

    async def _ordered(
        self, taken: Taken, claim: Claim, parts: Split, cause: Cause
    ) -> tuple[Order | None, str]:
        """What is asked for, or why it cannot be done as the ticket stands; then nothing of it is."""
        if claim.doubt:  # since an earlier try: the user was disabled
            return None, claim.doubt
        try:
            _check_plain(taken.mail)
            await self._check_first(taken, claim)
            commands = parse(parts.reply_text)
            if commands.says == "reply":
                self._check_reply(taken, commands.text)
            assignee = await self._assignee(commands.assign, claim.user)
            until = commands.until(cause.at, _zone(taken))
            order = Order(commands, bool(commands.assign), assignee, until)
            if not settled(claim.ticket, cause):
                order.carry_out(claim.ticket.model_copy(deep=True), taken.document_id, cause)
        except (Invalid, MoveNotAllowed) as fault:
            return None, str(fault)
        return order, ""

    async def _check_first(self, taken: Taken, claim: Claim) -> None:
        """That it is not a mail of the user that was here before, sent once more under another Message-ID.

        Whoever was sent a copy can do so, and its signature still holds: it vouches for Date and body, and
        mostly for no more.
        """
        mail = taken.mail
        own_id = derived("agm", claim.user.id, mail.date.isoformat() if mail.date else "", mail.body_digest)
        held = await self._stores.agent_mails.add(AgentMail(id=own_id, message=taken.document_id))
        if held.message != taken.document_id:
            log.warning("agent.repeated", user=claim.user.id, ticket=claim.ticket.id, message=held.message)
            raise Invalid(
                f"this mail was here before, as message {held.message}, and counts once: if you sent it "
                "again, write a new one; if you did not, somebody did who had a copy"
            )

    def _check_reply(self, taken: Taken, text: str) -> None:
        """Nothing of the letter that the agent answers, and no file that would not arrive."""
        every = len(text)  # whatever a customer has put before the true one
        if self._signer.in_body(text, every) or self._signer.in_addresses([text], every):
            raise Invalid("the letter that you answer stands within your text: delete it, and send again")
        if any(_is_file(one) for one in taken.mail.attachments):
            raise Invalid("it has attachments, which cannot be sent to customers yet: send it without them")

    async def _assignee(self, named: str, sender: User) -> str | None:
        if named in ("", NOBODY):
            return None
        user = sender if named == ME else await user_named(self._stores, named)
        if user is None or not user.enabled:
            raise Invalid(f"there is no user {named}: `ombud user list` shows who there is")
        return user.id

    async def _done(
        self, taken: Taken, message: Message, order: Order | None, fault: str, cause: Cause
    ) -> str:
        """Decide once, on the ticket as it is saved. Returns why nothing was done; empty: all was."""
        tickets = self._stores.tickets

        def do(ticket: Ticket) -> None:
            if order is not None and not settled(ticket, cause):
                order.carry_out(ticket, message.id, cause)

        def refuse(ticket: Ticket) -> None:
            if not settled(ticket, cause):
                may, sender = taken.may_auto_respond, taken.sender.address
                ticket.refuse_command(message.id, sender, fault, may, refusal(cause))

        if not fault:
            try:
                ticket = await tickets.change(message.ticket_id, do)
            except (Invalid, MoveNotAllowed) as moved:  # since it was looked at above
                fault = str(moved)
            else:
                return "it could not be done when it came" if ticket.has_done(refusal(cause)) else ""
        ticket = await tickets.change(message.ticket_id, refuse)
        return fault if ticket.has_done(refusal(cause)) else ""


def _doubt(taken: Taken, user: User) -> str:
    """Why the mail commands nothing. About who sent it, only our own server's word counts, and that is of
    the mail as it came: who may edit mails in the quarantine may not work in a user's name for that."""
    if taken.edited:
        return "it was edited in the quarantine, so nobody confirms what it says"
    if taken.authentication.said is Said.PASSED:
        return "" if user.enabled else f"the user {user.id} is disabled"
    if taken.authserv_id:
        return taken.authentication.reason
    variable = f"OMBUD_MAILBOXES__{taken.fetched.mailbox.upper()}__AUTHSERV_ID"
    return (
        f"nobody is believed about senders: set {variable} to the name your mail server writes into "
        "Authentication-Results"
    )


def _check_plain(mail: ParsedMail) -> None:
    """That what it says is what its sender signed: no header by which it is read stands there twice, for a
    signature vouches for one of them, and none of its signatures lets others add text to it."""
    for name in _ONCE:
        found = len(mail.headers.get(name, []))
        if found > 1:
            raise Invalid(f"it has {found} {name.title()} fields, where one is allowed: send it again")
    if any(_OPEN_ENDED.search(one) for one in mail.headers.get("dkim-signature", [])):
        raise Invalid(
            "its DKIM signature has l=, with which anybody may add text to it: have the server that signs "
            "your mail leave that out, and send it again"
        )
    if mail.date is None:
        raise Invalid("it has no Date, by which a mail that comes again is known: send it again with one")


def _zone(taken: Taken) -> tzinfo:
    """That of the agent's clock, as the mail's Date has it."""
    written = written_date(next(iter(taken.mail.headers.get("date", [])), ""))
    return written.tzinfo if written is not None and written.tzinfo is not None else UTC


def _is_file(attachment: Attachment) -> bool:
    """Not a picture of the text or of the sender's signature, and not a signature of the mail."""
    return not attachment.inline and attachment.content_type not in _SIGNATURES
