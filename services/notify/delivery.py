"""Delivery: every letter that is due goes to the relay, by one process at a time.

A new letter is handed over in memory and leased to this process by its `wake_at`; letters of dead processes,
postponed ones and those that found no room here are claimed when they are due. When the relay has all of a
letter but its end, it is saved as `sending`, by version: whoever lost it in the meantime gets `Conflict` and
hangs up, so the relay delivers nothing. That save also moves `wake_at` behind the relay's time to answer.

On failure:
- the relay cannot be reached: no letter is blamed. All wait, nothing is claimed, `ping` says so; the relay is
  asked again every few seconds and the letters go by themselves when it is back.
- the relay refuses or breaks off: `outcome.py`, letter by letter.
- the store is away: what became of a letter is kept in memory and saved when it is back; nothing new is sent.
- this process dies: its letters come due again for another one; of those that were being sent the replies are
  sent again and the automatic ones are given up as uncertain.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from services.notify import mime, outcome
from services.notify.holds import Holds
from services.notify.ports import Answer, Gate, Mailer, Verdict
from services.notify.rates import Rates
from services.notify.settings import NotifySettings
from shared import metrics
from shared.domain.errors import Conflict, Invalid, NotFound, Unavailable
from shared.domain.letters import Letter, LetterState
from shared.ports.clock import Clock
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.runtime.waiting import unless, wait_until
from shared.stores.store import PublishingStore

CLAIMED_AT_ONCE = 100
WORKERS_PER_CONNECTION = 4
"""While some letters are on the wire, others wait for the store to note what became of them."""

STORE_PAUSE = 0.5
"""Seconds before a save that the store did not answer is tried again."""

log = structlog.get_logger()


class Deliverer:
    """See the module. `secret` signs the letters' loop mark; no `rates`: domains get all at once."""

    def __init__(
        self,
        letters: PublishingStore[Letter],
        mailer: Mailer,
        clock: Clock,
        settings: NotifySettings,
        secret: bytes,
        rates: Rates | None = None,
    ) -> None:
        self._letters = letters
        self._mailer = mailer
        self._clock = clock
        self._settings = settings
        self._secret = secret
        self._rates = rates
        self._holds = Holds(letters, clock, settings.lease_seconds)
        self._queue: asyncio.Queue[Letter | None] = asyncio.Queue()
        self._taking = False
        self._relay_down = False

    def schedule(self, letter: Letter, now: datetime) -> None:
        """When a new letter goes: an agent's reply after the time to think better of it, others at once."""
        if not letter.automatic and self._settings.undo_seconds:
            letter.held(now + timedelta(seconds=self._settings.undo_seconds))
        else:
            letter.wake_at = self.first_wake(now)

    def first_wake(self, now: datetime) -> datetime:
        """The `wake_at` of a new letter: leased to this process if it can send it soon, else due at once."""
        return now + timedelta(seconds=self._settings.lease_seconds) if self._room() > 0 else now

    def offer(self, letter: Letter) -> None:
        """Take over a stored letter that `first_wake` leased to us; any other is left to be claimed."""
        leased = letter.wake_at is not None and letter.wake_at > letter.created_at
        if self._taking and leased and letter.state is not LetterState.HELD:
            self._queue.put_nowait(letter)

    async def ping(self) -> None:
        """Return if the relay answers. Raises `Unavailable`."""
        await self._mailer.ping()

    async def run(self, stop: asyncio.Event) -> None:
        """Deliver until `stop`, then finish what is being sent and give the rest back."""
        self._taking = True
        try:
            async with asyncio.TaskGroup() as group:
                holding = group.create_task(self._holds.keep())
                count = self._settings.connections * WORKERS_PER_CONNECTION
                workers = [group.create_task(self._work(stop)) for _ in range(count)]
                await self._feed(stop)
                self._taking = False
                for _ in workers:
                    self._queue.put_nowait(None)
                _, late = await asyncio.wait(workers, timeout=self._settings.stop_seconds)
                for ending in (*late, holding):
                    ending.cancel()
        finally:
            self._taking = False

    def _room(self) -> int:
        if not self._taking or self._relay_down:
            return 0
        return max(0, self._settings.queue - self._queue.qsize())

    async def _feed(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if self._relay_down:
                await unless(stop, self._ask_relay())
            wanted = min(self._room(), CLAIMED_AT_ONCE)
            claimed = await self._claim(wanted) if wanted else 0
            if not wanted or claimed < wanted:
                await wait_until(stop, self._settings.poll_seconds)

    async def _claim(self, limit: int) -> int:
        """Queue letters that are due; returns how many."""
        try:
            due = await self._letters.collection.claim(self._clock.now(), self._settings.lease_seconds, limit)
        except Unavailable as away:
            log.warning("letters.claim_failed", reason=str(away))
            return 0
        for letter in due:
            self._queue.put_nowait(letter)
        return len(due)

    async def _ask_relay(self) -> None:
        try:
            await self._mailer.ping()
        except Unavailable:
            return
        self._relay_down = False
        log.info("relay.back")

    async def _work(self, stop: asyncio.Event) -> None:
        while (letter := await self._queue.get()) is not None:
            if stop.is_set() or self._relay_down:
                await self._release(letter)
                continue
            try:
                await self._deliver(letter)
            except Unavailable as away:
                self._note_down(away)
                await self._release(letter)
            except Exception:  # a letter that breaks us must not take the others along
                log.exception("letter.broke", letter=letter.id, ticket=letter.ticket_id)
                begun = letter.state is LetterState.SENDING
                verdict = Verdict.UNCERTAIN if begun else Verdict.LATER
                await self._set_aside(letter, Answer(verdict, text="a fault of ours"))

    def _note_down(self, away: Unavailable) -> None:
        if not self._relay_down:
            self._relay_down = True
            log.warning("relay.down", reason=str(away))

    async def _deliver(self, letter: Letter) -> None:
        """One try. Raises `Unavailable` when the relay cannot be reached."""
        if letter.state is LetterState.SENDING and letter.automatic:
            await self._settle(letter, outcome.SENDER_DIED)
            return
        try:
            mail = mime.built(letter, self._secret)
        except Invalid as fault:
            await self._settle(letter, Answer(Verdict.NEVER, text=str(fault)))
            return
        if until := await self._put_off(letter):
            await self._release(letter, until)
            return
        if not await self._holds.take(letter):
            log.info("letter.left_to_its_lease", letter=letter.id)
            return
        try:
            answer = await self._mailer.send(mail, self._gate(letter))
        finally:
            await self._holds.let_go(letter)
        if answer.verdict is not Verdict.WITHHELD:
            await reach(Site.LETTER_ANSWERED)
            await self._settle(letter, answer)

    async def _put_off(self, letter: Letter) -> datetime | None:
        """Until when its domain's rate keeps it from being tried; None: not."""
        if self._rates is None:
            return None
        now = self._clock.now()
        try:
            until = await self._rates.put_off(letter, now)
        except Unavailable as away:
            log.warning("letter.withheld", letter=letter.id, reason=str(away))
            return now + timedelta(seconds=STORE_PAUSE)
        if until:
            metrics.LETTERS.labels(letter.kind, "paced").inc()
        return until

    def _gate(self, letter: Letter) -> Gate:
        """Save the letter as being sent; no, when it is another's, nobody can tell, or we are stopping."""

        async def may_send() -> bool:
            await self._holds.let_go(letter)
            if not self._taking:
                await self._release(letter)
                return False
            patience = timedelta(seconds=self._settings.accept_seconds + self._settings.margin_seconds)
            until, read = self._clock.now() + patience, letter.version
            letter.start_sending()
            letter.wake_at = until
            try:
                await self._letters.save(letter, if_version=read)
            except (Conflict, NotFound):
                log.info("letter.overtaken", letter=letter.id, ticket=letter.ticket_id)
                return False
            except Unavailable as away:
                log.warning("letter.withheld", letter=letter.id, reason=str(away))
                await self._set_aside(letter, Answer(Verdict.LATER, text="the store did not answer"))
                return False
            await reach(Site.LETTER_SENDING)
            return True

        return may_send

    async def _settle(self, letter: Letter, answer: Answer) -> None:
        """Save what became of the letter; another's save in between stands."""
        read, now = letter.version, self._clock.now()
        counted = outcome.note(letter, answer, now, self._settings.retry)
        metrics.LETTERS.labels(letter.kind, counted).inc()
        if counted == "sent":
            # A clock may have been set back since: a histogram of negative ages would sum up to nonsense.
            metrics.LETTER_AGE.observe(max(0.0, (now - letter.created_at).total_seconds()))
            log.info("letter.sent", letter=letter.id, ticket=letter.ticket_id, kind=letter.kind)
        else:
            log.warning("letter.not_sent", letter=letter.id, outcome=counted, code=answer.code)

        async def save() -> None:
            await self._letters.save(letter, if_version=read)

        await self._when_store_answers(save, letter)

    async def _set_aside(self, letter: Letter, answer: Answer) -> None:
        """Note an answer that is not the relay's, if the letter is stored as it stands here."""

        def decide(stored: Letter) -> None:
            if stored.version == letter.version and stored.wake_at is not None:
                counted = outcome.note(stored, answer, self._clock.now(), self._settings.retry)
                metrics.LETTERS.labels(letter.kind, counted).inc()

        async def change() -> None:
            await self._letters.change(letter.id, decide)

        await self._when_store_answers(change, letter)

    async def _release(self, letter: Letter, until: datetime | None = None) -> None:
        """Make a letter that was not tried due again, for whoever can; failing that, its lease ends."""
        read = letter.version
        letter.wake_at = until or self._clock.now()
        letter.touch()
        try:
            await self._letters.save(letter, if_version=read)
        except (Conflict, NotFound, Unavailable):
            log.info("letter.left_to_its_lease", letter=letter.id)

    async def _when_store_answers(self, save: Callable[[], Awaitable[None]], letter: Letter) -> None:
        while True:
            try:
                return await save()
            except Unavailable as away:
                log.warning("letter.unsaved", letter=letter.id, reason=str(away))
                await self._clock.sleep(STORE_PAUSE)
            except (Conflict, NotFound):
                # Also after a save that was made though its answer was lost: then nothing is left to do.
                log.info("letter.overtaken", letter=letter.id, ticket=letter.ticket_id)
                return None
