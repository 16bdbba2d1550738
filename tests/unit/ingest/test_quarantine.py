"""Mails set aside: shown whole, edited, let through, and set aside again when they still cannot be read."""

import asyncio
from pathlib import Path

import pytest

from services.ingest.settings import Limits
from services.sandbox.maildrop import deliver
from shared.domain.errors import Invalid, MoveNotAllowed
from shared.domain.ids import digest
from shared.domain.ledger import REMEMBERED_DEEDS, LedgerEntry, Outcome
from shared.runtime.quarantine import edit, quarantined, release, retry, show
from shared.runtime.service import Platform
from tests.unit.ingest.collecting import QUICK, collecting, read_up_to, take_all_in
from tests.unit.ingest.mails import RECEIVED, mail

STRICT = QUICK.model_copy(update={"limits": Limits(headers=10)})


async def quarantine_one(platform: Platform, folder: Path) -> LedgerEntry:
    """A mail that was fetched and could not be read, under limits that are raised later."""
    deliver(folder, mail(headers={f"X-{number}": "x" for number in range(20)}))
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    await take_all_in(platform, STRICT)
    (entry,) = (await quarantined(platform)).items
    return entry


async def test_a_quarantined_mail_is_shown_whole_and_taken_in_when_it_is_tried_again(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    shown, raw = await show(platform, entry.id)
    await retry(platform, entry.id, "operator")
    during = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)

    assert (shown.outcome, b"X-19: x" in raw) == (Outcome.QUARANTINED, True)
    assert during.outcome is Outcome.QUARANTINED
    assert (after.outcome, after.version) == (Outcome.INGESTED, entry.version + 2)
    assert (await quarantined(platform)).items == []


async def test_a_retry_heard_again_changes_nothing(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    await retry(platform, entry.id, "operator")
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)

    assert await platform.stores.ledger.get(entry.id) == after
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 1


async def test_a_mail_that_still_cannot_be_read_is_quarantined_again(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await retry(platform, entry.id, "operator")
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=12)}))
    (again,) = (await quarantined(platform)).items

    assert (again.id, again.version) == (entry.id, entry.version + 2)
    assert "headers=12" in again.reason


async def test_a_mail_that_was_never_fetched_is_not_tried_again_but_reconciled(
    platform: Platform, folder: Path
) -> None:
    (folder / "cur" / "1.not-a-file").mkdir()
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    (entry,) = (await quarantined(platform)).items

    with pytest.raises(Invalid, match="mailbox reconcile support --first 1 --last 1"):
        await retry(platform, entry.id, "operator")


async def test_an_edited_mail_is_read_as_edited_and_its_original_stays_the_raw_mail(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    _, original = await show(platform, entry.id)
    await edit(platform, entry.id, mail(subject="A first try"), "user:bo")
    await edit(platform, entry.id, mail(subject="Mended by hand"), "user:ada")
    _, shown = await show(platform, entry.id, edited=True)
    _, kept = await show(platform, entry.id)
    await retry(platform, entry.id, "operator")
    await take_all_in(platform, STRICT)
    after = await platform.stores.ledger.get(entry.id)
    message = await platform.stores.messages.get(str(after.document_id))

    assert (kept, shown) == (original, mail(subject="Mended by hand"))
    assert (after.outcome, after.digest, after.edited) == (Outcome.INGESTED, entry.digest, digest(shown))
    assert "edited by hand" in after.reason
    assert message.subject == "Mended by hand"
    assert await platform.blobs.read(after.digest) == original


async def test_an_edit_that_gives_back_the_original_is_none(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    _, original = await show(platform, entry.id)
    await edit(platform, entry.id, mail(subject="Wrong"), "operator")
    undone = await edit(platform, entry.id, original, "operator")

    assert undone.edited == ""


async def test_an_edited_mail_that_still_cannot_be_read_keeps_both(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    still_bad = mail(headers={f"Y-{number}": "y" for number in range(30)})
    await edit(platform, entry.id, still_bad, "operator")
    await retry(platform, entry.id, "operator")
    await take_all_in(platform, STRICT)
    (again,) = (await quarantined(platform)).items

    assert (again.digest, again.edited) == (entry.digest, digest(still_bad))


async def test_a_mail_is_let_through_unread_with_its_headers_and_its_raw_mail(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await release(platform, entry.id, "operator")
    await take_all_in(platform, STRICT)
    after = await platform.stores.ledger.get(entry.id)
    message = await platform.stores.messages.get(str(after.document_id))

    assert (after.outcome, after.digest) == (Outcome.INGESTED, entry.digest)
    assert message.subject == "The printer is on fire"
    assert "could not be read: it has 2" in message.text
    assert (await platform.blobs.read(message.raw)).endswith(b"Please help.\r\n")


async def test_what_is_not_in_quarantine_is_not_edited_tried_again_or_let_through(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await release(platform, entry.id, "operator")
    await take_all_in(platform, STRICT)

    deeds = (
        edit(platform, entry.id, b"x", "operator"),
        retry(platform, entry.id, "operator"),
        release(platform, entry.id, "operator"),
    )
    for deed in deeds:
        with pytest.raises(MoveNotAllowed, match="is ingested, not quarantined"):
            await deed


async def test_who_did_what_is_told_by_the_entry_also_when_the_mail_is_taken_in(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await edit(platform, entry.id, mail(subject="Mended by hand"), "user:ada")
    await edit(platform, entry.id, mail(subject="Mended by hand"), "user:bo")
    await retry(platform, entry.id, "operator")
    await take_all_in(platform, STRICT)
    after = await platform.stores.ledger.get(entry.id)

    assert [(one.what, one.by) for one in after.deeds] == [("edited", "user:ada"), ("retried", "operator")]


async def test_of_two_retries_at_once_the_mail_is_taken_in_once(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    await asyncio.gather(*(retry(platform, entry.id, f"user:{number}") for number in range(3)))
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)

    assert (after.outcome, len(after.deeds)) == (Outcome.INGESTED, 3)
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 1


async def test_an_edit_without_bytes_is_refused(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)

    with pytest.raises(Invalid, match="empty"):
        await edit(platform, entry.id, b"", "operator")
    assert (await platform.stores.ledger.get(entry.id)) == entry


def test_what_an_entry_remembers_of_deeds_has_an_end() -> None:
    entry = LedgerEntry(
        id="mail_1", mailbox="support", uidvalidity=1, uid=1, digest="", fingerprint="",
        outcome=Outcome.QUARANTINED, reason="odd", fetched_at=RECEIVED, at=RECEIVED,
    )  # fmt: skip
    for number in range(REMEMBERED_DEEDS + 5):
        entry.note("retried", f"user:{number}", RECEIVED)

    assert len(entry.deeds) == REMEMBERED_DEEDS
    assert entry.deeds[-1].by == f"user:{REMEMBERED_DEEDS + 4}"
