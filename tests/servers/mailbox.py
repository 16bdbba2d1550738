"""One test's own mailbox on the shared IMAP server, how the product is told of any, and how patient it is."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from imapclient import IMAPClient
from pydantic import SecretStr

from services.ingest.settings import IngestSettings
from services.sandbox.dovecot import Dovecot
from shared.runtime.settings import MailboxSettings
from tests.helpers import unique


class Login(Protocol):
    """Where a mailbox is, for IMAP without TLS, and how to log in."""

    @property
    def host(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def password(self) -> str: ...


def settings_of(login: Login, **changed: object) -> MailboxSettings:
    """The mailbox as the product's settings name it; `changed` are fields of other values."""
    known = {
        "address": login.user,
        "host": login.host,
        "port": login.port,
        "tls": "none",
        "username": login.user,
        "password": SecretStr(login.password),
    }
    return MailboxSettings.model_validate(known | changed)


def hasty(seconds: float, **changed: object) -> IngestSettings:
    """Ingest where an outage lasts about a second: no answer within `seconds` is one, and all else in step.

    No mail here is at fault, so none is given up however often a busy machine times out.
    """
    known = {
        "batch": 10,
        "connect_seconds": seconds,
        "answer_seconds": seconds,
        "poll_seconds": 1,
        "lease_seconds": 4,
        "retry_first": seconds / 20,
        "retry_longest": seconds / 5,
        "fetch_tries": 100,
    }
    return IngestSettings.model_validate(known | changed)


@dataclass(frozen=True)
class ImapBox:
    """A mailbox that no other test uses: how to log in, where its mails lie, how to put one there."""

    server: Dovecot = field(repr=False)
    user: str
    password: str

    @classmethod
    def on(cls, server: Dovecot) -> Self:
        """A new one on this server."""
        mailbox = cls(server, f"{unique('box')}@example.com", unique("password"))
        server.add_user(mailbox.user, mailbox.password)
        return mailbox

    @property
    def host(self) -> str:
        """The server's host, for IMAP without TLS."""
        return self.server.imap_address[0]

    @property
    def port(self) -> int:
        """The server's port."""
        return self.server.imap_address[1]

    @property
    def maildir(self) -> Path:
        """The Maildir behind INBOX."""
        return self.server.maildir(self.user)

    def deliver(self, raw: bytes) -> Path:
        """Put a mail into INBOX as a mail server does; return its file."""
        return self.server.deliver(self.user, raw)

    def client(self) -> IMAPClient:
        """A client that has logged in; close it with `with` or `logout()`."""
        client = IMAPClient(self.host, self.port, ssl=False)
        client.login(self.user, self.password)
        return client
