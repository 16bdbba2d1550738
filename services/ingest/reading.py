"""Reading a mailbox over one connection: fetch, publish, move the cursor, wait for more.

Between two looks for new mail it looks back, a little at a time: at mails that the ledger lacks
(services/ingest/reconcile.py), and at handled mail that is to be flagged, moved or deleted (clearing.py).

The next batch is fetched while the one before is published, and no further ahead. The cursor moves over a
batch only when the bus has it, so whatever dies, what was not published is fetched again. A mail that is
gone or cannot be fetched is written into the ledger before the cursor passes it.

Raises `MailboxFailed` when the connection is of no more use, `Conflict` when another process reads the
mailbox.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from services.ingest.batches import Care, batches
from services.ingest.clearing import Clearer
from services.ingest.cursor import MailboxCursor
from services.ingest.keeping import Call, large
from services.ingest.ports import Mailbox, MailboxFailed, Place, Waiting
from services.ingest.publish import note_unfetched, to_publish
from services.ingest.reconcile import Memory, Reconciler
from services.ingest.settings import IngestSettings
from shared import metrics
from shared.domain.ledger import Outcome
from shared.runtime.failpoint_plan import Site
from shared.runtime.failpoints import reach
from shared.runtime.mails import ToPublish, publish
from shared.runtime.service import Platform

BATCHES_LOOKED_AHEAD = 20

log = structlog.get_logger()


class Reading:
    """See the module.

    `progress` is called whenever the mailbox was looked into with success; `lasted` whenever the connection
    has done more than that: brought mail, or outlived a wait.
    """

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings,
        place: Place,
        mailbox: Mailbox,
        *,
        call: Call,
        care: Care,
        memory: Memory,
        progress: Callable[[], None],
        lasted: Callable[[], None],
    ) -> None:
        self._platform = platform
        self._settings = settings
        self._place = place
        self._name = place.label
        self._mailbox = mailbox
        self._call = call
        self._care = care
        self._memory = memory
        self._progress = progress
        self._lasted = lasted
        self._uidvalidity = 0

    async def run(self) -> None:
        """Read until something fails or the caller is cancelled."""
        self._uidvalidity = await self._call(self._mailbox.open)
        cursors, place = self._platform.stores.cursors, self._place
        cursor = await MailboxCursor.take(cursors, place.mailbox, self._uidvalidity, place.folder)
        shared = (self._platform, self._settings, place, self._uidvalidity, self._mailbox, self._call)
        reconciler, clearer = Reconciler(*shared, self._memory), Clearer(*shared)
        log.info("mailbox.opened", mailbox=self._name, uidvalidity=self._uidvalidity, after=cursor.uid)
        ahead = self._settings.batch * BATCHES_LOOKED_AHEAD
        while True:
            await self._take_again(await reconciler.step(cursor.uid))
            await clearer.step(cursor.uid)
            waiting: list[Waiting] = await self._call(self._mailbox.new_uids, cursor.uid, ahead)
            if waiting:
                await self._probe(waiting)
                await self._take(waiting, cursor)
            elif not (reconciler.under_way or clearer.under_way):
                self._progress()
                await self._call(self._mailbox.wait, self._settings.poll_seconds)
                self._lasted()

    async def _probe(self, waiting: Sequence[Waiting]) -> None:
        """While a mail is suspected, see that another is given: else the server is at fault, not the mail."""
        probe = self._care.probe(waiting)
        if probe is None:
            return
        if not await self._call(self._mailbox.fetch, [probe]):
            raise MailboxFailed(self._name, "protocol", "it lists mails but gives none")
        self._care.cleared(probe)

    async def _take_again(self, uids: Sequence[int]) -> None:
        """Publish once more what the ledger lacks; the cursor is past it and stays where it is."""
        waiting: list[Waiting] = await self._call(self._mailbox.sizes, uids) if uids else []
        for batch in batches(waiting, self._care.most, self._settings.batch_bytes):
            mails = await self._fetched(batch)
            await publish(self._platform, mails)
            self._memory.fetched_again |= {(self._uidvalidity, mail.fetched.uid) for mail in mails}
            metrics.MAIL_RECONCILED.labels(self._name).inc(len(mails))
            log.warning("mailbox.fetched_again", mailbox=self._name, mails=len(mails))

    async def _take(self, waiting: Sequence[Waiting], cursor: MailboxCursor) -> None:
        publishing: asyncio.Task[None] | None = None
        try:
            for batch in batches(waiting, self._care.most, self._settings.batch_bytes):
                try:
                    mails = await self._fetched(batch)
                except MailboxFailed:
                    await _done(publishing)
                    raise
                await _done(publishing)
                publishing = asyncio.create_task(self._published(mails, batch, cursor))
            await _done(publishing)
        finally:
            await _ended(publishing)

    async def _published(
        self, mails: list[ToPublish], batch: Sequence[Waiting], cursor: MailboxCursor
    ) -> None:
        await reach(Site.INGEST_FETCHED)
        await publish(self._platform, mails)
        await reach(Site.INGEST_PUBLISHED)
        await cursor.move(batch[-1].uid, len(batch), self._platform.clock.now())
        metrics.MAIL_SEEN.labels(self._place.mailbox).inc(len(batch))
        self._progress()
        self._lasted()

    async def _fetched(self, batch: Sequence[Waiting]) -> list[ToPublish]:
        wanted = [mail for mail in batch if not await self._given_up(mail)]
        limit = self._settings.limits.mail_bytes
        mails = await self._guarded([mail for mail in wanted if mail.size <= limit], self._fetched_whole)
        for mail in wanted:
            if mail.size > limit:
                mails += await self._guarded([mail], self._fetched_large)
        given = {mail.fetched.uid for mail in mails}
        for mail in wanted:
            if mail.uid not in given:
                await self._missing(mail.uid)
        self._care.settled([mail.uid for mail in wanted])
        return sorted(mails, key=lambda mail: mail.fetched.uid)

    async def _guarded(
        self, batch: Sequence[Waiting], fetch: Callable[[Sequence[Waiting]], Awaitable[list[ToPublish]]]
    ) -> list[ToPublish]:
        try:
            return await fetch(batch)
        except MailboxFailed:
            self._care.failed([mail.uid for mail in batch])
            raise

    async def _fetched_whole(self, batch: Sequence[Waiting]) -> list[ToPublish]:
        made: list[ToPublish] = await self._call(self._fetch, [mail.uid for mail in batch])
        return made

    async def _fetched_large(self, batch: Sequence[Waiting]) -> list[ToPublish]:
        limits, mailbox = self._settings.limits, self._mailbox
        found = [
            await large(self._platform, limits, self._place, self._uidvalidity, mail, mailbox, self._call)
            for mail in batch
        ]
        return [made for made in found if made is not None]

    def _fetch(self, uids: Sequence[int]) -> list[ToPublish]:
        """On the mailbox's thread."""
        if not uids:
            return []
        now = self._platform.clock.now()
        return [to_publish(self._place, self._uidvalidity, mail, now) for mail in self._mailbox.fetch(uids)]

    async def _given_up(self, mail: Waiting) -> bool:
        if not self._care.hopeless(mail.uid):
            return False
        reason = f"the mailbox did not give it, {self._settings.fetch_tries} times"
        log.warning("mailbox.mail_given_up", mailbox=self._name, uid=mail.uid, reason=reason)
        await self._note(mail.uid, Outcome.QUARANTINED, reason)
        self._care.settled([mail.uid])
        return True

    async def _missing(self, uid: int) -> None:
        if await self._call(self._mailbox.exists, uid):
            self._care.failed([uid])
            raise MailboxFailed(
                self._name, "protocol", f"it lists the mail with UID {uid} but does not give it"
            )
        await self._note(uid, Outcome.IGNORED, "it was removed from the mailbox before it could be fetched")

    async def _note(self, uid: int, outcome: Outcome, reason: str) -> None:
        await note_unfetched(self._platform, self._place, self._uidvalidity, uid, outcome, reason)


async def _done(task: "asyncio.Task[None] | None") -> None:
    if task is not None:
        await task


async def _ended(task: "asyncio.Task[None] | None") -> None:
    """Cancel it if it still runs, and wait for its end; what it failed with is no news by now."""
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
