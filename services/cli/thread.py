"""`ombud thread`: which of the mails of a conversation Ombud takes for one ticket."""

import asyncio
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from services.cli.console import AlwaysJson, quiet, read_file, say_json
from services.settings import OmbudSettings, read_settings
from shared.domain.errors import Invalid, Refused
from shared.runtime.settings import KafkaSettings, MongoSettings
from shared.runtime.wiring import open_platform

if TYPE_CHECKING:
    from services.ingest.thread_cases import Case

MAILS = Path("../shared/corpora/mail")


def thread(
    file: Annotated[Path, typer.Argument(help="Cases, one JSON object a line; - for standard input.")] = Path(
        "-"
    ),
    mails: Annotated[
        Path, typer.Option(help="The folder of the raw mails that cases name as `eml`.")
    ] = MAILS,
    json: AlwaysJson = False,
) -> None:
    """Take the mails of each case in, and print which of them are on one ticket; nothing is kept.

    A line for each case: its id, `tickets` with a label for each message (null: on none), and
    `unknown_settings`, those that the case asks for and Ombud does not have.
    """
    from services.ingest.thread_cases import read_case

    quiet("cli")
    for number, line in enumerate(read_file(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            case = read_case(line)
        except Invalid as fault:
            raise Refused(f"line {number}: {fault}") from fault
        say_json(asyncio.run(threaded(case, mails)))


async def threaded(case: "Case", mails: Path) -> dict[str, Any]:
    """What intake made of a case, on a store of its own. Raises `Refused` for a raw mail that is missing."""
    from services.ingest.rehearsal import Rehearsal
    from services.ingest.thread_cases import raw_mails

    raws = raw_mails(case, lambda name: read_file(mails / name))
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="ombud-thread-"))
        settings = _embedded(Path(folder))
        ingest, unknown = case.settings_over(settings.ingest)
        wired = await open_platform(settings, stack, "thread")
        await wired.prepare()
        tickets = await Rehearsal(wired.platform, ingest, case, raws).run()
    return {"id": case.id, "tickets": tickets, "unknown_settings": unknown}


def _embedded(folder: Path) -> OmbudSettings:
    """The settings of this process, but for where things are kept."""
    return read_settings(data=folder, secret="", kafka=KafkaSettings(), mongo=MongoSettings(), mailboxes={})
