"""`ombud quarantine`: mails that could not be read."""

import sys
from typing import Annotated

import typer

from services.cli.console import AlwaysJson, Json, say, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.domain.ledger import LedgerEntry
from shared.ports.documents import Page
from shared.runtime.wiring import Wired

app = typer.Typer(help="Mails that could not be read: list, show, retry.", no_args_is_help=True)


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, json: Json = False) -> None:
    """The quarantined mails, the latest first, with the reason of each."""
    from services.ingest.quarantine import quarantined

    async def work(wired: Wired, _: OmbudSettings) -> Page[LedgerEntry]:
        return await quarantined(wired.platform, limit)

    entries = with_platform(work).items
    if json:
        say_json(*(entry.model_dump(mode="json", exclude={"outbox"}) for entry in entries))
        return
    rows = [[entry.id, entry.at, entry.mailbox, entry.uid, entry.reason] for entry in entries]
    table(rows, ["ID", "SINCE", "MAILBOX", "UID", "REASON"], "no quarantined mails")


@app.command()
def show(
    entry_id: str,
    raw: Annotated[bool, typer.Option(help="The mail's own bytes, to standard output.")] = False,
    json: AlwaysJson = False,
) -> None:
    """One quarantined mail: its entry as JSON, or with --raw its bytes."""
    from services.ingest.quarantine import show as shown

    async def work(wired: Wired, _: OmbudSettings) -> tuple[LedgerEntry, bytes]:
        return await shown(wired.platform, entry_id)

    entry, data = with_platform(work)
    if raw:
        sys.stdout.buffer.write(data)
    else:
        say_json({**entry.model_dump(mode="json", exclude={"outbox"}), "size": len(data)})


@app.command()
def retry(entry_id: str, json: Json = False) -> None:
    """Give a quarantined mail to intake again, once what was wrong is mended."""
    from services.ingest.quarantine import release

    async def work(wired: Wired, _: OmbudSettings) -> LedgerEntry:
        return await release(wired.platform, entry_id)

    released = with_platform(work).id
    say(json, {"event": "released", "id": released}, f"{released} is on its way again")
