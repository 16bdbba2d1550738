"""Keeps letters ours while they are tried: a relay may take far longer to accept one than a lease lasts.

Without it a relay that answers slowly would never get a letter: it would be claimed anew, by this process or
another, before every end of its content. A lease is renewed while its letter is held, so it stays short for
the letters of a process that died.

On failure: a lease that could not be renewed runs out, and whoever claims the letter then wins; our try ends
with `Conflict` when it saves.
"""

import asyncio
from datetime import timedelta

import structlog

from shared.domain.errors import Conflict, NotFound, Unavailable
from shared.domain.letters import Letter
from shared.ports.clock import Clock
from shared.stores.store import PublishingStore

LOOKS = 4
"""Looks at each lease before it is over; one that is half over is renewed."""

log = structlog.get_logger()


class Holds:
    """See the module. `seconds` is how long a lease lasts."""

    def __init__(self, letters: PublishingStore[Letter], clock: Clock, seconds: float) -> None:
        self._letters = letters
        self._clock = clock
        self._lease = timedelta(seconds=seconds)
        self._held: dict[str, Letter] = {}
        self._renewing = asyncio.Lock()

    async def take(self, letter: Letter) -> bool:
        """Hold a leased letter from here on; False when it is, or may be, another's by now."""
        left = self._left(letter)
        if left <= timedelta() or (left < self._lease / 2 and not await self._renewed(letter)):
            return False
        self._held[letter.id] = letter
        return True

    async def let_go(self, letter: Letter) -> None:
        """Renew it no more; from here on the caller alone changes it."""
        async with self._renewing:
            self._held.pop(letter.id, None)

    async def keep(self) -> None:
        """Renew what is held, until cancelled."""
        while True:
            await self._clock.sleep(self._lease.total_seconds() / LOOKS)
            async with self._renewing:
                ending = [one for one in self._held.values() if self._left(one) < self._lease / 2]
                await asyncio.gather(*(self._renewed(letter) for letter in ending))

    def _left(self, letter: Letter) -> timedelta:
        return letter.wake_at - self._clock.now() if letter.wake_at else timedelta()

    async def _renewed(self, letter: Letter) -> bool:
        renewed = letter.model_copy(update={"wake_at": self._clock.now() + self._lease})
        renewed.touch()
        try:
            await self._letters.save(renewed, if_version=letter.version)
        except (Conflict, NotFound, Unavailable) as fault:
            log.info("letter.lease_not_renewed", letter=letter.id, reason=fault.code)
            return False
        letter.version, letter.wake_at = renewed.version, renewed.wake_at
        return True
