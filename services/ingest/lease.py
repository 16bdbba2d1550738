"""Who reads a mailbox: one process at a time, and another within `seconds` of its death.

A lease is a document with its end (`wake_at`). It is claimed when it has ended, prolonged well before it
ends, and ended at once when the process stops. A holder that finds the document saved by somebody else has
lost it.
"""

from datetime import timedelta

import structlog

from shared.domain.errors import Conflict, NotFound, Unavailable
from shared.domain.ids import derived
from shared.ports.clock import Clock
from shared.stores.collections import Lease
from shared.stores.store import Store

log = structlog.get_logger()


def lease_id(mailbox: str, folder: str = "") -> str:
    """One a folder; `folder` is empty for the mailbox's main one."""
    return derived("lea", "mailbox", mailbox, folder) if folder else derived("lea", "mailbox", mailbox)


class MailboxLease:
    """The lease of one folder of a mailbox, as one process sees it; `owner` names the process."""

    def __init__(
        self,
        leases: Store[Lease],
        clock: Clock,
        mailbox: str,
        owner: str,
        seconds: float,
        folder: str = "",
    ) -> None:
        self._id = lease_id(mailbox, folder)
        self._leases = leases
        self._clock = clock
        self._mailbox = mailbox
        self._owner = owner
        self._seconds = seconds
        self._held: Lease | None = None

    async def claim(self) -> bool:
        """Take the lease if it is free, or ours from before we were killed. Raises `Unavailable`.

        Should that other life of ours still go on, it finds the lease taken when it next saves.
        """
        id_ = self._id
        known = await self._leases.add(Lease(id=id_, wake_at=self._clock.now()))
        if known.owner == self._owner:
            return await self._take(known)
        claimed = await self._leases.collection.claim(
            self._clock.now(), lease=self._seconds, limit=1, where={"id": id_}
        )
        return await self._take(claimed[0]) if claimed else False

    async def _take(self, lease: Lease) -> bool:
        self._held = lease
        try:
            await self._save()
        except Conflict:
            self._held = None
            return False
        return True

    async def keep(self) -> None:
        """Prolong the lease again and again; return when it is lost."""
        last = self._clock.monotonic()
        while self._clock.monotonic() - last < self._seconds:
            await self._clock.sleep(self._seconds / 4)
            asked = self._clock.monotonic()
            try:
                await self._save()
            except (Conflict, NotFound):
                break
            except Unavailable as fault:
                log.warning("mailbox.lease_unsaved", mailbox=self._mailbox, reason=str(fault))
            else:
                last = asked
        self._held = None
        log.warning("mailbox.lease_lost", mailbox=self._mailbox)

    async def release(self) -> None:
        """End it now, if it is held, so that another process need not wait for its end."""
        if self._held is None:
            return
        try:
            await self._save(ends_now=True)
        except (Conflict, NotFound, Unavailable) as fault:
            log.info("mailbox.lease_left_to_end", mailbox=self._mailbox, reason=fault.code)
        self._held = None

    async def _save(self, ends_now: bool = False) -> None:
        """Raises `Conflict` when another process has taken it."""
        if self._held is None:
            raise Conflict(f"the lease of mailbox {self._mailbox} is not held")
        changed = self._held.model_copy()
        changed.owner = "" if ends_now else self._owner
        changed.wake_at = (
            self._clock.now() if ends_now else self._clock.now() + timedelta(seconds=self._seconds)
        )
        changed.touch()
        await self._leases.save(changed, if_version=self._held.version)
        self._held = changed
