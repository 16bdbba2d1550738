"""The ledger: what became of each mail that a mailbox server showed us."""

from enum import StrEnum

from shared.domain.documents import Document, Instant
from shared.domain.ids import derived


class Outcome(StrEnum):
    """Every mail seen has one of these."""

    INGESTED = "ingested"
    QUARANTINED = "quarantined"
    IGNORED = "ignored"


def entry_id(mailbox: str, uidvalidity: int, uid: int) -> str:
    """The id of a mail's entry: one for each mailbox, UIDVALIDITY and UID (RFC 9051 §2.3.1.1)."""
    return derived("mail", mailbox, str(uidvalidity), str(uid))


class LedgerEntry(Document):
    """See the module. `digest` names the raw bytes in the blobs, `fingerprint` the mail without its trace
    headers: the same mail delivered twice has one fingerprint."""

    mailbox: str
    uidvalidity: int
    uid: int
    digest: str
    fingerprint: str
    message_id: str = ""
    outcome: Outcome
    reason: str
    ticket_id: str | None = None
    document_id: str | None = None
    fetched_at: Instant
    at: Instant
