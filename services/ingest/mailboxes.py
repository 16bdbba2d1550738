"""The configured mailboxes: which adapter each needs, how they stand, and what reading them missed.

`reconcile` compares the mails on the server with the ledger and publishes what the ledger does not have. It
moves no cursor and may run beside the collecting process: a mail published twice is taken in once.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from services.ingest.batches import batches
from services.ingest.cursor import cursor_id
from services.ingest.handlers import RELEASED
from services.ingest.imap_mailbox import ImapMailbox
from services.ingest.lease import lease_id
from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.ports import Mailbox, MailboxFailed, Waiting
from services.ingest.publish import ToPublish, publish, to_publish
from services.ingest.settings import IngestSettings
from shared.domain.errors import NotFound, Refused
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings

LOOKED_AT = 2000
"""Mails listed, and ledger entries read, at a time."""
HIGHEST_UID = 2**63 - 1


@dataclass(frozen=True)
class ReconcileReport:
    """What `reconcile` found: mails listed, those the ledger lacked, those published, those not given."""

    mailbox: str
    uidvalidity: int
    on_server: int = 0
    missing: int = 0
    published: int = 0
    not_given: int = 0


@dataclass(frozen=True)
class MailboxStatus:
    """How a mailbox stands. The server's side is None, and `error` says why, when it cannot be reached."""

    mailbox: str
    uidvalidity: int | None
    highest_uid: int | None
    on_server: int | None
    cursor_uidvalidity: int
    cursor_uid: int
    outcomes: dict[str, int] = field(default_factory=dict)
    reader: str = ""
    error: str = ""


def open_mailbox(name: str, mailbox: MailboxSettings, settings: IngestSettings) -> Mailbox:
    """A mailbox, not connected yet. Raises `Refused` when the settings name no place to read."""
    if mailbox.maildir is not None:
        return MaildirMailbox(name, mailbox.maildir)
    if not mailbox.host:
        variable = f"OMBUD_MAILBOXES__{name.upper()}"
        raise Refused(
            f"mailbox {name} has no place: set {variable}__HOST, or {variable}__MAILDIR for a folder"
        )
    return ImapMailbox(name, mailbox, settings)


async def reconcile(
    platform: Platform,
    settings: IngestSettings,
    mailboxes: Mapping[str, MailboxSettings],
    name: str,
    first: int | None = None,
    last: int | None = None,
) -> ReconcileReport:
    """Publish every mail from UID `first` to `last` that the ledger lacks, or has as never fetched.

    Raises `NotFound` for an unknown mailbox and `MailboxFailed`.
    """
    if name not in mailboxes:
        raise NotFound(f"there is no mailbox {name}; there are: {', '.join(sorted(mailboxes))}")
    mailbox = open_mailbox(name, mailboxes[name], settings)
    try:
        report = ReconcileReport(name, await asyncio.to_thread(mailbox.open))
        after = (first or 1) - 1
        while listed := await asyncio.to_thread(mailbox.new_uids, after, LOOKED_AT):
            after = listed[-1].uid
            wanted = [mail for mail in listed if mail.uid <= (last or HIGHEST_UID)]
            report = await _reconciled(platform, settings, mailbox, wanted, report)
            if len(wanted) < len(listed):
                break
        return report
    finally:
        await asyncio.to_thread(mailbox.close)


async def _reconciled(
    platform: Platform,
    settings: IngestSettings,
    mailbox: Mailbox,
    listed: list[Waiting],
    report: ReconcileReport,
) -> ReconcileReport:
    ids = {mail.uid: entry_id(report.mailbox, report.uidvalidity, mail.uid) for mail in listed}
    known = await platform.stores.ledger.get_many(list(ids.values()))
    missing = [mail for mail in listed if _lacks(known.get(ids[mail.uid]))]
    fits = [mail for mail in missing if mail.size <= settings.limits.mail_bytes]
    published = 0
    for batch in batches(fits, settings.batch, settings.batch_bytes):
        mails = await asyncio.to_thread(mailbox.fetch, [mail.uid for mail in batch])
        now = platform.clock.now()
        made = [to_publish(report.mailbox, report.uidvalidity, mail, now) for mail in mails]
        await publish(platform, [_replacing(one, known.get(one.fetched.entry)) for one in made])
        published += len(made)
    return replace(
        report,
        on_server=report.on_server + len(listed),
        missing=report.missing + len(missing),
        published=report.published + published,
        not_given=report.not_given + len(missing) - published,
    )


def _lacks(entry: LedgerEntry | None) -> bool:
    return entry is None or (entry.outcome is Outcome.QUARANTINED and not entry.digest)


def _replacing(mail: ToPublish, entry: LedgerEntry | None) -> ToPublish:
    return mail if entry is None else replace(mail, headers={RELEASED: str(entry.version)})


async def status(
    platform: Platform, settings: IngestSettings, mailboxes: Mapping[str, MailboxSettings]
) -> list[MailboxStatus]:
    """How each mailbox stands; one that cannot be reached says so."""
    return list(
        await asyncio.gather(*(_status(platform, settings, name, box) for name, box in mailboxes.items()))
    )


async def _status(
    platform: Platform, settings: IngestSettings, name: str, box: MailboxSettings
) -> MailboxStatus:
    stores = platform.stores
    cursor = (await stores.cursors.get_many([cursor_id(name)])).get(cursor_id(name))
    lease = (await stores.leases.get_many([lease_id(name)])).get(lease_id(name))
    held = lease is not None and lease.wake_at is not None and lease.wake_at > platform.clock.now()
    known = MailboxStatus(
        mailbox=name,
        uidvalidity=None,
        highest_uid=None,
        on_server=None,
        cursor_uidvalidity=cursor.uidvalidity if cursor else 0,
        cursor_uid=cursor.uid if cursor else 0,
        outcomes=await _outcomes(platform, name),
        reader=lease.owner if lease is not None and held else "",
    )
    try:
        uidvalidity, uids = await asyncio.to_thread(_listed, name, box, settings)
    except (MailboxFailed, Refused) as fault:
        return replace(known, error=str(fault))
    return replace(known, uidvalidity=uidvalidity, highest_uid=max(uids, default=0), on_server=len(uids))


def _listed(name: str, box: MailboxSettings, settings: IngestSettings) -> tuple[int, list[int]]:
    with _opened(open_mailbox(name, box, settings)) as (mailbox, uidvalidity):
        uids: list[int] = []
        while found := mailbox.new_uids(uids[-1] if uids else 0, LOOKED_AT):
            uids += [mail.uid for mail in found]
        return uidvalidity, uids


@contextmanager
def _opened(mailbox: Mailbox) -> Iterator[tuple[Mailbox, int]]:
    try:
        yield mailbox, mailbox.open()
    finally:
        mailbox.close()


async def _outcomes(platform: Platform, name: str) -> dict[str, int]:
    counted: Counter[str] = Counter({outcome.value: 0 for outcome in Outcome})
    after: str | None = None
    while True:
        page = await platform.stores.ledger.find({"mailbox": name}, limit=LOOKED_AT, after=after)
        counted.update(entry.outcome.value for entry in page.items)
        if page.after is None:
            return dict(counted)
        after = page.after
