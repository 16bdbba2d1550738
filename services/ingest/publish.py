"""From a fetched mail to what is published of it; what the ledger says of one that could not be fetched.

Publishing itself is shared/runtime/mails.py.
"""

from datetime import datetime

from services.ingest.ports import Fetched, Place
from shared import metrics
from shared.domain.ids import digest
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.domain.mail_fetched import MailFetched, thread_key, trace_of
from shared.runtime.mails import ToPublish
from shared.runtime.service import Platform


def to_publish(place: Place, uidvalidity: int, mail: Fetched, now: datetime) -> ToPublish:
    """The event of a mail fetched at `now`. It hashes the mail: not for the event loop."""
    named = digest(mail.raw)
    fetched = MailFetched(
        mailbox=place.mailbox,
        folder=place.folder,
        uidvalidity=uidvalidity,
        uid=mail.uid,
        digest=named,
        received_at=mail.received_at or now,
        fetched_at=now,
        traceparent=trace_of(named),
        raw=mail.raw,
    )
    return ToPublish(fetched, thread_key(mail.raw, named))


async def note_unfetched(
    platform: Platform, place: Place, uidvalidity: int, uid: int, outcome: Outcome, reason: str
) -> None:
    """Write into the ledger that a mail was seen but not fetched, and why; its digest stays empty.

    Should the mail be on its way to intake all the same, this entry gives way to it.
    """
    now = platform.clock.now()
    entry = LedgerEntry(
        id=entry_id(place.mailbox, uidvalidity, uid, place.folder),
        mailbox=place.mailbox,
        folder=place.folder,
        uidvalidity=uidvalidity,
        uid=uid,
        digest="",
        fingerprint="",
        outcome=outcome,
        reason=reason,
        fetched_at=now,
        at=now,
    )
    if await platform.stores.ledger.add(entry) is entry:
        metrics.MAIL_OUTCOMES.labels(place.mailbox, outcome.value).inc()
