"""The configured mailboxes: which adapter each needs, how they stand, and what reading them missed.

`reconcile` compares the mails on the server with the ledger and publishes what the ledger does not have. It
moves no cursor and may run beside the collecting process: a mail published twice is taken in once.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from services.ingest.batches import batches
from services.ingest.cursor import cursor_id
from services.ingest.imap_mailbox import ImapMailbox
from services.ingest.keeping import large
from services.ingest.lease import lease_id
from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.ports import Mailbox, MailboxFailed, Place, Waiting
from services.ingest.publish import to_publish
from services.ingest.reconcile import entries_of
from services.ingest.settings import IngestSettings
from shared.adapters.oauth import TokenSource
from shared.domain.errors import NotFound, Refused
from shared.domain.ledger import Outcome
from shared.runtime.mails import ToPublish, publish
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from shared.runtime.tokens import token_source

LOOKED_AT = 2000
"""Mails listed at a time."""
HIGHEST_UID = 2**32 - 1
"""See RFC 9051 §9."""
_UNACCOUNTED = "{} mails that were read are not in the ledger: intake is behind, or `ombud mailbox reconcile`"


@dataclass(frozen=True)
class ReconcileReport:
    """What `reconcile` found: mails listed, those the ledger lacked, those published, those not given."""

    mailbox: str
    uidvalidity: int
    on_server: int = 0
    missing: int = 0
    published: int = 0
    not_given: int = 0
    folder: str = ""


@dataclass(frozen=True)
class MailboxStatus:
    """How a folder of a mailbox stands; `folder` is empty for the main one.

    The server's side is None, and `error` says why, when it cannot be reached. `seen` mails were read in all;
    None: some of them before they were counted. Those of them that the ledger does not have are
    `unaccounted`, which is a `warning` when they had their time to get there.
    """

    mailbox: str
    uidvalidity: int | None
    highest_uid: int | None
    on_server: int | None
    cursor_uidvalidity: int
    cursor_uid: int
    outcomes: dict[str, int] = field(default_factory=dict)
    reader: str = ""
    error: str = ""
    folder: str = ""
    seen: int | None = None
    unaccounted: int = 0
    warning: str = ""


def place_of(name: str, mailbox: MailboxSettings, folder: str) -> Place:
    """How what is kept of this folder is named."""
    return Place(name, "" if folder == mailbox.folder else folder)


def tokens_of(name: str, mailbox: MailboxSettings) -> TokenSource | None:
    """Where the mailbox gets its tokens from, if it logs in with such; one for all its folders."""
    return token_source(f"mailbox {name}", f"OMBUD_MAILBOXES__{name.upper()}__OAUTH", mailbox.oauth)


def open_mailbox(
    name: str,
    mailbox: MailboxSettings,
    settings: IngestSettings,
    folder: str | None = None,
    tokens: TokenSource | None = None,
) -> Mailbox:
    """A folder of a mailbox, not connected yet; None: the main one. `tokens`: None for a source of its own.

    Raises `Refused` when the settings name no place to read.
    """
    folder = folder or mailbox.folder
    place = place_of(name, mailbox, folder)
    if mailbox.maildir is not None:
        within = mailbox.maildir / f".{place.folder.replace('/', '.')}" if place.folder else mailbox.maildir
        return MaildirMailbox(place.label, within)
    if not mailbox.host:
        variable = f"OMBUD_MAILBOXES__{name.upper()}"
        raise Refused(
            f"mailbox {name} has no place: set {variable}__HOST, or {variable}__MAILDIR for a folder"
        )
    tokens = tokens or tokens_of(name, mailbox)
    return ImapMailbox(name, mailbox, settings, folder=folder, tokens=tokens)


async def reconcile(
    platform: Platform,
    settings: IngestSettings,
    mailboxes: Mapping[str, MailboxSettings],
    name: str,
    first: int | None = None,
    last: int | None = None,
    folder: str | None = None,
) -> list[ReconcileReport]:
    """Publish every mail from UID `first` to `last` that the ledger lacks, or has as never fetched.

    In one folder of the mailbox, or in each that is read. Raises `NotFound` for a mailbox or folder that is
    not read, and `MailboxFailed`.
    """
    if name not in mailboxes:
        raise NotFound(f"there is no mailbox {name}; there are: {', '.join(sorted(mailboxes))}")
    box = mailboxes[name]
    if folder is not None and folder not in box.read_folders:
        raise NotFound(f"mailbox {name} reads no folder {folder}; it reads: {', '.join(box.read_folders)}")
    tokens = tokens_of(name, box)
    return [
        await _Hand(
            platform, settings, place_of(name, box, one), open_mailbox(name, box, settings, one, tokens)
        ).reconciled(first or 1, last or HIGHEST_UID)
        for one in ([folder] if folder is not None else box.read_folders)
    ]


class _Hand:
    """One folder, reconciled by hand."""

    def __init__(self, platform: Platform, settings: IngestSettings, place: Place, mailbox: Mailbox) -> None:
        self._platform = platform
        self._settings = settings
        self._place = place
        self._mailbox = mailbox
        self._report = ReconcileReport(place.mailbox, 0, folder=place.folder)

    async def reconciled(self, first: int, last: int) -> ReconcileReport:
        """See `reconcile`."""
        try:
            self._report = replace(self._report, uidvalidity=await asyncio.to_thread(self._mailbox.open))
            uids = await asyncio.to_thread(self._mailbox.uids, first, last)
            for begin in range(0, len(uids), LOOKED_AT):
                await self._page(uids[begin : begin + LOOKED_AT])
            return self._report
        finally:
            await asyncio.to_thread(self._mailbox.close)

    async def _page(self, uids: list[int]) -> None:
        report = self._report
        known = await entries_of(self._platform, self._place, report.uidvalidity, uids)
        missing = [uid for uid in uids if uid not in known or not known[uid].digest]
        there = await asyncio.to_thread(self._mailbox.sizes, missing) if missing else []
        published = 0
        for batch in batches(there, self._settings.batch, self._settings.batch_bytes):
            made = await self._fetched(batch)
            await publish(self._platform, made)
            published += len(made)
        self._report = replace(
            report,
            on_server=report.on_server + len(uids),
            missing=report.missing + len(missing),
            published=report.published + published,
            not_given=report.not_given + len(missing) - published,
        )

    async def _fetched(self, batch: list[Waiting]) -> list[ToPublish]:
        limits, uidvalidity, now = self._settings.limits, self._report.uidvalidity, self._platform.clock.now()
        fits = [mail.uid for mail in batch if mail.size <= limits.mail_bytes]
        mails = await asyncio.to_thread(self._mailbox.fetch, fits) if fits else []
        made = [to_publish(self._place, uidvalidity, mail, now) for mail in mails]
        for mail in batch:
            if mail.size > limits.mail_bytes:
                args = (self._platform, limits, self._place, uidvalidity, mail, self._mailbox)
                found = await large(*args, asyncio.to_thread)
                made += [found] if found else []
        return made


async def status(
    platform: Platform, settings: IngestSettings, mailboxes: Mapping[str, MailboxSettings]
) -> list[MailboxStatus]:
    """How each folder of each mailbox stands; one that cannot be reached says so."""
    asked = (_status(platform, settings, name, box) for name, box in mailboxes.items())
    return [one for statuses in await asyncio.gather(*asked) for one in statuses]


async def _status(
    platform: Platform, settings: IngestSettings, name: str, box: MailboxSettings
) -> list[MailboxStatus]:
    found, tokens = [], tokens_of(name, box)
    for folder in box.read_folders:
        known = await _known(platform, settings, place_of(name, box, folder))
        try:
            opened = open_mailbox(name, box, settings, folder, tokens)
            uidvalidity, count, highest = await asyncio.to_thread(_listed, opened)
        except (MailboxFailed, Refused) as fault:
            found.append(replace(known, error=str(fault)))
        else:
            found.append(replace(known, uidvalidity=uidvalidity, on_server=count, highest_uid=highest))
    return found


async def _known(platform: Platform, settings: IngestSettings, place: Place) -> MailboxStatus:
    """Our side of it."""
    stores, now = platform.stores, platform.clock.now()
    ids = cursor_id(*place), lease_id(*place)
    cursor = (await stores.cursors.get_many([ids[0]])).get(ids[0])
    lease = (await stores.leases.get_many([ids[1]])).get(ids[1])
    held = lease is not None and lease.wake_at is not None and lease.wake_at > now
    counted = await _outcomes(platform, place)
    seen = cursor.seen if cursor else 0
    missing = max(0, seen - sum(counted.values())) if seen is not None else 0
    settled = (
        cursor is None
        or cursor.moved_at is None
        or (now - cursor.moved_at > timedelta(seconds=settings.reconcile_grace))
    )
    return MailboxStatus(
        mailbox=place.mailbox,
        folder=place.folder,
        uidvalidity=None,
        highest_uid=None,
        on_server=None,
        cursor_uidvalidity=cursor.uidvalidity if cursor else 0,
        cursor_uid=cursor.uid if cursor else 0,
        outcomes=counted,
        reader=lease.owner if lease is not None and held else "",
        seen=seen,
        unaccounted=missing,
        warning=_UNACCOUNTED.format(missing) if missing and settled else "",
    )


def _listed(opened: Mailbox) -> tuple[int, int, int]:
    """UIDVALIDITY, the number of mails, and the highest UID."""
    try:
        uidvalidity = opened.open()
        uids = opened.uids(1, HIGHEST_UID)
        return uidvalidity, len(uids), max(uids, default=0)
    finally:
        opened.close()


async def _outcomes(platform: Platform, place: Place) -> dict[str, int]:
    """How many mails of the folder the ledger has, by outcome; from its index, however many there are."""
    # Entries from before there were several folders name none.
    folders = [place.folder] if place.folder else ["", None]
    asked = [(outcome.value, folder) for outcome in Outcome for folder in folders]
    found = await asyncio.gather(
        *(
            platform.stores.ledger.count({"mailbox": place.mailbox, "folder": folder, "outcome": outcome})
            for outcome, folder in asked
        )
    )
    counted = dict.fromkeys((outcome.value for outcome in Outcome), 0)
    for (outcome, _), number in zip(asked, found, strict=True):
        counted[outcome] += number
    return counted
