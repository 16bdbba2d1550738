"""How a letter is written down: once an event, kind and addressee; delivery sends it.

The decision is taken once: a letter that exists is left as it is, however often its event comes again and
whatever has changed in the settings or the templates since. The letter's Message-ID is known to threading
before the letter exists, so an answer to it finds its ticket however fast it comes.

On failure: nothing is sent from here. A process that dies in between leaves at most a known Message-ID; the
event comes again and finds it. Raises `Unavailable` and `Conflict` of the stores.
"""

import structlog

from services.notify.brake import Brake
from services.notify.composer import Composer, Occasion, id_of
from services.notify.delivery import Deliverer
from services.notify.rules import LOOPS, Wanted
from services.notify.suppressed import Suppressed
from shared import metrics
from shared.domain.events import Event
from shared.domain.ids import thread_id_for
from shared.domain.letters import Attempt, Letter
from shared.ports.clock import Clock
from shared.stores.collections import ThreadId
from shared.stores.stores import Stores

log = structlog.get_logger()


class Writer:
    """See the module."""

    def __init__(
        self, stores: Stores, clock: Clock, composer: Composer, brake: Brake, deliverer: Deliverer
    ) -> None:
        self._stores = stores
        self._clock = clock
        self._composer = composer
        self._brake = brake
        self._deliverer = deliverer
        self._suppressed = Suppressed(stores)

    async def is_written(self, wanted: Wanted, event: Event) -> bool:
        """Whether the letter is there from an earlier time."""
        own_id = id_of(wanted, event)
        return own_id in await self._stores.letters.get_many([own_id])

    async def write(self, wanted: Wanted, about: Occasion) -> None:
        """Store the letter, due or with the reason why it does not go. Raises `Permanent`; see `Composer`."""
        event, now = about.event, self._clock.now()
        letter = self._composer.compose(wanted, about, now)
        held = await self._held(letter, wanted, event)
        known = ThreadId(id=thread_id_for(letter.message_id), ticket_id=event.ticket_id, carried=True)
        await self._stores.thread_ids.add(known)
        if held:
            letter.failed(Attempt(at=now, answer="not tried"), held)
        else:
            self._deliverer.schedule(letter, now)
        if await self._stores.letters.add(letter) is letter:
            self._hand_on(letter)

    async def _held(self, letter: Letter, wanted: Wanted, event: Event) -> str:
        """Why the letter must not go; empty when it may."""
        if why := await self._suppressed.why(wanted, self._clock.now()):
            return why
        braked = await self._brake.holds(letter.id, wanted, event.ticket_id, event.occurred_at)
        if braked and wanted.kind in LOOPS:
            await self._suppressed.mark_loop(event, self._clock.now(), braked)
        return braked

    def _hand_on(self, letter: Letter) -> None:
        if letter.wake_at is not None:
            self._deliverer.offer(letter)
            return
        metrics.LETTERS.labels(letter.kind, "braked").inc()
        log.warning("letter.braked", letter=letter.id, ticket=letter.ticket_id, reason=letter.reason)
