"""The sandbox's IMAP server is a real one: login, APPEND, IDLE, and mails that survive its death."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from services.sandbox.dovecot import Dovecot
from services.sandbox.process import answers
from shared.domain.errors import Refused
from tests.helpers import eventually_sync
from tests.servers.mailbox import ImapBox

pytestmark = pytest.mark.dovecot

USER, PASSWORD = "support@example.com", 'a:b {c} "d" \\e'
RAW = b"Subject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nGood morning\r\n"


@pytest.fixture
def server(tmp_path: Path, dovecot_server: Dovecot) -> Iterator[Dovecot]:
    """One that a test may stop and kill; asking for the shared one skips where there is none."""
    server = Dovecot(tmp_path / "own", {USER: PASSWORD})
    server.start()
    yield server
    server.stop()


def logged_in(server: Dovecot, user: str = USER, password: str = PASSWORD) -> IMAPClient:
    client = IMAPClient(*server.imap_address, ssl=False)
    try:
        client.login(user, password)
    except LoginError:
        client.shutdown()
        raise
    return client


def living_of(group: int) -> list[str]:
    """The processes of a process group that are not just waiting to be buried."""
    listed = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    return [row[-1] for row in rows if row[0] == str(group) and not row[1].startswith("Z")]


def test_a_mail_put_in_by_imap_append_lies_in_the_maildir(dovecot: ImapBox) -> None:
    with dovecot.client() as client:
        client.append("INBOX", RAW)

    (file,) = [*(dovecot.maildir / "new").iterdir(), *(dovecot.maildir / "cur").iterdir()]
    assert file.read_bytes().replace(b"\r\n", b"\n") == RAW.replace(b"\r\n", b"\n")


def test_a_mail_put_into_the_maildir_is_fetched_byte_for_byte(dovecot: ImapBox) -> None:
    raw = b"Subject: odd\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    dovecot.deliver(raw)
    with dovecot.client() as client:
        client.select_folder("INBOX")
        (uid,) = client.search()

        assert client.fetch([uid], ["BODY.PEEK[]"])[uid][b"BODY[]"] == raw


def test_a_client_in_idle_is_told_of_a_delivered_mail_within_seconds(dovecot: ImapBox) -> None:
    with dovecot.client() as client:
        client.select_folder("INBOX")
        client.idle()
        dovecot.deliver(RAW)
        told = client.idle_check(timeout=5)
        client.idle_done()

    assert (1, b"EXISTS") in told


def test_each_test_gets_an_empty_mailbox(dovecot: ImapBox, dovecot_server: Dovecot) -> None:
    other = ImapBox.on(dovecot_server)
    other.deliver(RAW)
    with dovecot.client() as client:
        assert client.select_folder("INBOX")[b"EXISTS"] == 0


def test_a_wrong_password_is_refused_at_once_however_often(dovecot: ImapBox) -> None:
    """Dovecot delays them by default, and more each time: a test of our reconnecting would take minutes."""
    started = time.monotonic()
    for _ in range(4):
        with pytest.raises(LoginError):
            logged_in(dovecot.server, dovecot.user, "wrong")

    assert time.monotonic() - started < 5


def test_a_user_whom_nobody_added_is_refused(server: Dovecot) -> None:
    with pytest.raises(LoginError):
        logged_in(server, "stranger@example.com", PASSWORD)


def test_a_user_may_hold_many_connections(dovecot: ImapBox) -> None:
    """Dovecot allows ten from one address by default; replicas and tests need more."""
    clients = [dovecot.client() for _ in range(15)]
    for client in clients:
        assert client.noop()[0].startswith(b"NOOP completed")
        client.logout()


def test_mails_and_their_uids_are_the_same_after_a_kill(server: Dovecot) -> None:
    """The collector's cursor is a UID: a server that numbered anew would hide every bug of ours."""
    for _ in range(3):
        server.deliver(USER, RAW)
    with logged_in(server) as client:
        before = client.select_folder("INBOX")[b"UIDVALIDITY"], client.search()
    server.kill()

    assert not server.running
    assert not answers(server.port)

    server.start()
    with logged_in(server) as client:
        assert (client.select_folder("INBOX")[b"UIDVALIDITY"], client.search()) == before


def test_a_server_whose_master_alone_was_killed_starts_again_on_its_port(server: Dovecot) -> None:
    """A supervisor sees only the master; the children that it leaves behind would keep the port."""
    with socket.create_connection(server.imap_address, timeout=5) as held:
        assert held.recv(64).startswith(b"* OK")
        os.kill(server.pid, signal.SIGKILL)
        eventually_sync(lambda: not server.running, awaited="the master's end")
        server.start()

    with logged_in(server) as client:
        assert client.select_folder("INBOX")[b"EXISTS"] == 0


def test_a_killed_server_drops_the_connections_of_its_clients(server: Dovecot) -> None:
    with socket.create_connection(server.imap_address, timeout=5) as connection:
        assert connection.recv(64).startswith(b"* OK")
        server.kill()
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(64):  # the rest of the greeting; an open connection would time out here
                pass

    assert not answers(server.port)


def test_a_stopped_server_leaves_no_process(server: Dovecot) -> None:
    group = server.pid
    server.stop()

    assert not answers(server.port)
    eventually_sync(lambda: not living_of(group), awaited="the last of Dovecot's processes to end")


def test_a_user_name_that_could_leave_the_folder_is_refused(tmp_path: Path) -> None:
    server = Dovecot(tmp_path, {})
    for name in ("../up", "a/b", "", "a:b", ".hidden"):
        with pytest.raises(Refused, match="cannot be a mailbox user"):
            server.maildir(name)


def test_a_server_that_was_not_started_has_no_pid(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was not started"):
        _ = Dovecot(tmp_path, {}).pid
