"""What `ombud run` prints: first how to reach it, then each step of each mail, as it happens.

Nothing is printed before that first line. A consumer group of its own reads both topics: what is printed is
what happened, also to mails that came while nobody watched.
"""

import asyncio
import sys
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Any

from services.cli.console import say_json
from shared.domain import events
from shared.domain.errors import Unreadable
from shared.domain.mail_fetched import MailFetched
from shared.ports.bus import Record
from shared.runtime.service import Platform, Reader, Service


class Steps:
    """Prints; see the module. `json`: one object a line."""

    def __init__(self, *, json: bool) -> None:
        self._json = json
        self._ready = asyncio.Event()

    def ready(self, told: dict[str, Any]) -> None:
        """Print the first line."""
        self._ready.set()
        if self._json:
            say_json(told)
            return
        lines = {"API": f"{told['api']}/docs", "key": told["key"], "data": told["data"]}
        if "address" in told:
            lines["write to"] = f"{told['address']}: .venv/bin/ombud sandbox send FILE.eml"
            imap = told["imap"]
            lines["mailbox"] = (
                f"imap://{imap['host']}:{imap['port']} user {imap['user']} password {imap['password']}"
                if imap
                else told["maildir"]
            )
            lines["letters"] = told["outbox"]
        print("\nOmbud is ready. Stop it with Ctrl-C.\n")
        for name, value in lines.items():
            print(f"  {name:<9} {value}")
        print(
            f'\n  try       curl -H "Authorization: Bearer {told["key"]}" {told["api"]}/v1/tickets\n',
            flush=True,
        )

    async def build(self, platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
        """The readers that print."""
        return Service(
            "steps",
            readers=[
                Reader(events.MAIL_TOPIC, "steps-mail", self._mail),
                Reader(events.TICKETS_TOPIC, "steps", self._event),
            ],
        )

    async def _mail(self, record: Record) -> None:
        await self._ready.wait()
        try:
            mail = MailFetched.parse(record.headers, record.value)
        except Unreadable:
            return  # intake sets it aside; a printer has nothing to add
        size = "by reference" if mail.raw is None else f"{len(mail.raw)} bytes"
        self._say(
            "mail.fetched",
            mail.fetched_at,
            f"{mail.mailbox} uid {mail.uid}, {size}",
            mailbox=mail.mailbox,
            uid=mail.uid,
            uidvalidity=mail.uidvalidity,
            digest=mail.digest,
        )

    async def _event(self, record: Record) -> None:
        await self._ready.wait()
        kind = record.headers.get("ce_type", "")
        try:
            event = events.parse_event(kind, record.value)
        except ValueError:
            return
        if event is not None:
            name = kind.removeprefix("ombud.").removesuffix(".v1")
            self._say(name, event.occurred_at, _told(event), **event.model_dump(mode="json"))

    def _say(self, name: str, at: datetime, words: str, **fields: Any) -> None:
        if self._json:
            say_json({"event": name, "at": at, **fields})
        else:
            # What customers write must not command the terminal.
            shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in words)
            sys.stdout.write(f"{at:%H:%M:%S}  {name:<30}  {shown}\n")
            sys.stdout.flush()


def _told(event: events.Event) -> str:
    ticket = event.ticket_id[-8:]
    match event:
        case events.TicketOpened():
            return f"…{ticket}  #{event.number} {event.subject}"
        case events.TicketTriaged():
            return (
                f"…{ticket}  {event.facts.category}, {event.facts.priority} ({'; '.join(event.reasons[:2])})"
            )
        case events.LetterSent() | events.LetterFailed():
            return f"…{ticket}  {event.kind}"
        case events.SlaBreached():
            return f"…{ticket}  {event.target} was due {event.due_at:%Y-%m-%d %H:%M:%SZ}"
        case events.TicketEvent():
            return f"…{ticket}  {event.facts.status}"
        case _:
            return f"…{ticket}"
