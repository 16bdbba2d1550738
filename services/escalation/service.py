"""Escalation as a process runs it."""

from contextlib import AsyncExitStack
from typing import Any

from services.escalation.handlers import EscalationHandlers
from services.escalation.rules import Policy
from services.escalation.settings import EscalationSettings
from services.escalation.snoozes import Snoozes
from services.escalation.timers import Timers
from shared.domain.events import TICKETS_TOPIC
from shared.runtime.service import Platform, Service, reader_of


async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    """Bind the handlers and what fires."""
    own: EscalationSettings = settings.escalation
    handlers = EscalationHandlers(platform.stores, Policy.default(own))
    return Service(
        "escalation",
        readers=[reader_of(TICKETS_TOPIC, "escalation", handlers.routes())],
        tasks={
            "timers": Timers(platform.stores, platform.clock, own).run,
            "snoozes": Snoozes(platform.stores, platform.clock, own).run,
        },
    )
