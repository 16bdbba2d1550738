"""Handled mail on a real server: left, flagged, moved or deleted, once the ledger has it and never before."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path

import pytest
from imapclient import IMAPClient
from pydantic import ValidationError

from services.ingest.collect import Collector
from services.ingest.imap_clearing import Clearing
from services.ingest.mailboxes import open_mailbox
from services.ingest.ports import MailboxFailed, NotCleared
from services.ingest.settings import Limits
from services.sandbox.dovecot import Dovecot
from shared import metrics
from shared.domain.ledger import Outcome
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.helpers import eventually
from tests.servers.mailbox import ImapBox, settings_of
from tests.unit.ingest.collecting import QUICK, collecting, entries, read_up_to, take_all_in
from tests.unit.ingest.mails import SUPPORT, mail

pytestmark = pytest.mark.dovecot
HASTY = QUICK.model_copy(update={"clear_seconds": 0.05, "poll_seconds": 0.1})


def reading(
    platform: Platform, box: ImapBox, handled: str, limits: Limits | None = None
) -> AbstractAsyncContextManager[Collector]:
    """A collector at work on the mailbox, whose handled mail becomes `handled`."""
    own = HASTY if limits is None else HASTY.model_copy(update={"limits": limits})
    connect = partial(open_mailbox, "support", settings_of(box, handled=handled), own)
    return collecting(platform, Path("unused"), own, connect)


def put(box: ImapBox, *raws: bytes) -> None:
    with box.client() as client:
        for raw in raws:
            client.append("INBOX", raw)


def flags(box: ImapBox) -> dict[int, set[str]]:
    with box.client() as client:
        client.select_folder("INBOX", readonly=True)
        found = client.get_flags(client.search())
        return {uid: {flag.decode() for flag in flags} - {"\\Recent"} for uid, flags in found.items()}


def uids(box: ImapBox, folder: str = "INBOX") -> list[int]:
    with box.client() as client:
        if not client.folder_exists(folder):
            return []
        client.select_folder(folder, readonly=True)
        return list(client.search())


async def two_handled_one_set_aside(platform: Platform, box: ImapBox) -> None:
    """Mails 1 and 3 are ingested, mail 2 is quarantined, mail 4 is read but not in the ledger yet."""
    put(box, mail("1@x"), mail("2@x", headers={f"X-{n}": "x" for n in range(20)}), mail("3@x"))
    async with reading(platform, box, "leave"):
        await read_up_to(platform, 3)
    await take_all_in(platform, HASTY.model_copy(update={"limits": Limits(headers=10)}))
    assert [one.outcome for one in (await entries(platform)).values()].count(Outcome.QUARANTINED) == 1
    put(box, mail("4@x"))


@pytest.mark.parametrize(
    ("handled", "flag"), [("flag", "\\Seen"), ("flag:\\Flagged", "\\Flagged"), ("flag:Handled", "Handled")]
)
async def test_handled_mail_is_flagged_and_no_other(
    platform: Platform, dovecot: ImapBox, handled: str, flag: str
) -> None:
    await two_handled_one_set_aside(platform, dovecot)
    async with reading(platform, dovecot, handled):
        await read_up_to(platform, 4)
        await eventually(lambda: flags(dovecot) == {1: {flag}, 2: set(), 3: {flag}, 4: set()})
        await take_all_in(platform, HASTY.model_copy(update={"limits": Limits(headers=10)}))
        await eventually(lambda: flags(dovecot) == {1: {flag}, 2: set(), 3: {flag}, 4: {flag}})


async def test_handled_mail_is_moved_into_a_folder_that_is_made_when_it_is_missing(
    platform: Platform, dovecot: ImapBox
) -> None:
    await two_handled_one_set_aside(platform, dovecot)
    async with reading(platform, dovecot, "move:Done"):
        await read_up_to(platform, 4)
        await eventually(lambda: uids(dovecot) == [2, 4])

    assert len(uids(dovecot, "Done")) == 2


async def test_handled_mail_is_deleted_and_what_a_person_marked_as_deleted_is_not(
    platform: Platform, dovecot: ImapBox
) -> None:
    await two_handled_one_set_aside(platform, dovecot)
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([2])
    async with reading(platform, dovecot, "delete"):
        await read_up_to(platform, 4)
        await eventually(lambda: uids(dovecot) == [2, 4])


async def test_by_default_nothing_is_changed(platform: Platform, dovecot: ImapBox) -> None:
    put(dovecot, mail("1@x"))
    async with reading(platform, dovecot, "leave"):
        await read_up_to(platform, 1)
        await take_all_in(platform)
        put(dovecot, mail("2@x"))
        await read_up_to(platform, 2)

    assert flags(dovecot) == {1: set(), 2: set()}


async def test_a_mail_that_is_not_kept_whole_stays_on_its_server(
    platform: Platform, dovecot: ImapBox
) -> None:
    put(dovecot, mail("1@x", body="x" * 9000), mail("2@x"))
    async with reading(platform, dovecot, "delete", Limits(mail_bytes=2000, kept_bytes=4000)):
        await read_up_to(platform, 2)
        await take_all_in(platform)
        await eventually(lambda: uids(dovecot) == [1])
    entry = (await entries(platform))[1]

    assert (entry.outcome, entry.partial) == (Outcome.INGESTED, True)


async def test_a_refusal_is_counted_and_mail_is_read_on(platform: Platform, dovecot: ImapBox) -> None:
    failed = metrics.MAIL_CLEARED.labels("support", "failed")
    before = failed._value.get()
    put(dovecot, mail("1@x"))
    async with reading(platform, dovecot, "move:a//b") as collector:
        await read_up_to(platform, 1)
        await take_all_in(platform)
        await eventually(lambda: failed._value.get() > before + 1, awaited="tried again")
        put(dovecot, mail("2@x"))
        await read_up_to(platform, 2)
        await collector.ping()

    assert uids(dovecot) == [1, 2]


class OldDovecot(Dovecot):
    """A server that tells of no capabilities but these."""

    knows = "IMAP4rev1 IDLE"

    def _write_configuration(self) -> Path:
        path = super()._write_configuration()
        path.write_text(f"{path.read_text()}imap_capability = {self.knows}\n")
        return path


class WithUidplus(OldDovecot):
    knows = "IMAP4rev1 IDLE UIDPLUS"


@pytest.fixture
def old_box(tmp_path: Path, dovecot_server: Dovecot, request: pytest.FixtureRequest) -> Iterator[ImapBox]:
    server: Dovecot = request.param(tmp_path / "dovecot", users={})
    server.start()
    yield ImapBox.on(server)
    server.stop()


@pytest.mark.parametrize("old_box", [WithUidplus], indirect=True)
async def test_a_server_without_move_has_mail_copied_and_taken_out(
    platform: Platform, old_box: ImapBox
) -> None:
    await two_handled_one_set_aside(platform, old_box)
    async with reading(platform, old_box, "move:Done"):
        await eventually(lambda: uids(old_box) == [2, 4])

    assert len(uids(old_box, "Done")) == 2


@pytest.mark.parametrize("old_box", [OldDovecot], indirect=True)
@pytest.mark.parametrize("handled", ["move:Done", "delete"])
async def test_from_a_server_that_takes_out_no_single_mail_none_is_taken(
    platform: Platform, old_box: ImapBox, handled: str
) -> None:
    failed = metrics.MAIL_CLEARED.labels("support", "failed")
    before = failed._value.get()
    await two_handled_one_set_aside(platform, old_box)
    async with reading(platform, old_box, handled):
        await eventually(lambda: failed._value.get() > before)

    assert uids(old_box) == [1, 2, 3, 4]
    assert uids(old_box, "Done") == []


def test_under_another_uidvalidity_nothing_is_cleared(dovecot: ImapBox) -> None:
    """The folder is made anew between two commands: its UID 1 is another mail now."""
    with dovecot.client() as client:
        client.create_folder("Sales")
        client.append("Sales", mail("1@x"))
    settings = settings_of(dovecot, folder="Sales", handled="delete")
    mailbox = open_mailbox("support", settings, HASTY)
    mailbox.open()
    with dovecot.client() as client:
        made_anew(client, "Sales", mail("other@x"))
    with pytest.raises(MailboxFailed):
        mailbox.clear([1])
    mailbox.close()

    assert uids(dovecot, "Sales") == [1]


def made_anew(client: IMAPClient, folder: str, raw: bytes) -> None:
    before = client.folder_status(folder, ["UIDVALIDITY"])[b"UIDVALIDITY"]
    client.delete_folder(folder)
    client.create_folder(folder)
    client.append(folder, raw)
    assert client.folder_status(folder, ["UIDVALIDITY"])[b"UIDVALIDITY"] != before


@pytest.mark.parametrize(
    "wrong",
    [
        {"handled": "burn"},
        {"handled": "flag:a b"},
        {"handled": "move:"},
        {"handled": "move:INBOX"},
        {"handled": "move:Sales", "folders": ["INBOX", "Sales"]},
        {"handled": "delete", "maildir": "box"},
    ],
)
def test_what_cannot_be_done_with_handled_mail_is_refused_at_the_start(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="handled"):
        MailboxSettings.model_validate({"address": SUPPORT, "host": "imap.example.com", **wrong})


def test_a_flag_that_the_server_would_forget_is_not_set() -> None:
    """It would be found lacking, and set, again and again."""
    with pytest.raises(NotCleared, match="keeps no flag Handled"):
        Clearing("flag:Handled")._do(None, [1], (b"\\Seen", b"\\Flagged"))
