"""From a fetched mail to the bus; and what the ledger says of a mail that could not be fetched.

A mail too large to travel is put into the blobs first and travels by reference. What `publish` returned for
is durable. Publishing a mail again is harmless: intake finds its ledger entry.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.ingest.ports import Fetched, Place
from shared import metrics
from shared.domain.events import MAIL_TOPIC
from shared.domain.ids import digest
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.domain.mail_fetched import INLINE_LIMIT, MailFetched, thread_key
from shared.ports.bus import Message
from shared.runtime.service import Platform


@dataclass(frozen=True, slots=True)
class ToPublish:
    """A mail with its key on the bus; `headers` go beside those of the mail."""

    fetched: MailFetched
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)


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


def trace_of(named: str) -> str:
    """The W3C `traceparent` of a mail's way, which follows from its digest: a mail handled again has one."""
    return f"00-{named[:32]}-{named[32:48]}-01"


async def publish(platform: Platform, mails: Sequence[ToPublish]) -> None:
    """Publish all of them in one call."""
    if mails:
        messages = await asyncio.gather(*(_message(platform, mail) for mail in mails))
        await platform.bus.publish(messages)


async def _message(platform: Platform, mail: ToPublish) -> Message:
    fetched = mail.fetched
    if fetched.raw is not None and len(fetched.raw) > INLINE_LIMIT:
        await platform.blobs.put(fetched.raw)
        fetched = replace(fetched, raw=None)
    return Message(MAIL_TOPIC, mail.key, fetched.raw or b"", {**fetched.headers(), **mail.headers})


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
