"""The sandbox: a mailbox to write to and a relay to write out by, for `ombud run` without a real mailbox.

With Dovecot installed the mailbox is a real IMAP server, else the same Maildir read directly. The relay is an
SMTP server that keeps each letter as a file in `outbox`, and delivers mail to the mailbox's address there.
Both are processes of their own, started again when they die, and end with this one, also when it is killed.
"""

import asyncio
import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import SecretStr

from services.sandbox.dovecot import Dovecot
from services.sandbox.maildrop import make_maildir
from services.sandbox.process import Process, answers, free_port
from shared.runtime.settings import MailboxSettings, SmtpSettings
from shared.runtime.waiting import wait_until

ADDRESS = "support@sandbox.example"
LEAD = "lead@sandbox.example"
USER = "support"
LOOK_EVERY = 1.0
"""Seconds between two looks whether the servers live."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Sandbox:
    """What a sandbox offers."""

    maildir: Path
    outbox: Path
    mailbox: MailboxSettings
    smtp: SmtpSettings
    servers: tuple[Dovecot | Process, ...]

    def imap(self) -> dict[str, object] | None:
        """How an IMAP client reaches the mailbox; None without Dovecot."""
        if not self.mailbox.host:
            return None
        return {
            "host": self.mailbox.host,
            "port": self.mailbox.port,
            "user": self.mailbox.username,
            "password": self.mailbox.password.get_secret_value(),
            "tls": False,
            "folder": self.mailbox.folder,
        }

    async def keep(self, stop: asyncio.Event) -> None:
        """Start a server again that died, until `stop`."""
        while not stop.is_set():
            for server in self.servers:
                if not server.running:
                    log.warning("sandbox.server_died", server=type(server).__name__)
                    await asyncio.to_thread(server.start)
            await wait_until(stop, LOOK_EVERY)


def remembered(data: Path) -> tuple[MailboxSettings, SmtpSettings] | None:
    """The mailbox and relay of the sandbox that was last opened on this data folder; None if none was."""
    file = _memory(data)
    if not file.exists():
        return None
    kept = json.loads(file.read_text())
    return MailboxSettings.model_validate(kept["mailbox"]), SmtpSettings.model_validate(kept["smtp"])


def _memory(data: Path) -> Path:
    return data / "sandbox" / "settings.json"


def _remember(data: Path, sandbox: Sandbox) -> None:
    """For the other verbs of the command line; holds the mailbox's password, so for its owner alone."""
    mailbox = sandbox.mailbox.model_dump(mode="json") | {
        "password": sandbox.mailbox.password.get_secret_value()
    }
    file = _memory(data)
    file.touch(mode=0o600)
    file.write_text(
        json.dumps(
            {
                "mailbox": mailbox,
                "smtp": {"host": sandbox.smtp.host, "port": sandbox.smtp.port, "tls": sandbox.smtp.tls},
            }
        )
    )


def maildir_of(data: Path) -> Path:
    """Where the sandbox's mail lies under a data folder."""
    return data / "sandbox" / "mail" / USER


@contextmanager
def open_sandbox(data: Path) -> Iterator[Sandbox]:
    """A running sandbox under `data`; its servers stop at the end. Raises `Refused`."""
    folder = data.resolve() / "sandbox"
    maildir, outbox = make_maildir(maildir_of(data.resolve())), data.resolve() / "outbox"
    sink = _sink(folder, outbox, maildir)
    password = secrets.token_urlsafe(12)
    dovecot = Dovecot(folder, {USER: password}) if Dovecot.available() else None
    servers: tuple[Dovecot | Process, ...] = (sink[0],) if dovecot is None else (sink[0], dovecot)
    try:
        for server in servers:
            server.start()
        sink[0].wait_until(lambda: answers(sink[1]))
        sandbox = Sandbox(maildir, outbox, _mailbox(dovecot, password, maildir), _relay(sink[1]), servers)
        _remember(data, sandbox)
        yield sandbox
    finally:
        for server in reversed(servers):
            server.stop()


def _sink(folder: Path, outbox: Path, maildir: Path) -> tuple[Process, int]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "services.sandbox.smtp_sink",
        "--port",
        str(port),
        "--outbox",
        str(outbox),
    ]
    return Process("SMTP sink", [*command, "--local", f"{ADDRESS}={maildir}"], folder / "smtp.log"), port


def _relay(port: int) -> SmtpSettings:
    return SmtpSettings(host="127.0.0.1", port=port, tls="none")


def _mailbox(dovecot: Dovecot | None, password: str, maildir: Path) -> MailboxSettings:
    if dovecot is None:
        return MailboxSettings(address=ADDRESS, maildir=maildir)
    host, port = dovecot.imap_address
    secret = SecretStr(password)
    return MailboxSettings(address=ADDRESS, host=host, port=port, tls="none", username=USER, password=secret)
