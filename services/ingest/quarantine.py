"""The mails set aside: listed, shown, and given back to intake once their reason is gone."""

from services.ingest.handlers import RELEASED
from services.ingest.publish import ToPublish, publish, trace_of
from shared.domain.errors import Invalid, MoveNotAllowed
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import MailFetched, thread_key
from shared.ports.documents import Order, Page
from shared.runtime.service import Platform


async def quarantined(platform: Platform, limit: int = 50, after: str | None = None) -> Page[LedgerEntry]:
    """A page of them, the latest first. Raises `Invalid` for an `after` that is not ours."""
    wanted = {"outcome": Outcome.QUARANTINED.value}
    return await platform.stores.ledger.find(wanted, Order("at", descending=True), limit, after)


async def show(platform: Platform, entry: str) -> tuple[LedgerEntry, bytes]:
    """An entry and its raw mail, empty if it was never fetched. Raises `NotFound`."""
    found = await platform.stores.ledger.get(entry)
    return found, await platform.blobs.read(found.digest) if found.digest else b""


async def release(platform: Platform, entry: str) -> LedgerEntry:
    """Publish the mail again; intake replaces the entry, which stays until then, by what becomes of it.

    Raises `NotFound`, `MoveNotAllowed` for a mail that is not quarantined, and `Invalid` for one that was
    never fetched: that one is for `ombud mailbox reconcile`.
    """
    found, raw = await show(platform, entry)
    if found.outcome is not Outcome.QUARANTINED:
        raise MoveNotAllowed(f"mail {entry} is {found.outcome.value}, not quarantined", allowed=[])
    if not found.digest:
        raise Invalid(
            f"mail {entry} was never fetched: `ombud mailbox reconcile {found.mailbox} "
            f"--first {found.uid} --last {found.uid}` tries again"
        )
    fetched = MailFetched(
        mailbox=found.mailbox,
        uidvalidity=found.uidvalidity,
        uid=found.uid,
        digest=found.digest,
        received_at=found.fetched_at,
        fetched_at=found.fetched_at,
        traceparent=trace_of(found.digest),
        raw=None,
    )
    await publish(
        platform, [ToPublish(fetched, thread_key(raw, found.digest), {RELEASED: str(found.version)})]
    )
    return found
