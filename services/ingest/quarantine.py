"""The mails set aside: listed, shown, edited, and given back to intake once their reason is gone.

The original bytes are never changed: what a person makes of them is kept beside them and read instead.
"""

from services.ingest.handlers import RELEASED
from services.ingest.large_mail import LONGEST_HEAD, essentials, head_of, stand_in, unreadable
from services.ingest.publish import ToPublish, publish, trace_of
from shared.domain.errors import Conflict, Invalid, MoveNotAllowed
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import MailFetched, thread_key
from shared.ports.documents import Order, Page
from shared.runtime.service import Platform


async def quarantined(platform: Platform, limit: int = 50, after: str | None = None) -> Page[LedgerEntry]:
    """A page of them, the latest first. Raises `Invalid` for an `after` that is not ours."""
    wanted = {"outcome": Outcome.QUARANTINED.value}
    return await platform.stores.ledger.find(wanted, Order("at", descending=True), limit, after)


async def show(platform: Platform, entry: str, *, edited: bool = False) -> tuple[LedgerEntry, bytes]:
    """An entry and its raw mail, empty if it was never fetched. Raises `NotFound`.

    `edited`: as it was edited, if it was.
    """
    found = await platform.stores.ledger.get(entry)
    digest = (edited and found.edited) or found.digest
    return found, await platform.blobs.read(digest) if digest else b""


async def edit(platform: Platform, entry: str, data: bytes) -> LedgerEntry:
    """Keep `data` beside the original, to be read instead of it; edited again, the later one counts.

    Raises `NotFound`, `MoveNotAllowed`, `Invalid` as `retry` does, and `Conflict` when the mail was dealt
    with meanwhile.
    """
    found = await _waiting(platform, entry)
    changed = found.model_copy(update={"edited": await platform.blobs.put(data)})
    if changed.edited == found.digest:
        changed.edited = ""
    changed.touch()
    try:
        await platform.stores.ledger.save(changed, if_version=found.version)
    except Conflict as fault:
        raise Conflict(f"mail {entry} was dealt with meanwhile: look at it again") from fault
    return changed


async def retry(platform: Platform, entry: str) -> LedgerEntry:
    """Publish the mail again; intake replaces the entry, which stays until then, by what becomes of it.

    Raises `NotFound`, `MoveNotAllowed` for a mail that is not quarantined, and `Invalid` for one that was
    never fetched: that one is for `ombud mailbox reconcile`.
    """
    found = await _waiting(platform, entry)
    await _again(platform, found, found.edited or found.digest, None)
    return found


async def release(platform: Platform, entry: str) -> LedgerEntry:
    """Let the mail through although it cannot be read: its headers go on, and the raw mail for download.

    Raises as `retry` does.
    """
    found = await _waiting(platform, entry)
    head = essentials(head_of(await _beginning(platform, found.digest)))
    await _again(platform, found, found.digest, stand_in(head, unreadable(found.reason)))
    return found


async def _again(platform: Platform, found: LedgerEntry, digest: str, raw: bytes | None) -> None:
    """Publish it; `raw` is to be read in place of what lies in the blobs under `digest`."""
    fetched = MailFetched(
        mailbox=found.mailbox,
        folder=found.folder,
        uidvalidity=found.uidvalidity,
        uid=found.uid,
        digest=digest,
        received_at=found.fetched_at,
        fetched_at=found.fetched_at,
        traceparent=trace_of(found.digest),
        raw=raw,
        partial=found.partial,
    )
    key = thread_key(raw or await _beginning(platform, digest), digest)
    await publish(platform, [ToPublish(fetched, key, {RELEASED: str(found.version)})])


async def _beginning(platform: Platform, digest: str) -> bytes:
    """Enough of a mail to hold its headers, however large it is."""
    begins = b""
    async for piece in platform.blobs.stream(digest):
        if len(begins) < LONGEST_HEAD:
            begins += piece
    return begins[:LONGEST_HEAD]


async def _waiting(platform: Platform, entry: str) -> LedgerEntry:
    """The entry of a quarantined mail whose bytes we have."""
    found = await platform.stores.ledger.get(entry)
    if found.outcome is not Outcome.QUARANTINED:
        raise MoveNotAllowed(f"mail {entry} is {found.outcome.value}, not quarantined", allowed=[])
    if not found.digest:
        folder = f" --folder {found.folder}" if found.folder else ""
        raise Invalid(
            f"mail {entry} was never fetched: `ombud mailbox reconcile {found.mailbox}{folder} "
            f"--first {found.uid} --last {found.uid}` tries again"
        )
    return found
