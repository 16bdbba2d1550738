"""The sandbox: its servers answer, come back when they die, and what it was is known to the other verbs."""

import asyncio
import smtplib
import stat
from collections.abc import Iterator
from email.message import EmailMessage
from functools import partial
from pathlib import Path

import pytest
from imapclient import IMAPClient
from structlog.testing import capture_logs

from services.sandbox.dovecot import Dovecot
from services.sandbox.process import answers
from services.sandbox.sandbox import ADDRESS, Sandbox, maildir_of, open_sandbox, remembered
from tests.conftest import missing
from tests.helpers import eventually, eventually_sync


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="module")
def sandbox(data: Path) -> Iterator[Sandbox]:
    with open_sandbox(data) as opened:
        yield opened


def write_to(sandbox: Sandbox, address: str, text: str = "Help!") -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "eve@example.org", address, "Question"
    mail.set_content(text)
    with smtplib.SMTP(sandbox.smtp.host, sandbox.smtp.port, timeout=5) as relay:
        relay.send_message(mail)


def holds(maildir: Path, text: str) -> bool:
    mails = [path for part in ("new", "cur") for path in (maildir / part).iterdir()]
    return any(text.encode() in mail.read_bytes() for mail in mails)


def test_a_mail_to_the_sandboxs_address_lies_in_its_mailbox(sandbox: Sandbox, data: Path) -> None:
    write_to(sandbox, ADDRESS, "It burns.")

    assert sandbox.maildir == maildir_of(data)
    eventually_sync(lambda: holds(sandbox.maildir, "It burns."))


def test_a_letter_to_anybody_else_is_kept_as_a_file_and_never_leaves(sandbox: Sandbox) -> None:
    write_to(sandbox, "ada@customer.example", "Try water.")

    (letter,) = eventually_sync(lambda: list(sandbox.outbox.rglob("*.eml")))
    assert b"Try water." in letter.read_bytes()
    assert not holds(sandbox.maildir, "Try water.")


def test_the_other_verbs_know_the_mailbox_and_the_relay_of_the_sandbox(sandbox: Sandbox, data: Path) -> None:
    assert remembered(data) == (sandbox.mailbox, sandbox.smtp)


def test_what_is_remembered_holds_a_password_and_is_for_its_owner_alone(sandbox: Sandbox, data: Path) -> None:
    file = data / "sandbox" / "settings.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_of_a_folder_without_a_sandbox_nothing_is_remembered(tmp_path: Path) -> None:
    assert remembered(tmp_path) is None


def test_a_closed_sandbox_has_no_servers_left_and_opened_again_it_has_its_mail(tmp_path: Path) -> None:
    with open_sandbox(tmp_path) as first:
        write_to(first, ADDRESS, "Before.")
        eventually_sync(lambda: holds(first.maildir, "Before."))
    assert not any(server.running for server in first.servers)
    assert not answers(first.smtp.port)
    with open_sandbox(tmp_path) as second:
        assert holds(second.maildir, "Before.")
        assert remembered(tmp_path) == (second.mailbox, second.smtp)


async def test_a_server_that_dies_is_started_again_on_its_port(sandbox: Sandbox) -> None:
    stop = asyncio.Event()
    keeping = asyncio.create_task(sandbox.keep(stop))
    with capture_logs() as lines:
        for server in sandbox.servers:
            server.kill()
            await eventually(partial(getattr, server, "running"), awaited="a server started again")
        await eventually(lambda: answers(sandbox.smtp.port))
    stop.set()
    await asyncio.wait_for(keeping, 5)

    assert [line["event"] for line in lines] == ["sandbox.server_died"] * len(sandbox.servers)
    await asyncio.to_thread(write_to, sandbox, ADDRESS, "Afterwards.")
    await eventually(lambda: holds(sandbox.maildir, "Afterwards."))


@pytest.mark.dovecot
def test_with_dovecot_the_mailbox_is_told_as_an_imap_client_wants_it(sandbox: Sandbox) -> None:
    if not Dovecot.available():
        missing("dovecot", "it is not installed")
    told = sandbox.imap()

    assert told is not None
    with IMAPClient(str(told["host"]), port=told["port"], ssl=False) as client:
        client.login(told["user"], told["password"])
        assert client.folder_exists(told["folder"])
