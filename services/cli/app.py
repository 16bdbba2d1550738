"""The verbs of `ombud`, each in the file that bears its name."""

import os
import sys

import typer

from services.cli import (
    config,
    dead,
    doctor,
    key,
    letters,
    mailbox,
    quarantine,
    run,
    sandbox,
    serve,
    thread,
    trace,
    user,
)
from services.settings import OmbudSettings
from shared.runtime.settings import unknown

app = typer.Typer(
    name="ombud",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def before() -> None:
    """Turns a support mailbox into an AI-assisted help desk."""
    for sentence in unknown(OmbudSettings, os.environ):
        print(f"ombud: {sentence}", file=sys.stderr)


app.command("run")(run.run)
for verb, says in serve.VERBS.items():
    app.command(verb, help=says)(serve.verb(verb))
app.command("prepare")(serve.prepare)
app.command("explain")(trace.explain)
app.command("thread")(thread.thread)
app.command("trace")(trace.trace)
app.add_typer(mailbox.app, name="mailbox")
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(dead.app, name="dead")
app.add_typer(letters.app, name="letters")
app.add_typer(key.app, name="key")
app.add_typer(user.app, name="user")
app.command("doctor")(doctor.doctor)
app.command("config")(config.config)
app.add_typer(sandbox.app, name="sandbox")
