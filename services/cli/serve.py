"""`ombud ingest|triage|escalation|notify|api`: one service as a process. `ombud prepare`: what they need."""

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any

from services.cli.console import Json, say, with_platform
from services.settings import read_settings
from shared.runtime import logs
from shared.runtime.service import Build

SWITCH_SECONDS = 0.0002
"""How long a thread that wants the interpreter waits for the loop's. At Python's 5 ms, a thread that makes
many short calls into SQLite or IMAP stands behind the busy loop at each of them."""

COLLECT_AFTER = (20_000, 20, 20)
"""Objects, then rounds, between two searches for garbage (`gc.set_threshold`). Thousands of tasks and
documents under way are no garbage: at Python's 700, looking for some among them takes a tenth of the time."""

VERBS = {
    "ingest": "Read the mailboxes, open tickets.",
    "triage": "Classify tickets.",
    "escalation": "Keep deadlines and fire timers.",
    "notify": "Write to people.",
    "api": "Answer the API.",
}


def builder(name: str) -> Build:
    """The `build` of a service; only then is the service imported, for memory's sake."""
    build: Build = import_module(f"services.{name}.service").build
    return build


def verb(name: str) -> Callable[[], None]:
    """The command that runs this service until it is told to stop."""

    def serve() -> None:
        from shared.runtime.process import run_process

        settings = read_settings()
        logs.set_up(settings.log, name)
        sys.exit(run_loop(lambda: run_process(settings, name, {name: builder(name)})))

    return serve


def run_loop(work: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run the coroutine that `work` makes, on uvloop; returns its exit code."""
    import uvloop

    sys.setswitchinterval(SWITCH_SECONDS)
    gc.set_threshold(*COLLECT_AFTER)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


def prepare(json: Json = False) -> None:
    """Make topics, collections and indexes where they are missing; safe to repeat."""

    async def done(*_: object) -> None:
        """`with_platform` has prepared."""

    with_platform(done)
    say(json, {"event": "prepared"}, "topics, collections and indexes are there")
