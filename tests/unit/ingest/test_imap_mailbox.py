"""A mailbox on a real IMAP server."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.ingest.imap_mailbox import ImapMailbox
from services.ingest.ports import MailboxFailed
from services.ingest.settings import IngestSettings
from services.sandbox.dovecot import Dovecot
from tests.helpers import free_port
from tests.servers.mailbox import ImapBox, settings_of
from tests.unit.ingest.mails import mail

pytestmark = pytest.mark.dovecot
SETTINGS = IngestSettings(connect_seconds=2, answer_seconds=5)


@pytest.fixture
def mailbox(dovecot: ImapBox) -> Iterator[ImapMailbox]:
    """Open, on the test's own mailbox."""
    made = ImapMailbox("support", settings_of(dovecot), SETTINGS, first_idle=60.0)
    made.open()
    yield made
    made.close()


def uids(mailbox: ImapMailbox, after: int = 0, limit: int = 100) -> list[int]:
    return [one.uid for one in mailbox.new_uids(after, limit)]


def failing(mailbox: ImapMailbox) -> MailboxFailed:
    """How opening it fails."""
    with pytest.raises(MailboxFailed) as failed:
        mailbox.open()
    mailbox.close()
    return failed.value


def test_mails_are_listed_with_their_sizes_and_given_whole(dovecot: ImapBox, mailbox: ImapMailbox) -> None:
    raws = [mail(f"{number}@x", body="äöü\r\n" * number) for number in range(3)]
    when = datetime(2020, 5, 17, 12, 30, tzinfo=UTC)
    with dovecot.client() as client:
        for raw in raws:
            client.append("INBOX", raw, msg_time=when)
    listed = mailbox.new_uids(0, 100)
    given = mailbox.fetch([one.uid for one in listed])

    assert [one.size for one in listed] == [len(raw) for raw in raws]
    assert [one.raw for one in given] == raws
    assert [one.received_at for one in given] == [when] * 3


def test_only_what_is_above_the_asked_uid_is_new(dovecot: ImapBox, mailbox: ImapMailbox) -> None:
    """A server answers `UID n:*` with its last mail even when that is below n."""
    with dovecot.client() as client:
        for number in range(5):
            client.append("INBOX", mail(f"{number}@x"))

    assert uids(mailbox, after=2, limit=2) == [3, 4]
    assert uids(mailbox, after=5) == []
    assert uids(mailbox, after=500) == []


def test_fetching_sets_no_flag(dovecot: ImapBox, mailbox: ImapMailbox) -> None:
    with dovecot.client() as client:
        client.append("INBOX", mail())
        mailbox.fetch(uids(mailbox))
        client.select_folder("INBOX")

        assert client.get_flags([1]).get(1) in ((), (b"\\Recent",))


def test_a_mail_that_is_gone_is_missing_and_no_longer_listed(dovecot: ImapBox, mailbox: ImapMailbox) -> None:
    with dovecot.client() as client:
        for number in range(3):
            client.append("INBOX", mail(f"{number}@x"))
        assert uids(mailbox) == [1, 2, 3]
        client.select_folder("INBOX")
        client.delete_messages([2])
        client.expunge()

    assert [one.uid for one in mailbox.fetch([1, 2, 3])] == [1, 3]
    assert [mailbox.exists(uid) for uid in (1, 2, 3)] == [True, False, True]


def test_a_wrong_password_is_told_with_what_to_mend_and_never_with_the_password(dovecot: ImapBox) -> None:
    wrong = settings_of(dovecot, password=SecretStr("not-the-password"))
    failed = failing(ImapMailbox("support", wrong, SETTINGS))

    assert failed.why == "login"
    assert "OMBUD_MAILBOXES__SUPPORT__PASSWORD" in str(failed)
    assert "not-the-password" not in str(failed)


def test_a_server_that_is_not_there_is_told_with_its_address(dovecot: ImapBox) -> None:
    port = free_port()
    failed = failing(ImapMailbox("support", settings_of(dovecot, port=port), SETTINGS))

    assert failed.why == "connection"
    assert str(port) in str(failed)


def test_a_folder_that_is_not_there_is_told(dovecot: ImapBox) -> None:
    assert failing(ImapMailbox("support", settings_of(dovecot, folder="Nowhere"), SETTINGS)).why == "folder"


def test_a_server_without_the_tls_that_is_asked_for_is_refused(dovecot: ImapBox) -> None:
    """The password must not travel in the clear because a server, or somebody before it, knows no TLS."""
    assert failing(ImapMailbox("support", settings_of(dovecot, tls="starttls"), SETTINGS)).why != "login"
    assert failing(ImapMailbox("support", settings_of(dovecot, tls="implicit"), SETTINGS)).why == "connection"


def in_a_thread(mailbox: ImapMailbox, seconds: float) -> tuple[threading.Thread, list[MailboxFailed]]:
    """Waits in a thread of its own; what it raises is in the list."""
    raised: list[MailboxFailed] = []

    def wait() -> None:
        try:
            mailbox.wait(seconds)
        except MailboxFailed as failed:
            raised.append(failed)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread, raised


def test_idle_ends_as_soon_as_a_mail_comes(dovecot: ImapBox, mailbox: ImapMailbox) -> None:
    thread, raised = in_a_thread(mailbox, 60)
    started = time.monotonic()
    with dovecot.client() as client:
        client.append("INBOX", mail())
    thread.join(10)

    assert not thread.is_alive()
    assert time.monotonic() - started < 3
    assert raised == []
    assert uids(mailbox) == [1]


def test_a_quiet_idle_ends_in_time_to_look_again(mailbox: ImapMailbox) -> None:
    started = time.monotonic()
    mailbox.wait(0.3)

    assert 0.3 <= time.monotonic() - started < 3
    assert uids(mailbox) == []


def test_idle_is_broken_off_when_it_is_interrupted(mailbox: ImapMailbox) -> None:
    thread, _ = in_a_thread(mailbox, 60)
    mailbox.interrupt()
    thread.join(5)

    assert not thread.is_alive()


def test_a_mailbox_interrupted_before_it_is_open_does_not_log_in(dovecot: ImapBox) -> None:
    mailbox = ImapMailbox("support", settings_of(dovecot), SETTINGS)
    mailbox.interrupt()

    assert "interrupted" in str(failing(mailbox))


@pytest.fixture
def own_server(tmp_path: Path, dovecot_server: Dovecot) -> Iterator[ImapBox]:
    """A mailbox on a server of the test's own, to be killed."""
    server = Dovecot(tmp_path / "dovecot", users={})
    server.start()
    yield ImapBox.on(server)
    server.stop()


def test_the_death_of_the_server_ends_idle_with_an_error(own_server: ImapBox) -> None:
    mailbox = ImapMailbox("support", settings_of(own_server), SETTINGS, first_idle=60.0)
    mailbox.open()
    thread, raised = in_a_thread(mailbox, 60)
    own_server.server.kill()
    thread.join(10)
    mailbox.close()

    assert not thread.is_alive()
    assert [failed.why for failed in raised] == ["connection"]


def test_the_death_of_the_server_ends_a_fetch_with_an_error(own_server: ImapBox) -> None:
    own_server.deliver(mail())
    mailbox = ImapMailbox("support", settings_of(own_server), SETTINGS)
    mailbox.open()
    own_server.server.kill()
    with pytest.raises(MailboxFailed):
        mailbox.fetch([1])
    mailbox.close()


def test_a_long_list_is_asked_for_in_windows_and_nothing_is_left_out(dovecot: ImapBox) -> None:
    with dovecot.client() as client:
        for number in range(25):
            client.append("INBOX", mail(f"{number}@x"))
    mailbox = ImapMailbox("support", settings_of(dovecot), SETTINGS, uids_a_line=4, uids_a_command=3)
    mailbox.open()

    assert uids(mailbox) == list(range(1, 26))
    assert uids(mailbox, after=3, limit=9) == list(range(4, 13))
    assert mailbox.uids(1, 2**32 - 1) == list(range(1, 26))
    assert mailbox.uids(5, 9) == [5, 6, 7, 8, 9]
    assert mailbox.uids(26, 99) == []
    mailbox.close()


def test_the_head_and_pieces_of_a_mail_are_given_as_they_stand_in_it(
    dovecot: ImapBox, mailbox: ImapMailbox
) -> None:
    raw = mail(body="".join(f"line {number}\r\n" for number in range(1000)))
    with dovecot.client() as client:
        client.append("INBOX", raw)
        client.append("INBOX", mail("gone@x"))
    assert uids(mailbox) == [1, 2]
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([2])
        client.expunge()
    head = mailbox.head(1, 100_000)
    pieces = [mailbox.piece(1, start, 700) for start in range(0, len(raw) + 700, 700)]

    assert head is not None
    assert head.raw == raw[: raw.index(b"\r\n\r\n")]
    assert b"".join(pieces) == raw
    assert (mailbox.head(2, 100), mailbox.piece(2, 0, 100)) == (None, b"")
    assert mailbox.sizes([1, 2]) == [(1, len(raw))]
