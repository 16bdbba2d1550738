"""The mails set aside: listed, shown, edited, and given back to intake once their reason is gone.

The command line and the API do it by these. The original bytes are never changed: what a person makes of them
is kept beside them and read instead. Who did what is noted in the ledger's entry (`deeds`).

On failure: `Unavailable` of the stores or the bus. A deed that is noted may then not have been done: doing it
again is harmless, for intake takes in once what it is given twice.
"""

from collections.abc import AsyncIterable

import structlog

from shared.domain.documents import as_kept
from shared.domain.errors import Invalid, MoveNotAllowed
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import RELEASED, MailFetched, thread_key, trace_of
from shared.domain.stand_in import LONGEST_HEAD, essentials, head_of, stand_in, unreadable
from shared.ports.documents import Filter, Order, Page
from shared.runtime.mails import ToPublish, publish
from shared.runtime.service import Platform

QUARANTINED: Filter = {"outcome": Outcome.QUARANTINED.value}
LATEST_FIRST = Order("at", descending=True)

log = structlog.get_logger()


async def quarantined(platform: Platform, limit: int = 50, after: str | None = None) -> Page[LedgerEntry]:
    """A page of them, the latest first. Raises `Invalid` for an `after` that is not ours."""
    return await platform.stores.ledger.find(QUARANTINED, LATEST_FIRST, limit, after)


async def show(platform: Platform, entry: str, *, edited: bool = False) -> tuple[LedgerEntry, bytes]:
    """An entry and its raw mail, empty if it was never fetched. Raises `NotFound`.

    `edited`: as it was edited, if it was.
    """
    found = await platform.stores.ledger.get(entry)
    digest = (edited and found.edited) or found.digest
    return found, await platform.blobs.read(digest) if digest else b""


async def edit(platform: Platform, entry: str, data: bytes | AsyncIterable[bytes], by: str) -> LedgerEntry:
    """Keep `data` beside the original, to be read instead of it; edited again, the later one counts.

    The original's own bytes take the edit back; the same bytes again change nothing. `by`: who does it, as
    `user:ada`. Raises `NotFound`, `MoveNotAllowed` and `Invalid` as `retry` does, and `Invalid` for no bytes.
    """
    _must_wait(await platform.stores.ledger.get(entry))
    blobs = platform.blobs
    digest = await (blobs.put(data) if isinstance(data, bytes) else blobs.put_stream(data))
    if not await blobs.size(digest):
        raise Invalid("the new bytes are empty: give the whole mail, headers and body")
    now = as_kept(platform.clock.now())

    def decide(found: LedgerEntry) -> None:
        _must_wait(found)
        edited = "" if digest == found.digest else digest
        if edited != found.edited:
            found.edited = edited
            found.note("edited", by, now)

    changed = await platform.stores.ledger.change(entry, decide)
    log.info("quarantine.asked", what="edited", entry=entry, by=by)
    return changed


async def retry(platform: Platform, entry: str, by: str) -> LedgerEntry:
    """Publish the mail again; intake replaces the entry, which stays until then, by what becomes of it.

    Raises `NotFound`, `MoveNotAllowed` for a mail that is not quarantined, and `Invalid` for one that was
    never fetched: that one is for `ombud mailbox reconcile`.
    """
    found = await _noted(platform, entry, "retried", by)
    await _again(platform, found, found.edited or found.digest, None)
    return found


async def release(platform: Platform, entry: str, by: str) -> LedgerEntry:
    """Let the mail through although it cannot be read: its headers go on, and the raw mail for download.

    Raises as `retry` does.
    """
    found = await _noted(platform, entry, "released", by)
    head = essentials(head_of(await _beginning(platform, found.digest)))
    await _again(platform, found, found.digest, stand_in(head, unreadable(found.reason)))
    return found


async def _noted(platform: Platform, entry: str, what: str, by: str) -> LedgerEntry:
    now = as_kept(platform.clock.now())

    def decide(found: LedgerEntry) -> None:
        _must_wait(found)
        found.note(what, by, now)

    noted = await platform.stores.ledger.change(entry, decide)
    log.info("quarantine.asked", what=what, entry=entry, by=by)
    return noted


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


def _must_wait(found: LedgerEntry) -> None:
    """Raise unless it is the entry of a quarantined mail whose bytes we have."""
    if found.outcome is not Outcome.QUARANTINED:
        raise MoveNotAllowed(f"mail {found.id} is {found.outcome.value}, not quarantined", allowed=[])
    if not found.digest:
        folder = f" --folder {found.folder}" if found.folder else ""
        raise Invalid(
            f"mail {found.id} was never fetched: `ombud mailbox reconcile {found.mailbox}{folder} "
            f"--first {found.uid} --last {found.uid}` tries again"
        )
