"""Handled mail on the server: what is set for it is done once the ledger has the mail, and kept all of it.

It decides nothing about what is new, and is found out anew each time: the server is asked for the mails to
which it has not been done yet, the ledger which of them are dealt with. So what failed, or was cut off, is
done later. A mail in quarantine, or of which the server has more than we keep, stays as it is.

When the server refuses, reading goes on; the refusal is logged and counted, and it is tried again.
"""

import time

import structlog

from services.ingest.keeping import Call
from services.ingest.ports import Mailbox, NotCleared, Place
from services.ingest.reconcile import entries_of
from services.ingest.settings import IngestSettings
from shared import metrics
from shared.runtime.service import Platform

AT_ONCE = 200
"""Mails that are looked at, and dealt with, between two looks for new mail."""

log = structlog.get_logger()


class Clearer:
    """Clears one folder over one connection, every `clear_seconds`."""

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings,
        place: Place,
        uidvalidity: int,
        mailbox: Mailbox,
        call: Call,
    ) -> None:
        self._platform = platform
        self._seconds = settings.clear_seconds
        self._place = place
        self._uidvalidity = uidvalidity
        self._mailbox = mailbox
        self._call = call
        self._left: list[int] = []
        self._next = 0.0

    @property
    def under_way(self) -> bool:
        """Whether there is more to look at now."""
        return bool(self._left)

    async def step(self, up_to: int) -> None:
        """Deal with some of the mails with UIDs up to `up_to`."""
        try:
            if not self._left and time.monotonic() >= self._next and up_to:
                self._next = time.monotonic() + self._seconds
                self._left = await self._call(self._mailbox.to_clear, 1, up_to)
            if self._left:
                await self._clear(self._left[:AT_ONCE])
                del self._left[:AT_ONCE]
        except NotCleared as refusal:
            self._left = []
            metrics.MAIL_CLEARED.labels(self._place.mailbox, "failed").inc()
            log.warning("mailbox.not_cleared", mailbox=self._place.label, reason=str(refusal))

    async def _clear(self, uids: list[int]) -> None:
        known = await entries_of(self._platform, self._place, self._uidvalidity, uids)
        kept = [uid for uid in uids if uid in known and known[uid].kept]
        if kept:
            await self._call(self._mailbox.clear, kept)
            metrics.MAIL_CLEARED.labels(self._place.mailbox, "done").inc(len(kept))
