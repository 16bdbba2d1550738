"""`ombud explain`: what Ombud makes of a raw mail. `ombud trace`: what became of one that was seen."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli.console import (
    AlwaysJson,
    Json,
    quiet,
    read_file,
    say_json,
    table,
    with_platform,
    with_sandbox,
)
from services.settings import OmbudSettings, read_settings
from shared.runtime.wiring import Wired, known_secret
from shared.stores.trace import Trace


def explain(
    files: Annotated[list[Path], typer.Argument(help="Raw mails (.eml); - for standard input.")],
    json: AlwaysJson = False,
) -> None:
    """Print what Ombud makes of each mail, one JSON object a line; nothing is stored."""
    from services.ingest.explain import explain_apart
    from services.ingest.parse_workers import ParseWorkers

    settings = with_sandbox(read_settings())
    quiet("explain")
    own = [mailbox.address.lower() for mailbox in settings.mailboxes.values()]
    secret = known_secret(settings)
    believed = [mailbox.authserv_id for mailbox in settings.mailboxes.values() if mailbox.authserv_id]
    limits = settings.ingest.limits

    async def work() -> None:
        workers = ParseWorkers(limits, 1)
        try:
            for file in files:
                raw = read_file(file)
                say_json(await explain_apart(workers, raw, str(file), limits, own, secret, believed))
        finally:
            await workers.close()

    asyncio.run(work())


def trace(
    message_id: Annotated[str, typer.Argument(help="The mail's Message-ID, with or without <>.")],
    json: Json = False,
) -> None:
    """Tell a mail's whole way: ledger, message, ticket, letters."""
    from shared.stores.trace import trace as traced

    async def work(wired: Wired, _: OmbudSettings) -> Trace:
        return await traced(wired.platform.stores, message_id)

    found = with_platform(work)
    if json:
        say_json(_told(found))
        return
    print(f"mail <{found.message_id}>")
    for entry in found.ledger:
        print(
            f"  {entry.at:%Y-%m-%d %H:%M:%SZ}  "
            f"{entry.outcome}: {entry.mailbox} uid {entry.uid}; {entry.reason}"
        )
    for message in found.messages:
        told = "; ".join(message.reasons if message.verified else ["unverified", *message.reasons])
        print(f"  {message.at:%Y-%m-%d %H:%M:%SZ}  message {message.id}: {told}")
    for ticket in found.tickets:
        print(
            f"  {ticket.opened_at:%Y-%m-%d %H:%M:%SZ}  ticket {ticket.id} #{ticket.number}: {ticket.status}"
        )
        print(f"  {'':<20}  triage {ticket.triage_state}: {ticket.category}, {ticket.priority}")
    rows = [
        [one.created_at, one.kind, one.state, len(one.attempts), one.sent_at, one.reason]
        for one in found.letters
    ]
    table(rows, ["LETTER", "KIND", "STATE", "TRIES", "SENT", "REASON"], "  no letters")


def _told(found: Trace) -> dict[str, Any]:
    return {
        "message_id": found.message_id,
        "ledger": [entry.model_dump(mode="json", exclude={"outbox"}) for entry in found.ledger],
        "messages": [
            one.model_dump(mode="json", exclude={"outbox", "text", "html"}) for one in found.messages
        ],
        "tickets": [ticket.model_dump(mode="json", exclude={"outbox", "causes"}) for ticket in found.tickets],
        "letters": [one.model_dump(mode="json", exclude={"outbox", "text", "html"}) for one in found.letters],
    }
