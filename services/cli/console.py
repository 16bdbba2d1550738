"""What the verbs share: opening the platform for one call, and printing for people or for programs."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer

from services.settings import OmbudSettings, read_settings
from shared.domain.errors import Refused
from shared.runtime import logs
from shared.runtime.settings import LogSettings
from shared.runtime.wiring import Wired, open_platform

T = TypeVar("T")

Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
AlwaysJson = Annotated[bool, typer.Option("--json", help="The output is JSON in any case.")]

OPERATOR = "operator"
"""Who does what is done at the command line, as the documents that it changes remember it."""

NARROWEST = 4
WIDEST = 60


def with_platform(work: Callable[[Wired, OmbudSettings], Awaitable[T]]) -> T:
    """Run `work` on the platform that the settings ask for; warnings go to stderr."""
    settings = with_sandbox(read_settings())
    quiet("cli")

    async def go() -> T:
        async with AsyncExitStack() as stack:
            wired = await open_platform(settings, stack, "cli")
            await wired.prepare()
            relay = asyncio.create_task(wired.relay.run())
            try:
                return await work(wired, settings)
            finally:
                await wired.relay.drain(5.0)
                relay.cancel()

    return asyncio.run(go())


def quiet(name: str) -> None:
    """Log errors of ours alone, to stderr: what a library says stands in the error that it ends in."""
    logs.set_up(LogSettings(level="error", format="text"), name, sys.stderr)
    logging.getLogger().setLevel(logging.CRITICAL)


def with_sandbox(settings: OmbudSettings) -> OmbudSettings:
    """The settings, with the mailbox and relay of the sandbox that runs on this data, if none are set."""
    if settings.mailboxes or not settings.embedded:
        return settings
    from services.sandbox.sandbox import remembered

    found = remembered(settings.data)
    if found is None:
        return settings
    mailbox, smtp = found
    return settings.model_copy(update={"mailboxes": {"support": mailbox}, "smtp": smtp})


def read_file(file: Path) -> bytes:
    """The bytes of a file, or of standard input for `-`. Raises `Refused`."""
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as fault:
        raise Refused(f"cannot read {file}: {fault.strerror}") from fault


def say_json(*objects: Any) -> None:
    """Print each as one line of JSON."""
    for one in objects:
        sys.stdout.buffer.write(orjson.dumps(one, default=str) + b"\n")
    sys.stdout.flush()


def say(json: bool, told: dict[str, Any], sentence: str) -> None:
    """Answer a verb that did one thing: `told` as JSON, or a sentence."""
    if json:
        say_json(told)
    else:
        print(sentence)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str], nothing: str) -> None:
    """Print rows in columns, or `nothing` when there are none."""
    lines = [[_cell(value) for value in row] for row in rows]
    if not lines:
        print(nothing)
        return
    widths = [
        min(WIDEST, max(NARROWEST, *(len(line[n]) for line in [list(head), *lines])))
        for n in range(len(head))
    ]
    for line in [list(head), *lines]:
        print("  ".join(_fitted(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _fitted(cell: str, width: int) -> str:
    return cell.ljust(width) if len(cell) <= width else cell[: width - 1] + "…"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    if hasattr(value, "strftime"):
        return str(value.strftime("%Y-%m-%d %H:%M:%SZ"))
    return " ".join(str(value).split())
