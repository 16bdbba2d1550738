"""`ombud letters`: what went out, what waits, what failed."""

from datetime import datetime
from typing import Annotated, Any

import typer

from services.cli.console import OPERATOR, AlwaysJson, Json, say, say_json, table, with_platform
from services.settings import OmbudSettings, read_settings
from shared.domain.letters import Letter
from shared.domain.suppressions import Suppression
from shared.ports.documents import Page
from shared.runtime.wiring import Wired
from shared.stores import suppressions

app = typer.Typer(
    help="Letters: list, show, retry, cancel, preview; addresses: suppressed, suppress, lift.",
    no_args_is_help=True,
)


@app.command("list")
def list_(
    state: Annotated[
        str | None, typer.Option(help="queued, sending (the relay may have it), sent, failed or bounced.")
    ] = None,
    ticket: Annotated[str | None, typer.Option(help="Of this ticket alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """Letters, newest first."""
    from services.notify.commands import list_letters

    async def work(wired: Wired, _: OmbudSettings) -> Page[Letter]:
        return await list_letters(wired.platform.stores, state, ticket, limit)

    letters = with_platform(work).items
    if json:
        say_json(*(letter.model_dump(mode="json", exclude={"text", "html", "outbox"}) for letter in letters))
        return
    rows = [
        [
            letter.id,
            letter.created_at,
            letter.state,
            letter.kind,
            letter.ticket_id,
            len(letter.attempts),
            letter.reason,
        ]
        for letter in letters
    ]
    table(rows, ["ID", "MADE", "STATE", "KIND", "TICKET", "TRIES", "REASON"], "no letters")


@app.command()
def show(letter_id: str, json: AlwaysJson = False) -> None:
    """One letter with all its tries, as JSON."""
    from services.notify.commands import show_letter

    async def work(wired: Wired, _: OmbudSettings) -> dict[str, Any]:
        return await show_letter(wired.platform.stores, letter_id)

    say_json(with_platform(work))


@app.command()
def retry(letter_id: str, json: Json = False) -> None:
    """Try a letter again that had failed for good or came back."""
    from services.notify.commands import retry_letter

    async def work(wired: Wired, _: OmbudSettings) -> Letter:
        return await retry_letter(wired.platform.stores, wired.platform.clock, letter_id)

    queued = with_platform(work).id
    say(json, {"event": "queued", "id": queued}, f"{queued} is queued again")


@app.command()
def cancel(letter_id: str, json: Json = False) -> None:
    """Do not send a letter that is held or waits; its ticket says so and is open again."""
    from services.notify.commands import cancel_letter

    async def work(wired: Wired, _: OmbudSettings) -> Letter:
        return await cancel_letter(wired.platform.stores, wired.platform.clock, letter_id, OPERATOR)

    cancelled = with_platform(work).id
    say(json, {"event": "cancelled", "id": cancelled}, f"{cancelled} will not be sent")


@app.command()
def preview(
    kind: Annotated[str, typer.Argument(help="acknowledgement, reply or sla_breached.")],
    language: Annotated[str, typer.Option(help="As en, de or pt-BR.")] = "en",
    html: Annotated[bool, typer.Option("--html", help="Print the HTML in place of the text.")] = False,
    json: Json = False,
) -> None:
    """A letter with made-up values, from the templates that are in use, an operator's own included."""
    from services.notify.preview import preview as written_of
    from services.notify.rendering import Templates

    written = written_of(Templates(read_settings().notify.templates), kind, language)
    told = {"subject": written.subject, "text": written.text, "html": written.html}
    say(json, told, written.html if html else f"Subject: {written.subject}\n\n{written.text}")


@app.command()
def suppressed(
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 50,
    json: Json = False,
) -> None:
    """Addresses that get no letters, or may soon get none, as mail to them came back or somebody wants so."""

    async def work(wired: Wired, _: OmbudSettings) -> tuple[list[Suppression], datetime]:
        page = await suppressions.list_suppressions(wired.platform.stores, limit)
        return page.items, wired.platform.clock.now()

    found, now = with_platform(work)
    if json:
        say_json(
            *({**one.model_dump(mode="json", exclude={"outbox"}), "held": one.holds(now)} for one in found)
        )
        return
    rows = [
        [
            one.address,
            one.holds(now),
            one.reason,
            one.hard,
            one.soft,
            one.held_by,
            one.since,
            one.expires or "",
        ]
        for one in found
    ]
    table(
        rows,
        ["ADDRESS", "HELD", "REASON", "HARD", "SOFT", "BY", "SINCE", "UNTIL"],
        "no address is suppressed",
    )


@app.command()
def suppress(
    address: str,
    reason: Annotated[str, typer.Option(help="Why, for those who wonder later.")],
    json: Json = False,
) -> None:
    """Write to an address no more, until it is lifted."""

    async def work(wired: Wired, _: OmbudSettings) -> Suppression:
        platform = wired.platform
        return await suppressions.suppress(platform.stores, address, reason, OPERATOR, platform.clock.now())

    held = with_platform(work).address
    say(json, {"event": "suppressed", "address": held}, f"{held} is not written to")


@app.command()
def lift(address: str, json: Json = False) -> None:
    """Write to an address again that is held back."""

    async def work(wired: Wired, _: OmbudSettings) -> Suppression:
        platform = wired.platform
        return await suppressions.lift_suppression(platform.stores, address, OPERATOR, platform.clock.now())

    lifted = with_platform(work).address
    say(json, {"event": "lifted", "address": lifted}, f"{lifted} is written to again")
