"""A mailbox that is a folder."""

import os
import threading
import time
from pathlib import Path

import pytest

from services.ingest.maildir_mailbox import UIDLIST, MaildirMailbox
from services.ingest.ports import MailboxFailed
from services.sandbox.maildrop import deliver, make_maildir
from tests.helpers import eventually_sync


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_maildir(tmp_path / "box")


def opened(folder: Path) -> MaildirMailbox:
    mailbox = MaildirMailbox("support", folder)
    mailbox.open()
    return mailbox


def uids(mailbox: MaildirMailbox, after: int = 0, limit: int = 100) -> list[int]:
    return [mail.uid for mail in mailbox.new_uids(after, limit)]


def test_mails_are_found_in_the_order_of_delivery_and_given_whole(folder: Path) -> None:
    for number in range(3):
        deliver(folder, b"mail %d" % number)
    mailbox = opened(folder)
    found = mailbox.new_uids(0, 100)

    assert [(mail.uid, mail.size) for mail in found] == [(1, 6), (2, 6), (3, 6)]
    assert [mail.raw for mail in mailbox.fetch([3, 1])] == [b"mail 2", b"mail 0"]


def test_only_mails_above_the_asked_uid_are_new_and_no_more_than_asked_for(folder: Path) -> None:
    for number in range(5):
        deliver(folder, b"mail %d" % number)

    assert uids(opened(folder), after=2, limit=2) == [3, 4]
    assert uids(opened(folder), after=5) == []


def test_a_uid_names_the_same_mail_after_a_restart_and_when_its_flags_change(folder: Path) -> None:
    first, second = deliver(folder, b"one"), deliver(folder, b"two")
    uidvalidity = MaildirMailbox("support", folder).open()
    assert uids(opened(folder)) == [1, 2]
    first.rename(folder / "cur" / f"{first.name}:2,S")
    second.unlink()
    deliver(folder, b"three")
    again = MaildirMailbox("support", folder)

    assert again.open() == uidvalidity
    assert uids(again) == [1, 3]
    assert [mail.raw for mail in again.fetch([1, 2, 3])] == [b"one", b"three"]


def test_a_mail_whose_flags_change_between_listing_and_fetching_is_given(folder: Path) -> None:
    file = deliver(folder, b"one")
    mailbox = opened(folder)
    assert uids(mailbox) == [1]
    file.rename(folder / "cur" / f"{file.name}:2,S")

    assert [mail.raw for mail in mailbox.fetch([1])] == [b"one"]


def test_nothing_is_moved_or_changed(folder: Path) -> None:
    file = deliver(folder, b"one")
    before = file.stat()
    mailbox = opened(folder)
    mailbox.fetch(uids(mailbox))
    after = file.stat()

    assert (after.st_mtime_ns, after.st_size, after.st_ino) == (
        before.st_mtime_ns,
        before.st_size,
        before.st_ino,
    )


def test_a_mail_is_received_when_its_file_was_written(folder: Path) -> None:
    os.utime(deliver(folder, b"one"), (1_000_000_000, 1_000_000_000))
    mailbox = opened(folder)
    (mail,) = mailbox.fetch(uids(mailbox))

    assert mail.received_at is not None
    assert mail.received_at.timestamp() == 1_000_000_000


def test_a_line_that_a_crash_cut_short_is_taken_away_and_its_uid_is_free(folder: Path) -> None:
    deliver(folder, b"one")
    assert uids(opened(folder)) == [1]
    with (folder / UIDLIST).open("a") as file:
        file.write("2 half-a-na")
    deliver(folder, b"two")
    mailbox = opened(folder)

    assert uids(mailbox) == [1, 2]
    assert mailbox.fetch([2])[0].raw == b"two"


def test_two_readers_at_once_give_a_mail_one_uid(folder: Path) -> None:
    """One that has lost its lease and does not know it yet reads beside its heir for a moment."""
    first, second = opened(folder), opened(folder)
    for number in range(20):
        deliver(folder, b"mail %d" % number)
        (first if number % 2 else second).new_uids(0, 100)
    heir = opened(folder)

    assert uids(first) == uids(second) == uids(heir) == list(range(1, 21))
    assert first.fetch(range(1, 21)) == second.fetch(range(1, 21)) == heir.fetch(range(1, 21))


def test_a_list_that_is_deleted_meanwhile_ends_the_connection(folder: Path) -> None:
    mailbox = opened(folder)
    (folder / UIDLIST).unlink()
    deliver(folder, b"one")

    with pytest.raises(MailboxFailed):
        mailbox.new_uids(0, 100)


def test_without_its_list_the_mailbox_begins_anew_under_another_uidvalidity(folder: Path) -> None:
    deliver(folder, b"one")
    before = MaildirMailbox("support", folder).open()
    (folder / UIDLIST).unlink()
    eventually_sync(lambda: int(time.time()) > before)

    assert MaildirMailbox("support", folder).open() > before


def test_what_is_no_mail_file_is_listed_but_not_given(folder: Path) -> None:
    """One such file must not stop the mailbox."""
    (folder / "cur" / "123.folder").mkdir()
    deliver(folder, b"one")
    mailbox = opened(folder)
    listed = uids(mailbox)

    assert [mail.raw for mail in mailbox.fetch(listed)] == [b"one"]
    assert [mailbox.exists(uid) for uid in [*listed, 99]] == [True, True, False]


def test_a_folder_that_is_no_maildir_fails_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(MailboxFailed, match="is no Maildir"):
        MaildirMailbox("support", tmp_path).open()


def test_a_list_of_another_format_fails_and_says_what_to_do(folder: Path) -> None:
    (folder / UIDLIST).write_text("ombud-uidlist-99 1\n")

    with pytest.raises(MailboxFailed, match="delete the file"):
        MaildirMailbox("support", folder).open()


def waiting(mailbox: MaildirMailbox) -> threading.Thread:
    thread = threading.Thread(target=mailbox.wait, args=[60.0])
    thread.start()
    return thread


def test_waiting_ends_when_a_mail_comes(folder: Path) -> None:
    mailbox = opened(folder)
    thread = waiting(mailbox)
    deliver(folder, b"one")
    thread.join(5)

    assert not thread.is_alive()
    assert uids(mailbox) == [1]


def test_waiting_ends_when_it_is_interrupted(folder: Path) -> None:
    mailbox = opened(folder)
    thread = waiting(mailbox)
    mailbox.interrupt()
    thread.join(5)

    assert not thread.is_alive()


def test_mails_that_come_while_looking_are_all_found(folder: Path) -> None:
    """Also those of the same tick of the folder's time stamp as the look before."""
    mailbox = opened(folder)
    found: list[int] = []
    for number in range(200):
        deliver(folder, b"mail %d" % number)
        found += uids(mailbox, after=len(found))

    assert found == list(range(1, 201))
