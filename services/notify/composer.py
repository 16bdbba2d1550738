"""A wanted letter made into its document: id, Message-ID, thread and words.

Everything but `created_at` follows from the event and the templates, so the letter made when an event is
handled again has the same id and the same Message-ID and is found, not made.

An answer finds the letter's ticket by what is signed into it (shared/domain/signed.py): the Message-ID, the
address in Reply-To and the marker in the body.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notify import markers
from services.notify.rendering import Templates
from services.notify.rules import Wanted
from shared.domain.errors import Permanent
from shared.domain.events import Event
from shared.domain.letters import Letter, letter_id
from shared.domain.messages import Message
from shared.domain.signed import Signer
from shared.domain.ticket import Contact
from shared.runtime.settings import MailboxSettings


@dataclass(frozen=True, slots=True)
class Thread:
    """The mail that a letter answers and the ones before it; ids without `<>`."""

    parent: str = ""
    before: list[str] = field(default_factory=list)

    @classmethod
    def after(cls, message: Message | None) -> "Thread":
        """The thread that goes on behind this message."""
        if message is None or not message.message_id:
            return cls()
        return cls(message.message_id, message.references)


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a letter is about: the event that asked for it, and what its template is given.

    `language` is the customer's; empty: the mailbox's.
    """

    event: Event
    traceparent: str
    mailbox: str
    thread: Thread
    values: Mapping[str, Any]
    language: str = ""


class Composer:
    """See the module. `mailboxes` are those we serve, by name; `secret` signs."""

    def __init__(self, templates: Templates, mailboxes: Mapping[str, MailboxSettings], secret: bytes) -> None:
        self._templates = templates
        self._mailboxes = mailboxes
        self._signer = Signer(secret)

    def compose(self, wanted: Wanted, about: Occasion, at: datetime) -> Letter:
        """The letter, not yet stored. Raises `Permanent` for a mailbox that we do not serve."""
        mailbox = self._mailboxes.get(about.mailbox)
        if mailbox is None:
            raise Permanent(f"there is no mailbox {about.mailbox!r} to write from: is it configured?")
        language = self._templates.chosen(about.language, mailbox.language)
        values = {
            **about.values,
            "mailbox_name": mailbox.name,
            "language": language,
            # Without it nobody confirms who sent an answer, and what it commands is refused.
            "takes_commands": bool(mailbox.authserv_id.strip()),
        }
        written = self._templates.write(wanted.kind, language, values)
        own_id, ticket_id, to = id_of(wanted, about.event), about.event.ticket_id, wanted.to.address
        marker = self._signer.marker(ticket_id, to)
        domain = mailbox.address.rpartition("@")[2].lower()
        return Letter(
            id=own_id,
            ticket_id=ticket_id,
            kind=wanted.kind.value,
            automatic=wanted.automatic,
            to=wanted.to,
            sender=Contact(address=mailbox.address, name=mailbox.name),
            subject=written.subject,
            text=markers.in_text(written.text, marker),
            html=markers.in_html(written.html, marker),
            message_id=self._signer.message_id(ticket_id, to, own_id, domain),
            in_reply_to=about.thread.parent,
            references=about.thread.before,
            reply_to=self._signer.reply_address(mailbox.address, ticket_id, to)
            if mailbox.plus_address
            else "",
            language=language,
            created_at=at,
            correlation_id=about.event.correlation_id,
            traceparent=about.traceparent,
        )


def id_of(wanted: Wanted, event: Event) -> str:
    """The letter's id, known before it is written."""
    return letter_id(event.id, wanted.kind.value, wanted.to.address)
