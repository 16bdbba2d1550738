"""A mail over the limit is a ticket made of its headers; the whole of it is kept, up to a second limit."""

from functools import partial
from pathlib import Path

import pytest

from services.ingest.mailboxes import open_mailbox, reconcile
from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.parsing import parse
from services.ingest.ports import Place, Waiting
from services.ingest.publish import note_unfetched
from services.ingest.settings import IngestSettings, Limits
from services.sandbox.maildrop import deliver
from shared.domain.errors import NotFound
from shared.domain.ids import digest
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.messages import Message
from shared.domain.stand_in import essentials, head_of, stand_in
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.servers.mailbox import ImapBox, settings_of
from tests.unit.ingest.collecting import QUICK, collecting, entries, published, read_up_to, take_all_in
from tests.unit.ingest.mails import SUPPORT, answer, mail

MIB = 1024 * 1024
STRICT = QUICK.model_copy(update={"limits": Limits(mail_bytes=2000, kept_bytes=4 * MIB)})
LARGE = mail(
    "large@x",
    subject="My holiday",
    body="--b\r\n\r\n" + "äöü " * (MIB // 3) + "\r\n--b--\r\n",
    headers={"Content-Type": "multipart/mixed;\r\n boundary=b", "MIME-Version": "1.0", "X-Kept": "yes"},
)


async def only(platform: Platform) -> tuple[LedgerEntry, Message]:
    (entry,) = (await entries(platform)).values()
    assert entry.document_id is not None
    return entry, await platform.stores.messages.get(entry.document_id)


async def check_whole(platform: Platform) -> None:
    entry, message = await only(platform)

    assert (entry.outcome, entry.digest, entry.partial, entry.kept) == (
        Outcome.INGESTED, digest(LARGE), False, True,
    )  # fmt: skip
    assert (message.subject, message.message_id, message.raw) == ("My holiday", "large@x", digest(LARGE))
    assert "Only its headers were read" in message.text
    assert "The whole mail is kept" in message.text
    assert "äöü" not in message.text
    assert await platform.blobs.read(message.raw) == LARGE


async def test_a_large_mail_is_a_ticket_and_its_raw_mail_is_kept_byte_for_byte(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, LARGE)
    async with collecting(platform, folder, STRICT):
        await read_up_to(platform, 1)
    await take_all_in(platform, STRICT)
    await check_whole(platform)


@pytest.mark.dovecot
async def test_a_large_mail_is_streamed_from_a_real_server(platform: Platform, dovecot: ImapBox) -> None:
    with dovecot.client() as client:
        client.append("INBOX", LARGE)
    connect = partial(open_mailbox, "support", settings_of(dovecot), STRICT)
    async with collecting(platform, Path("unused"), STRICT, connect):
        await read_up_to(platform, 1)
    await take_all_in(platform, STRICT)
    await check_whole(platform)


async def test_a_mail_over_the_second_limit_is_a_ticket_that_says_where_it_is(
    platform: Platform, folder: Path
) -> None:
    own = QUICK.model_copy(update={"limits": Limits(mail_bytes=2000, kept_bytes=3000)})
    deliver(folder, LARGE)
    async with collecting(platform, folder, own):
        await read_up_to(platform, 1)
    await take_all_in(platform, own)
    entry, message = await only(platform)

    assert (entry.outcome, entry.partial, entry.kept) == (Outcome.INGESTED, True, False)
    assert "it is on its mail server alone" in message.text
    assert b"X-Kept: yes" in await platform.blobs.read(message.raw)
    with pytest.raises(NotFound):
        await platform.blobs.read(digest(LARGE))


class Understated(MaildirMailbox):
    """A server that tells sizes too small."""

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        return [Waiting(one.uid, min(one.size, 2500)) for one in super().new_uids(after, limit)]


async def test_a_size_that_a_server_understates_does_not_get_past_the_limit(
    platform: Platform, folder: Path
) -> None:
    own = QUICK.model_copy(update={"limits": Limits(mail_bytes=2000, kept_bytes=3000)})
    deliver(folder, LARGE)
    async with collecting(platform, folder, own, lambda: Understated("support", folder)):
        await read_up_to(platform, 1)
    await take_all_in(platform, own)
    entry, _ = await only(platform)

    assert entry.partial
    with pytest.raises(NotFound):
        await platform.blobs.read(digest(LARGE))


class Fleeting(MaildirMailbox):
    """A mailbox where somebody deletes a mail while it is fetched."""

    def piece(self, uid: int, start: int, most: int) -> bytes:
        found = super().piece(uid, start, most)
        for file in self._files.values():
            file.unlink(missing_ok=True)
        return found


async def test_of_a_mail_that_is_removed_while_it_is_fetched_no_part_is_taken_for_the_whole(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, LARGE)
    async with collecting(platform, folder, STRICT, lambda: Fleeting("support", folder)):
        await read_up_to(platform, 1)
    await take_all_in(platform, STRICT)
    entry, message = await only(platform)

    assert entry.partial
    assert await platform.blobs.read(message.raw) != LARGE


async def test_a_large_answer_joins_its_ticket_and_comes_between_its_neighbours(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, mail("one@x"))
    deliver(folder, answer("two@x", "one@x", body="x" * 3000))
    deliver(folder, answer("three@x", "two@x"))
    async with collecting(platform, folder, STRICT):
        await read_up_to(platform, 3)
    await take_all_in(platform, STRICT)

    assert [one.uid for one in await published(platform)] == [1, 2, 3]
    assert len((await platform.stores.tickets.find({}, limit=9)).items) == 1


async def test_a_large_mail_that_comes_twice_is_one_message(platform: Platform, folder: Path) -> None:
    deliver(folder, b"Received: one\r\n" + LARGE)
    deliver(folder, b"Received: another, longer\r\n" + LARGE)
    async with collecting(platform, folder, STRICT):
        await read_up_to(platform, 2)
    await take_all_in(platform, STRICT)

    assert len((await platform.stores.messages.find({}, limit=9)).items) == 1
    assert len(await entries(platform)) == 2


async def test_one_that_was_never_fetched_is_taken_in_by_reconcile(platform: Platform, folder: Path) -> None:
    deliver(folder, LARGE)
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    uidvalidity = MaildirMailbox("support", folder).open()
    await note_unfetched(platform, Place("support"), uidvalidity, 1, Outcome.QUARANTINED, "not given")
    (report,) = await reconcile(platform, STRICT, boxes, "support")
    await take_all_in(platform, STRICT)

    assert (report.missing, report.published, report.not_given) == (1, 1, 0)
    await check_whole(platform)


async def test_a_note_that_a_mail_was_not_fetched_gives_way_to_the_mail(
    platform: Platform, folder: Path
) -> None:
    """A process died between bus and cursor, the next found the mail gone: it is on its way all the same."""
    deliver(folder, mail("one@x"))
    async with collecting(platform, folder, QUICK):
        await read_up_to(platform, 1)
    (fetched,) = await published(platform)
    await note_unfetched(
        platform, Place("support"), fetched.uidvalidity, 1, Outcome.IGNORED, "it was removed"
    )
    await take_all_in(platform)
    (entry,) = (await entries(platform)).values()
    await take_all_in(platform)

    assert (entry.outcome, entry.version) == (Outcome.INGESTED, 2)
    assert (await entries(platform))[1] == entry


def test_a_head_is_cut_at_its_end_or_at_a_whole_line() -> None:
    assert head_of(b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n") == b"A: 1\r\nB: 2"
    assert head_of(b"A: 1\nB: 2\n\nC: 3\n") == b"A: 1\nB: 2"
    assert head_of(b"A: 1\r\nB: 2\r\nC: hal") == b"A: 1\r\nB: 2"
    assert head_of(b"") == b""


@pytest.mark.parametrize("head", [b"", b"no field", b"Subject: \xff\xfe", b"Content-Type: text/html\r\n x"])
def test_whatever_the_head_the_stand_in_is_a_mail_with_the_notice_as_its_text(head: bytes) -> None:
    read = parse(stand_in(head, "left out"))

    assert "[left out]" in read.text
    assert read.content_type == "text/plain"


def test_of_a_head_without_end_the_essential_fields_are_left() -> None:
    head = b"\r\n".join([b"X: y"] * 5000 + [b"From: ada@x", b"Subject: a\r\n b", b"Subject: two"])
    read = parse(stand_in(essentials(head), "left out"))

    assert (read.subject, read.sender and read.sender.address) == ("a b", "ada@x")


def test_the_limits_are_settings() -> None:
    assert IngestSettings().limits.mail_bytes < IngestSettings().limits.kept_bytes
