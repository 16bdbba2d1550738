"""An API with everything it needs, in a folder of its own."""

import itertools
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from services.api.app import create_app
from services.api.context import Api
from services.api.keys import create_key
from services.api.settings import ApiSettings
from shared.domain.cause import Cause
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.messages import Direction, Message
from shared.domain.ticket import Contact, Ticket
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings, Settings
from shared.runtime.wiring import Wired, open_platform

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class ApiTestSettings(Settings):
    """The settings of a process that is the API alone."""

    api: ApiSettings = ApiSettings()


@dataclass
class House:
    """An API and a client with a key for everything."""

    wired: Wired
    settings: ApiTestSettings
    app: Any
    client: httpx2.AsyncClient
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def platform(self) -> Platform:
        return self.wired.platform

    @property
    def api(self) -> Api:
        api: Api = self.app.state.api
        return api

    async def key(self, *scopes: str, name: str = "tests") -> str:
        return await create_key(self.platform.stores, self.platform.clock, name, scopes)

    async def bearer(self, *scopes: str, name: str = "tests") -> dict[str, str]:
        return {"Authorization": f"Bearer {await self.key(*scopes, name=name)}"}

    async def ticket(self, minutes: int = 0, subject: str = "Cannot log in", **changed: Any) -> Ticket:
        """A stored ticket, opened `minutes` after the start of time in these tests."""
        number = next(self._numbers)
        at = AT + timedelta(minutes=minutes)
        ticket = Ticket.open(
            f"tkt_{number:026d}",
            10_000 + number,
            mailbox="support",
            subject=subject,
            channel="mail",
            customer=Contact(address="mia@example.com", name="Mia"),
            message_id=f"msg_{number}",
            may_auto_respond=True,
            cause=Cause(key=f"test:{number}", actor="customer:mia@example.com", at=at),
        )
        for name, value in changed.items():
            setattr(ticket, name, value)
        return await self.platform.stores.tickets.add(ticket)

    async def message(self, ticket_id: str, minutes: int = 0, **fields: Any) -> Message:
        number = next(self._numbers)
        message = Message(
            id=f"msg_{number}",
            ticket_id=ticket_id,
            direction=Direction.INBOUND,
            author="customer",
            text=f"words {number}",
            at=AT + timedelta(minutes=minutes),
            **fields,
        )
        return await self.platform.stores.messages.add(message)


async def open_house(folder: Path, stack: AsyncExitStack, **api: Any) -> House:
    settings = ApiTestSettings(
        data=folder,
        mailboxes={"support": MailboxSettings(address="support@example.org")},
        api=ApiSettings(**api),
    )
    wired = await open_platform(settings, stack, "api")
    await wired.prepare()
    app = create_app(wired.platform, settings)
    stack.push_async_callback(app.state.api.showing.close)
    key = await create_key(wired.platform.stores, wired.platform.clock, "tests", ["*"])
    client = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url="http://ombud.test",
        headers={"Authorization": f"Bearer {key}"},
    )
    await stack.enter_async_context(client)
    return House(wired, settings, app, client)


def ids(answer: httpx2.Response) -> Sequence[str]:
    """The ids of a list's entries, in order."""
    return [entry["id"] for entry in answer.json()["data"]]


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The problem that the answer is; fails for any other answer."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    document: dict[str, Any] = answer.json()
    assert (answer.status_code, document["status"], document["code"]) == (status, status, code), document
    assert document["type"] == f"/docs/problems#{code}"
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


async def ledger_entry(
    house: House, uid: int, outcome: Outcome = Outcome.QUARANTINED, **fields: Any
) -> LedgerEntry:
    """What the ledger has of a mail; its bytes are nowhere unless `digest` says so."""
    made = LedgerEntry(
        id=f"mail_{uid}",
        mailbox="support",
        uidvalidity=1,
        uid=uid,
        fingerprint=f"f{uid}",
        outcome=outcome,
        reason="cannot be parsed",
        fetched_at=AT,
        at=AT + timedelta(minutes=uid),
        **{"digest": "0" * 64, **fields},
    )
    return await house.platform.stores.ledger.add(made)
