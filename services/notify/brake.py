"""The brake on automatic letters: at most so many to one address, and on one ticket, in a span of time.

A mail loop, or somebody who writes a thousand mails in another's name, gets a handful of letters. Counted
by the time of the event that asked and once a letter, so the brake says the same when the events are read
again. The counters bear a digest of the address, not the address, and are forgotten two days after they were
last added to. An acknowledgement is one a ticket by its nature, so it is counted by its address alone.
Letters that tell agents of work are counted apart, as many as the lead may get, and so are those that answer
agents' mails: what one agent is told keeps nothing from anybody else.

Two processes that count one address in the same instant may each see both letters: then one more than need be
is held back, and never one more sent.

On failure: `Unavailable` of the store is passed on; the event is handled again and counts once.
"""

import asyncio
from datetime import datetime

from services.notify.rules import LOOPS, TO_AGENTS, WINDOWS, Kind, Wanted, windows_at
from services.notify.settings import BrakeSettings, NotifySettings
from shared.domain.contacts import bare_address
from shared.domain.ids import derived
from shared.ports.documents import Documents

KEPT_SECONDS = 2 * WINDOWS["day"]
"""How long a counter outlives its last letter: longer than its longest window."""

_APART = {**dict.fromkeys(TO_AGENTS, "agent"), Kind.COMMAND_FAILED: "command"}
"""Kinds that are counted apart from all others, by the name of their counters."""


class Brake:
    """See the module."""

    def __init__(self, documents: Documents, settings: NotifySettings) -> None:
        self._documents = documents
        self._settings = settings

    async def holds(self, letter_id: str, wanted: Wanted, ticket_id: str, at: datetime) -> str:
        """Why this letter must not go, as a sentence; empty when it may. Only automatic ones are counted."""
        if not wanted.automatic:
            return ""
        limits = self._settings.brake if wanted.kind in LOOPS else self._settings.lead_brake
        apart, day = _APART.get(wanted.kind, ""), at.date().isoformat()
        person = bare_address(wanted.to.address)
        address = derived("brk", person, apart) if apart else derived("brk", person)
        to_address = self._over(f"{address}:{day}", letter_id, limits, at, "to this address")
        if wanted.kind is Kind.ACKNOWLEDGEMENT:
            return await to_address
        counter = f"brk_{ticket_id}:{apart}:{day}" if apart else f"brk_{ticket_id}:{day}"
        limits = self._settings.lead_brake if wanted.kind in TO_AGENTS else self._settings.brake
        on_ticket = self._over(counter, letter_id, limits, at, "on this ticket")
        found = await asyncio.gather(to_address, on_ticket)
        return found[0] or found[1]

    async def _over(
        self, counter: str, letter_id: str, limits: BrakeSettings, at: datetime, where: str
    ) -> str:
        windows = windows_at(at)
        counted = await self._documents.increment(
            counter, dict.fromkeys(windows.values(), 1), once=letter_id, kept_for=KEPT_SECONDS
        )
        for window, name in windows.items():
            most = getattr(limits, window)
            if counted[name] > most:
                return f"brake: more than {most} automatic letters {where} in {window.replace('_', ' ')}"
        return ""
