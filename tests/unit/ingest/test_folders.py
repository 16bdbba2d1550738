"""Several folders of one mailbox: each is read by itself, and no mail is taken for one of another folder."""

from contextlib import AsyncExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from services.ingest.mailboxes import open_mailbox, reconcile, status
from services.ingest.maildir_mailbox import UIDLIST
from services.ingest.ports import MailboxFailed
from services.ingest.service import build
from services.sandbox.maildrop import deliver, make_maildir
from shared.domain.errors import NotFound
from shared.domain.ledger import entry_id
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.servers.mailbox import ImapBox, settings_of
from tests.unit.ingest.collecting import QUICK, collecting, published, read_up_to, take_all_in
from tests.unit.ingest.mails import SUPPORT, mail


def box_of(folder: Path, *folders: str) -> MailboxSettings:
    return MailboxSettings(address=SUPPORT, maildir=folder, folders=list(folders))


def with_the_same_uidvalidity(folder: Path) -> Path:
    """A folder Sales beside the main one, whose UIDs begin anew under the same UIDVALIDITY."""
    sales = make_maildir(folder / ".Sales")
    for one in (folder, sales):
        (one / UIDLIST).write_text("ombud-uidlist-1 7\n")
    return sales


def test_the_ids_of_the_main_folder_are_what_they_were_before_there_were_others() -> None:
    assert entry_id("support", 7, 1) == "mail_f2ccedaeaddf6a8bdf0f647d8f"
    assert len({entry_id("support", 7, 1, folder) for folder in ("", "Sales", "Sales/Old")}) == 3


async def test_two_folders_with_the_same_uidvalidity_and_uids_are_both_taken_in(
    platform: Platform, folder: Path
) -> None:
    sales = with_the_same_uidvalidity(folder)
    for number in range(3):
        deliver(folder, mail(f"{number}@main"))
        deliver(sales, mail(f"{number}@sales"))
    async with collecting(platform, folder), collecting(platform, sales, named="Sales"):
        await read_up_to(platform, 3)
        await read_up_to(platform, 3, "Sales")
    await take_all_in(platform)
    entries = (await platform.stores.ledger.find({}, limit=100)).items

    assert sorted((one.folder, one.uid) for one in await published(platform)) == sorted(
        (name, uid) for name in ("", "Sales") for uid in (1, 2, 3)
    )
    assert sorted((one.folder, one.uidvalidity, one.uid) for one in entries) == [
        *(("", 7, uid) for uid in (1, 2, 3)),
        *(("Sales", 7, uid) for uid in (1, 2, 3)),
    ]
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 6


async def test_status_and_reconcile_know_each_folder(platform: Platform, folder: Path) -> None:
    sales = with_the_same_uidvalidity(folder)
    deliver(folder, mail("one@x"))
    deliver(sales, mail("two@x"))
    deliver(sales, mail("three@x"))
    boxes = {"support": box_of(folder, "INBOX", "Sales")}
    reports = await reconcile(platform, QUICK, boxes, "support")
    await take_all_in(platform)
    (only,) = await reconcile(platform, QUICK, boxes, "support", folder="Sales")
    main, other = await status(platform, QUICK, boxes)

    assert [(one.folder, one.on_server, one.published) for one in reports] == [("", 1, 1), ("Sales", 2, 2)]
    assert (only.folder, only.on_server, only.missing) == ("Sales", 2, 0)
    assert (main.folder, main.on_server, main.outcomes["ingested"]) == ("", 1, 1)
    assert (other.folder, other.on_server, other.outcomes["ingested"]) == ("Sales", 2, 2)
    with pytest.raises(NotFound, match="reads no folder Spam; it reads: INBOX, Sales"):
        await reconcile(platform, QUICK, boxes, "support", folder="Spam")


async def test_a_service_reads_each_folder_and_names_it_in_readiness(
    platform: Platform, folder: Path
) -> None:
    with_the_same_uidvalidity(folder)
    settings = SimpleNamespace(ingest=QUICK, mailboxes={"support": box_of(folder, "Sales", "INBOX")})
    async with AsyncExitStack() as stack:
        service = await build(platform, settings, stack)

    assert set(service.pings) == {"mailbox support", "mailbox support/Sales"}


@pytest.mark.dovecot
def test_a_folder_of_a_server_is_opened_by_its_name_also_beyond_ascii(dovecot: ImapBox) -> None:
    with dovecot.client() as client:
        client.create_folder("Verkäufe.Alt")
        client.append("Verkäufe.Alt", mail("old@x"))
    settings = settings_of(dovecot, folders=["INBOX", "Verkäufe.Alt", "Nowhere"])
    main = open_mailbox("support", settings, QUICK, "INBOX")
    old = open_mailbox("support", settings, QUICK, "Verkäufe.Alt")
    for mailbox in (main, old):
        mailbox.open()
    listed = [len(mailbox.new_uids(0, 10)) for mailbox in (main, old)]
    for mailbox in (main, old):
        mailbox.close()
    nowhere = open_mailbox("support", settings, QUICK, "Nowhere")
    with pytest.raises(MailboxFailed, match="mailbox support/Nowhere"):
        nowhere.open()
    nowhere.close()

    assert listed == [0, 1]
