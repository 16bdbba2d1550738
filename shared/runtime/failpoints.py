"""Places where a process can be told to die, to fail or to wait: tests hit the instants between two steps.

Off unless `OMBUD_FAILPOINTS` names one (`failpoint_plan.py` says how), which `OMBUD_ENVIRONMENT=production`
refuses; a passing then costs one look at an empty dictionary. There is one plan a process.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

import structlog

from shared.domain.errors import Unavailable
from shared.runtime.failpoint_plan import Action, Site, parsed

T = TypeVar("T")

_plan: dict[Site, Action] = {}
_passings: Counter[Site] = Counter()

log = structlog.get_logger()


def arm(text: str) -> None:
    """From now on do what the setting asks for, and nothing else; told in the log. Raises `Refused`."""
    plan = parsed(text)
    _plan.clear()
    _passings.clear()
    _plan.update(plan)
    if plan:
        log.warning("failpoints.armed", sites=[site.value for site in plan])


async def reach(site: Site) -> None:
    """This place is passed. Does nothing unless it was armed; raises `Unavailable` if that was asked for."""
    if _plan:
        await _pass(site)


async def reach_beside(site: Site, work: Coroutine[Any, Any, T]) -> T:
    """Await the work; the place is passed when the work has begun and what it wrote has left the process."""
    if site not in _plan:
        return await work
    working = asyncio.ensure_future(work)
    try:
        await asyncio.sleep(0)  # the work runs until it waits …
        await asyncio.sleep(0)  # … and the loop, which may write only at the end of a turn, has written
        await _pass(site)
        return await working
    finally:
        working.cancel()


async def _pass(site: Site) -> None:
    action = _plan.get(site)
    if action is None:
        return
    _passings[site] += 1
    if action.nth not in (0, _passings[site]):
        return
    match action.verb:
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "raise":
            raise Unavailable(f"failpoint {site.value}", "it was told to fail here")
        case _:
            await asyncio.sleep(action.seconds)
