"""How far a mailbox was read, kept so that of two processes only the later one moves it on.

Taking the cursor saves it, so a process that read before and still believes it may gets `Conflict` at its
next move. Under another UIDVALIDITY the old UIDs mean nothing: reading begins anew, and what was taken in
before is known by its fingerprint.
"""

from datetime import datetime

import structlog

from shared import metrics
from shared.domain.ids import derived
from shared.stores.collections import Cursor
from shared.stores.store import Store

log = structlog.get_logger()


def cursor_id(mailbox: str, folder: str = "") -> str:
    """One a folder; `folder` is empty for the mailbox's main one."""
    return derived("cur", mailbox, folder) if folder else derived("cur", mailbox)


class MailboxCursor:
    """A mailbox's cursor in the hands of one reader. Made by `take`."""

    def __init__(self, cursors: Store[Cursor], cursor: Cursor) -> None:
        self._cursors = cursors
        self._cursor = cursor

    @classmethod
    async def take(
        cls, cursors: Store[Cursor], mailbox: str, uidvalidity: int, folder: str = ""
    ) -> "MailboxCursor":
        """Read it and shut out whoever read it before. Raises `Conflict` and `Unavailable`."""
        new = Cursor(id=cursor_id(mailbox, folder), uidvalidity=uidvalidity, seen=0)
        stored = await cursors.add(new)
        taken = cls(cursors, stored)
        if stored.uidvalidity == uidvalidity:
            await taken._save()
            return taken
        metrics.MAILBOX_FAILURES.labels(mailbox, "uidvalidity").inc()
        log.warning(
            "mailbox.uidvalidity_changed",
            mailbox=mailbox,
            folder=folder,
            before=stored.uidvalidity,
            now=uidvalidity,
        )
        await taken._save(uid=0, uidvalidity=uidvalidity)
        return taken

    @property
    def uid(self) -> int:
        """Every mail up to this UID is on the bus or in the ledger."""
        return self._cursor.uid

    async def move(self, uid: int, mails: int, at: datetime) -> None:
        """Note that all up to `uid` are, which are so many `mails` more than before.

        Raises `Conflict` when another process reads the mailbox now.
        """
        seen = self._cursor.seen
        await self._save(uid=uid, seen=None if seen is None else seen + mails, moved_at=at)

    async def _save(self, **changes: object) -> None:
        changed = self._cursor.model_copy(update=changes)
        changed.touch()
        await self._cursors.save(changed, if_version=self._cursor.version)
        self._cursor = changed
