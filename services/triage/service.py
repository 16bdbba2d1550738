"""Triage as a process runs it."""

from contextlib import AsyncExitStack
from typing import Any

from services.triage.handlers import TriageHandlers
from services.triage.rules_model import RulesModel
from services.triage.settings import TriageSettings
from shared.domain.events import TICKETS_TOPIC
from shared.runtime.service import Platform, Service, reader_of


async def build(platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
    """Bind the handlers; by rules, which nothing can take away."""
    own: TriageSettings = settings.triage
    handlers = TriageHandlers(platform.stores, RulesModel(), platform.clock, own.longest_text)
    return Service("triage", readers=[reader_of(TICKETS_TOPIC, "triage", handlers.routes())])
