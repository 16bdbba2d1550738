"""`ombud mailbox`: how the mailboxes stand, and what reading them missed."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from services.cli.console import Json, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.runtime.wiring import Wired

if TYPE_CHECKING:
    from services.ingest.mailboxes import ReconcileReport

app = typer.Typer(help="Mailboxes: status, reconcile.", no_args_is_help=True)


@app.command()
def status(json: Json = False) -> None:
    """Each folder in one line: the server's side, the cursor, what became of its mails, who reads it.

    Exits with 1 when one cannot be reached, or when mails that were read are in the ledger under no outcome.
    """
    from services.ingest.mailboxes import MailboxStatus
    from services.ingest.mailboxes import status as asked

    async def work(wired: Wired, settings: OmbudSettings) -> list[MailboxStatus]:
        return await asked(wired.platform, settings.ingest, settings.mailboxes)

    found = with_platform(work)
    if json:
        say_json(*(asdict(one) for one in found))
    else:
        rows = [
            [
                f"{one.mailbox}/{one.folder}" if one.folder else one.mailbox,
                one.on_server,
                one.highest_uid,
                one.cursor_uid,
                one.seen,
                *(one.outcomes.get(outcome, 0) for outcome in ("ingested", "quarantined", "ignored")),
                one.reader or "nobody",
                one.error or one.warning or "ok",
            ]
            for one in found
        ]
        head = [
            "MAILBOX",
            "MAILS",
            "LAST UID",
            "READ TO",
            "SEEN",
            "INGESTED",
            "QUARANTINED",
            "IGNORED",
            "READER",
            "STATE",
        ]
        table(rows, head, "no mailbox is set: OMBUD_MAILBOXES__NAME__ADDRESS and __HOST")
    if any(one.error or one.warning for one in found):
        raise typer.Exit(1)


@app.command()
def reconcile(
    name: Annotated[str, typer.Argument(help="The mailbox's name in the settings.")],
    first: Annotated[int | None, typer.Option(help="From this UID on.", min=1)] = None,
    last: Annotated[int | None, typer.Option(help="Up to this UID.", min=1)] = None,
    folder: Annotated[str | None, typer.Option(help="In this folder alone.")] = None,
    json: Json = False,
) -> None:
    """Compare the mails on the server with the ledger, and fetch what it lacks."""
    from services.ingest.mailboxes import reconcile as reconciled

    async def work(wired: Wired, settings: OmbudSettings) -> "list[ReconcileReport]":
        own = settings.ingest
        return await reconciled(wired.platform, own, settings.mailboxes, name, first, last, folder)

    for report in with_platform(work):
        if json:
            say_json(asdict(report))
        else:
            print(_told(report))


def _told(report: "ReconcileReport") -> str:
    where = f"{report.folder}: " if report.folder else ""
    return (
        f"{where}{report.on_server} mails on the server, {report.missing} missing from the ledger, "
        f"{report.published} fetched, {report.not_given} could not be had"
    )
