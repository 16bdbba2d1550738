"""What comes due is fired, each by itself: what cannot be fired is no other's trouble.

Whatever was claimed and not fired has a claim that runs out, and is due again. An outage is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import structlog

from services.escalation.settings import EscalationSettings
from shared.domain.errors import OmbudError, Unavailable
from shared.runtime.waiting import wait_until

T = TypeVar("T")

log = structlog.get_logger()


async def keep_firing(
    stop: asyncio.Event, fire_due: Callable[[], Awaitable[int]], settings: EscalationSettings
) -> None:
    """Call `fire_due`, which returns how much was due, until told to stop."""
    while not stop.is_set():
        try:
            fired = await fire_due()
        except Unavailable as down:
            log.warning("timers.wait", dependency=down.dependency)
            fired = 0
        if fired < settings.at_once:
            await wait_until(stop, settings.look_every)


async def fire_each(
    due: Sequence[T], fire: Callable[[T], Awaitable[None]], failed: Callable[[T, OmbudError], None]
) -> int:
    """Fire them side by side, and return how many they were; `failed` is told of those that could not be.

    Raises `Unavailable`.
    """

    async def fire_one(one: T) -> None:
        try:
            await fire(one)
        except Unavailable:
            raise
        except OmbudError as fault:
            failed(one, fault)

    await asyncio.gather(*map(fire_one, due))
    return len(due)
