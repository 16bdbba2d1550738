"""Mails set aside: shown whole, released, and set aside again when they still cannot be read."""

from pathlib import Path

import pytest

from services.ingest.quarantine import quarantined, retry, show
from services.ingest.settings import Limits
from services.sandbox.maildrop import deliver
from shared.domain.errors import Invalid
from shared.domain.ledger import LedgerEntry, Outcome
from shared.runtime.service import Platform
from tests.unit.ingest.collecting import QUICK, collecting, read_up_to, take_all_in
from tests.unit.ingest.mails import mail


async def quarantine_one(platform: Platform, folder: Path) -> LedgerEntry:
    """A mail that was fetched and could not be read, under limits that are raised later."""
    deliver(folder, mail(headers={f"X-{number}": "x" for number in range(20)}))
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=10)}))
    (entry,) = (await quarantined(platform)).items
    return entry


async def test_a_quarantined_mail_is_shown_whole_and_taken_in_when_it_is_tried_again(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    shown, raw = await show(platform, entry.id)
    await retry(platform, entry.id)
    during = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)

    assert (shown.outcome, b"X-19: x" in raw) == (Outcome.QUARANTINED, True)
    assert during.outcome is Outcome.QUARANTINED
    assert (after.outcome, after.version) == (Outcome.INGESTED, entry.version + 1)
    assert (await quarantined(platform)).items == []


async def test_a_retry_heard_again_changes_nothing(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    await retry(platform, entry.id)
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)

    assert await platform.stores.ledger.get(entry.id) == after
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 1


async def test_a_mail_that_still_cannot_be_read_is_quarantined_again(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await retry(platform, entry.id)
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=12)}))
    (again,) = (await quarantined(platform)).items

    assert (again.id, again.version) == (entry.id, entry.version + 1)
    assert "headers=12" in again.reason


async def test_a_mail_that_was_never_fetched_is_not_tried_again_but_reconciled(
    platform: Platform, folder: Path
) -> None:
    (folder / "cur" / "1.not-a-file").mkdir()
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    (entry,) = (await quarantined(platform)).items

    with pytest.raises(Invalid, match="mailbox reconcile support --first 1 --last 1"):
        await retry(platform, entry.id)
