"""A mailbox against the ledger: what is there, what became of it, and what was missed."""

from pathlib import Path

import pytest

from services.ingest.cursor import cursor_id
from services.ingest.mailboxes import reconcile, status
from services.ingest.maildir_mailbox import UIDLIST
from services.ingest.settings import Limits
from services.sandbox.maildrop import deliver
from shared import metrics
from shared.domain.documents import Document
from shared.domain.errors import NotFound
from shared.ports.documents import Spec
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.unit.ingest.collecting import QUICK, collecting, entries, read_up_to, take_all_in
from tests.unit.ingest.mails import SUPPORT, mail


async def test_reconciling_publishes_what_the_ledger_lacks_and_only_that(
    platform: Platform, folder: Path
) -> None:
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    for number in range(6):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 6)
    await take_all_in(platform)
    for uid, entry in (await entries(platform)).items():
        if uid in (2, 5):
            await platform.stores.ledger.collection.delete(entry.id)
    (part,) = await reconcile(platform, QUICK, boxes, "support", first=1, last=3)
    (whole,) = await reconcile(platform, QUICK, boxes, "support")
    await take_all_in(platform)

    assert (part.on_server, part.missing, part.published) == (3, 1, 1)
    assert (whole.on_server, whole.missing, whole.published) == (6, 2, 2)
    assert sorted(await entries(platform)) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(NotFound, match="support"):
        await reconcile(platform, QUICK, boxes, "no-such")


async def test_the_status_of_a_mailbox_says_what_is_there_and_what_became_of_it(
    platform: Platform, folder: Path, tmp_path: Path
) -> None:
    for number in range(3):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 3)
        await take_all_in(platform)
        boxes = {
            "support": MailboxSettings(address=SUPPORT, maildir=folder),
            "broken": MailboxSettings(address=SUPPORT, maildir=tmp_path / "none"),
        }
        good, broken = await status(platform, QUICK, boxes)

    assert (good.on_server, good.highest_uid, good.cursor_uid, good.reader) == (3, 3, 3, "tester")
    assert good.outcomes == {"ingested": 3, "quarantined": 0, "ignored": 0}
    assert good.uidvalidity == good.cursor_uidvalidity
    assert (broken.on_server, "is no Maildir" in broken.error) == (None, True)


async def test_what_was_seen_adds_up_whatever_became_of_it(platform: Platform, folder: Path) -> None:
    for number in range(4):
        deliver(folder, mail(f"{number}@x"))
    deliver(folder, mail("bad@x", headers={f"X-{number}": "x" for number in range(20)}))
    (folder / "cur" / "1.not-a-file").mkdir()
    seen = metrics.MAIL_SEEN.labels("support")
    before = seen._value.get()
    async with collecting(platform, folder):
        await read_up_to(platform, 6)
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=10)}))
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    (found,) = await status(platform, QUICK, boxes)

    assert seen._value.get() - before == found.seen == sum(found.outcomes.values()) == 6
    assert found.outcomes == {"ingested": 4, "quarantined": 2, "ignored": 0}
    assert (found.unaccounted, found.warning) == (0, "")


class EntryBeforeFolders(Document):
    """A ledger entry as it was written when a mailbox had one folder."""

    mailbox: str
    outcome: str


async def test_entries_from_before_there_were_folders_are_of_the_main_one(
    platform: Platform, folder: Path
) -> None:
    old = Spec("ledger", EntryBeforeFolders)
    for number in range(3):
        entry = EntryBeforeFolders(id=f"mail_{number}", mailbox="support", outcome="ingested")
        await platform.documents.collection(old).insert(entry)
    (folder / ".Sales" / "cur").mkdir(parents=True)
    (folder / ".Sales" / "new").mkdir()
    box = MailboxSettings(address=SUPPORT, maildir=folder, folders=["INBOX", "Sales"])
    main, sales = await status(platform, QUICK, {"support": box})

    assert (main.outcomes["ingested"], sales.outcomes["ingested"]) == (3, 0)


async def test_what_does_not_add_up_is_a_warning_once_it_had_its_time(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, mail("one@x"))
    deliver(folder, mail("two@x"))
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    async with collecting(platform, folder):
        await read_up_to(platform, 2)
    (fresh,) = await status(platform, QUICK.model_copy(update={"reconcile_grace": 3600.0}), boxes)
    (settled,) = await status(platform, QUICK.model_copy(update={"reconcile_grace": 1e-6}), boxes)
    await take_all_in(platform)
    (after,) = await status(platform, QUICK.model_copy(update={"reconcile_grace": 1e-6}), boxes)

    assert (fresh.unaccounted, fresh.warning) == (2, "")
    assert "2 mails that were read are not in the ledger" in settled.warning
    assert (after.unaccounted, after.warning) == (0, "")


async def test_the_sum_holds_over_a_new_uidvalidity_and_a_cursor_that_never_counted_tells_none(
    platform: Platform, folder: Path
) -> None:
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    deliver(folder, mail("one@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    (folder / UIDLIST).unlink()
    deliver(folder, mail("two@x"))
    (folder / UIDLIST).write_text("ombud-uidlist-1 77\n")
    async with collecting(platform, folder):
        await read_up_to(platform, 2)
    await take_all_in(platform)
    (counted,) = await status(platform, QUICK, boxes)
    cursor = await platform.stores.cursors.get(cursor_id("support"))
    await platform.stores.cursors.save(
        cursor.model_copy(update={"seen": None, "version": cursor.version + 1}), if_version=cursor.version
    )
    async with collecting(platform, folder):
        deliver(folder, mail("three@x"))
        await read_up_to(platform, 3)
    (uncounted,) = await status(platform, QUICK.model_copy(update={"reconcile_grace": 1e-6}), boxes)

    assert (counted.seen, sum(counted.outcomes.values()), counted.warning) == (3, 3, "")
    assert (uncounted.seen, uncounted.warning) == (None, "")
