"""`ombud sandbox`: mails into the sandbox's mailbox."""

from pathlib import Path
from typing import Annotated

import typer

from services.cli.console import Json, read_file, say_json
from services.settings import read_settings
from shared.domain.errors import Refused

app = typer.Typer(help="The sandbox of `ombud run`.", no_args_is_help=True)


@app.callback()
def sandbox() -> None:
    """The sandbox of `ombud run`."""


@app.command()
def send(
    files: Annotated[list[Path], typer.Argument(help="Raw mails (.eml); - for standard input.")],
    json: Json = False,
) -> None:
    """Deliver raw mails into the sandbox's mailbox, as a mail server does."""
    from services.sandbox.maildrop import deliver
    from services.sandbox.sandbox import maildir_of

    maildir = maildir_of(read_settings().data)
    if not maildir.is_dir():
        raise Refused(f"there is no sandbox under {maildir.parents[2]}: start `ombud run`, or set OMBUD_DATA")
    mails = [(file, read_file(file)) for file in files]
    for file, raw in mails:
        deliver(maildir, raw)
        if json:
            say_json({"event": "delivered", "file": str(file), "bytes": len(raw)})
        else:
            print(f"delivered {file} ({len(raw)} bytes)")
