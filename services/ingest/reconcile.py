"""The mails on the server against the ledger: which of those that were read does it not know?

Asked for are UIDs alone, in ranges, and the ledger by its ids, in pages; one look at a time, so that new mail
waits for none of it. A mail that the ledger lacks may be on its way to it: it counts as missing when it is
lacking some time later (`reconcile_grace`), and is then to be fetched again, once by each process. Intake
takes in once what is published twice.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from services.ingest.keeping import Call
from services.ingest.ports import Mailbox, Place
from services.ingest.settings import IngestSettings
from shared import metrics
from shared.domain.ledger import LedgerEntry, entry_id
from shared.runtime.service import Platform

SPAN = 50_000
"""UIDs that the server is asked about at a time."""
PAGE = 1000
"""Entries that the ledger is asked for at a time."""
RESTED = 60.0
"""Seconds at least between two walks, however often the connection is lost."""

log = structlog.get_logger()


@dataclass
class Memory:
    """What outlives a connection: when the last walk ended, and what was fetched again since the start."""

    walked_at: float | None = None
    fetched_again: set[tuple[int, int]] = field(default_factory=set)


async def entries_of(
    platform: Platform, place: Place, uidvalidity: int, uids: Sequence[int]
) -> dict[int, LedgerEntry]:
    """What the ledger knows of these mails, by UID."""
    found: dict[int, LedgerEntry] = {}
    for first in range(0, len(uids), PAGE):
        ids = {entry_id(*_named(place, uidvalidity, uid)): uid for uid in uids[first : first + PAGE]}
        known = await platform.stores.ledger.get_many(list(ids))
        found |= {ids[id_]: entry for id_, entry in known.items()}
    return found


def _named(place: Place, uidvalidity: int, uid: int) -> tuple[str, int, int, str]:
    return place.mailbox, uidvalidity, uid, place.folder


class Reconciler:
    """Reconciles one folder over one connection: at its start, and every `reconcile_seconds`."""

    def __init__(
        self,
        platform: Platform,
        settings: IngestSettings,
        place: Place,
        uidvalidity: int,
        mailbox: Mailbox,
        call: Call,
        memory: Memory,
    ) -> None:
        self._platform = platform
        self._settings = settings
        self._place = place
        self._uidvalidity = uidvalidity
        self._mailbox = mailbox
        self._call = call
        self._memory = memory
        self._first_time = True
        self._next: int | None = None
        self._until = 0
        self._lacking: dict[int, float] = {}

    @property
    def under_way(self) -> bool:
        """Whether there is more to look at now."""
        return self._next is not None

    async def step(self, up_to: int) -> list[int]:
        """One look at the mails with UIDs up to `up_to`; which of them to fetch again."""
        now = time.monotonic()
        if self._next is not None:
            await self._look(self._next, self._until, now)
        elif self._lacking:
            return await self._judged(now)
        elif self._due(now):
            # Not what is read from now on: it can hardly be in the ledger by the end of the walk.
            self._next, self._until = 1, up_to
        return []

    def _due(self, now: float) -> bool:
        last = self._memory.walked_at
        if last is None:
            return True
        return now - last >= (RESTED if self._first_time else self._settings.reconcile_seconds)

    async def _look(self, first: int, up_to: int, now: float) -> None:
        last = min(first + SPAN - 1, up_to)
        if first <= last:
            uids: list[int] = await self._call(self._mailbox.uids, first, last)
            known = await entries_of(self._platform, self._place, self._uidvalidity, uids)
            self._lacking |= {uid: now for uid in uids if uid not in known}
        self._next = last + 1 if last < up_to else None
        if self._next is None:
            self._first_time = False
            self._memory.walked_at = now
            if not self._lacking:
                self._tell(0)

    async def _judged(self, now: float) -> list[int]:
        """Once they had their time: those that are lacking still, and were not fetched again yet."""
        if now - max(self._lacking.values()) < self._settings.reconcile_grace:
            return []
        uids = sorted(self._lacking)
        self._lacking.clear()
        known = await entries_of(self._platform, self._place, self._uidvalidity, uids)
        missing = [uid for uid in uids if uid not in known]
        self._tell(len(missing))
        return [uid for uid in missing if (self._uidvalidity, uid) not in self._memory.fetched_again]

    def _tell(self, missing: int) -> None:
        metrics.MAIL_UNACCOUNTED.labels(self._place.label).set(missing)
        if missing:
            log.warning("mailbox.unaccounted", mailbox=self._place.label, mails=missing)
