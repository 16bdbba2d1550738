"""A mailbox against the ledger: what is there, what became of it, and what was missed."""

from pathlib import Path

import pytest

from services.ingest.mailboxes import reconcile, status
from services.sandbox.maildrop import deliver
from shared.domain.errors import NotFound
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
