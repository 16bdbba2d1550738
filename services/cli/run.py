"""`ombud run`: all five services in one process on the embedded adapters; with no mailbox set, a sandbox."""

import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from services.cli import retention
from services.cli.console import Json
from services.cli.serve import VERBS, builder, run_loop
from services.cli.steps import Steps
from services.settings import OmbudSettings, read_settings
from shared.domain.errors import Refused
from shared.runtime import logs
from shared.runtime.service import Build, Platform, Service

CONNECTIONS = 40
"""To the sandbox's relay, which takes any number: each letter waits for several turns of one busy loop."""
KEY_FILE = "api-key"


def run(
    json: Json = False,
    quiet: Annotated[bool, typer.Option(help="Do not print the steps of each mail.")] = False,
) -> None:
    """Run the whole product in one process; stop it with Ctrl-C."""
    from shared.runtime.process import Running, run_process

    settings = read_settings()
    if not settings.embedded:
        raise Refused(
            "`run` stands on the embedded adapters: unset OMBUD_KAFKA__BOOTSTRAP and OMBUD_MONGO__URL"
        )
    logs.set_up(settings.log.model_copy(update=_quieter(settings)), "run", sys.stderr)
    with _mail(settings) as (settings, sandbox):
        steps = Steps(json=json)
        builds: dict[str, Build] = {name: builder(name) for name in VERBS}
        builds["retention"] = retention.build
        if not quiet:
            builds["steps"] = steps.build
        if sandbox is not None:
            builds["sandbox"] = partial(_keep, sandbox)

        async def announce(running: Running) -> None:
            key = await _key(running.wired.platform, settings.data)
            ready: dict[str, Any] = {
                "event": "ready",
                "api": running.url,
                "key": key,
                "data": str(settings.data.resolve()),
            }
            if sandbox is not None:
                ready |= {"address": sandbox.mailbox.address, "outbox": str(sandbox.outbox)}
                ready |= {"imap": sandbox.imap(), "maildir": str(sandbox.maildir)}
                ready |= {"smtp": {"host": sandbox.smtp.host, "port": sandbox.smtp.port, "tls": False}}
            steps.ready(ready)
            if sandbox is not None:
                _first_mails(sandbox.maildir, settings.data)

        code = run_loop(lambda: run_process(settings, "run", builds, announce))
    sys.exit(code)


@contextmanager
def _mail(settings: OmbudSettings) -> Iterator[tuple[OmbudSettings, Any]]:
    """The settings with a mailbox in them, and the sandbox where it is ours."""
    if settings.mailboxes:
        yield settings, None
        return
    from services.sandbox.sandbox import LEAD, open_sandbox
    from shared.runtime.wiring import make_folder

    make_folder(settings.data)
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(open_sandbox(settings.data))
        except OSError as fault:
            raise Refused(
                f"cannot make the sandbox under {settings.data} ({fault.strerror}): "
                "set OMBUD_DATA to a folder of yours with room in it"
            ) from fault
        own: dict[str, Any] = {"lead_address": settings.notify.lead_address or LEAD}
        if "connections" not in settings.notify.model_fields_set:
            own |= {"connections": CONNECTIONS}
        notify = settings.notify.model_copy(update=own)
        served = {"mailboxes": {"support": sandbox.mailbox}, "smtp": sandbox.smtp, "notify": notify}
        yield settings.model_copy(update=served), sandbox


async def _keep(sandbox: Any, platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    return Service("sandbox", tasks={"servers": sandbox.keep})


async def _key(platform: Platform, data: Path) -> str:
    """The key for trying things out: made at the first start, kept for its owner alone."""
    from services.api.keys import create_key

    kept = data / KEY_FILE
    if not kept.exists():
        made = await create_key(platform.stores, platform.clock, "local", ["*"])
        part = kept.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(made)
        part.replace(kept)
    return kept.read_text().strip()


def _first_mails(maildir: Path, data: Path) -> None:
    """The sample mails, at the first start only."""
    from services.sandbox.maildrop import deliver
    from services.sandbox.samples import samples

    done = data / "sandbox" / "samples-delivered"
    if not done.exists():
        for _, raw in samples(sent=datetime.now(UTC)):
            deliver(maildir, raw)
        done.touch()


def _quieter(settings: OmbudSettings) -> dict[str, Any]:
    """On a person's terminal the steps are the output: only warnings join them, unless asked otherwise."""
    set_by_hand = settings.log.model_fields_set
    quieter: dict[str, Any] = {} if "level" in set_by_hand else {"level": "warning"}
    if "format" not in set_by_hand:
        quieter["format"] = "text"
    return quieter
