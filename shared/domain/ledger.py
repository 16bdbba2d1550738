"""The ledger: what became of each mail that a mailbox server showed us."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, Field

from shared.domain.documents import Document, Instant
from shared.domain.ids import derived

REMEMBERED_DEEDS = 50
"""How many deeds an entry keeps, the last ones."""


class Outcome(StrEnum):
    """Every mail seen has one of these."""

    INGESTED = "ingested"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


def entry_id(mailbox: str, uidvalidity: int, uid: int, folder: str = "") -> str:
    """The id of a mail's entry: one for each folder, UIDVALIDITY and UID (RFC 9051 §2.3.1.1).

    `folder` is empty for the mailbox's main one: two folders may have the same UIDVALIDITY and UIDs.
    """
    named = (mailbox, str(uidvalidity), str(uid))
    return derived("mail", *named, folder) if folder else derived("mail", *named)


class Deed(BaseModel):
    """What a person did to a mail that was set aside: `edited`, `retried`, `released`; `by` as `user:ada`."""

    what: str
    by: str
    at: Instant


class LedgerEntry(Document):
    """See the module. `digest` names the raw bytes in the blobs, `fingerprint` the mail without its trace
    headers: the same mail delivered twice has one fingerprint.

    `folder` is empty for the mailbox's main one. `partial`: the server has more of the mail than we keep.
    `edited` names the bytes that a person put beside the original to have them read instead; empty: none.
    `deeds`: what people did to it while it was set aside, the last one last.
    """

    mailbox: str
    folder: str = ""
    uidvalidity: int
    uid: int
    digest: str
    fingerprint: str
    message_id: str = ""
    outcome: Outcome
    reason: str
    ticket_id: str | None = None
    document_id: str | None = None
    partial: bool = False
    edited: str = ""
    deeds: list[Deed] = Field(default_factory=list)
    fetched_at: Instant
    at: Instant

    def note(self, what: str, by: str, at: datetime) -> None:
        """Remember that somebody did this to it."""
        self.deeds = [*self.deeds, Deed(what=what, by=by, at=at)][-REMEMBERED_DEEDS:]
        self.touch()

    def replace(self, before: "LedgerEntry") -> None:
        """Take the place of the entry that was there before; the original of an edited mail stays its raw."""
        self.version = before.version + 1
        self.deeds = before.deeds
        if before.edited and self.digest == before.edited:
            self.digest, self.edited = before.digest, before.edited
            self.reason = f"{self.reason}; its bytes were edited by hand".removeprefix("; ")

    @property
    def kept(self) -> bool:
        """Whether the mail is dealt with and every byte of it is kept: its server may let go of it."""
        return self.outcome is not Outcome.QUARANTINED and bool(self.digest) and not self.partial
