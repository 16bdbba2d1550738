"""`ombud quarantine`: mails that could not be read."""

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import OPERATOR, AlwaysJson, Json, read_file, say, say_json, table, with_platform
from services.settings import OmbudSettings
from shared.domain.errors import Refused
from shared.domain.ledger import LedgerEntry
from shared.ports.documents import Page
from shared.runtime import quarantine
from shared.runtime.wiring import Wired

app = typer.Typer(
    help="Mails that could not be read: list, show, edit, retry, release.", no_args_is_help=True
)


@app.command("list")
def list_(limit: Annotated[int, typer.Option(min=1, max=1000)] = 50, json: Json = False) -> None:
    """The quarantined mails, the latest first, with the reason of each."""

    async def work(wired: Wired, _: OmbudSettings) -> Page[LedgerEntry]:
        return await quarantine.quarantined(wired.platform, limit)

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
    edited: Annotated[bool, typer.Option(help="The bytes as they were edited, if they were.")] = False,
    json: AlwaysJson = False,
) -> None:
    """One quarantined mail: its entry as JSON, or with --raw its bytes."""
    entry, data = _shown(entry_id, edited=edited)
    if raw:
        sys.stdout.buffer.write(data)
    else:
        say_json({**entry.model_dump(mode="json", exclude={"outbox"}), "size": len(data)})


@app.command()
def edit(
    entry_id: str,
    file: Annotated[Path | None, typer.Option(help="The new bytes; - for standard input.")] = None,
    json: Json = False,
) -> None:
    """Change the bytes of a quarantined mail, in $EDITOR or from a file; the original is kept beside them.

    `retry` then reads the new ones.
    """
    data = read_file(file) if file is not None else _in_editor(_shown(entry_id, edited=True)[1])

    async def work(wired: Wired, _: OmbudSettings) -> LedgerEntry:
        return await quarantine.edit(wired.platform, entry_id, data, OPERATOR)

    entry = with_platform(work)
    told = {"event": "edited", "id": entry.id, "digest": entry.digest, "edited": entry.edited}
    kept = f"edited; try it: ombud quarantine retry {entry.id}" if entry.edited else "as it was"
    say(json, told, f"{entry.id} is {kept}")


@app.command()
def retry(entry_id: str, json: Json = False) -> None:
    """Give a quarantined mail to intake again, once what was wrong is mended."""

    async def work(wired: Wired, _: OmbudSettings) -> LedgerEntry:
        return await quarantine.retry(wired.platform, entry_id, OPERATOR)

    released = with_platform(work).id
    say(json, {"event": "released", "id": released}, f"{released} is on its way again")


@app.command()
def release(entry_id: str, json: Json = False) -> None:
    """Let a mail through that cannot be read: its headers make the ticket, the raw mail is a download."""

    async def work(wired: Wired, _: OmbudSettings) -> LedgerEntry:
        return await quarantine.release(wired.platform, entry_id, OPERATOR)

    released = with_platform(work).id
    say(json, {"event": "released", "id": released}, f"{released} is on its way, with its headers alone")


def _shown(entry_id: str, *, edited: bool) -> tuple[LedgerEntry, bytes]:
    async def work(wired: Wired, _: OmbudSettings) -> tuple[LedgerEntry, bytes]:
        return await quarantine.show(wired.platform, entry_id, edited=edited)

    return with_platform(work)


def _in_editor(data: bytes) -> bytes:
    """What a person makes of it. Raises `Refused` without an editor, or when it ends with an error."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not editor:
        raise Refused("set EDITOR, or give the new bytes with --file")
    with tempfile.TemporaryDirectory(prefix="ombud-") as folder:
        file = Path(folder) / "mail.eml"
        file.write_bytes(data)
        try:
            done = subprocess.run([*shlex.split(editor), str(file)], check=False)  # noqa: S603 (the person's own)
        except OSError as fault:
            raise Refused(f"cannot start the editor {editor}: {fault.strerror}") from fault
        if done.returncode:
            raise Refused(f"the editor ended with {done.returncode}: nothing is changed")
        return file.read_bytes()
