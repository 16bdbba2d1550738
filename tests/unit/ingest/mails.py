"""Mails for the tests of ingest, made of a few words."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime

from shared.domain.mail_fetched import MailFetched
from shared.ports.bus import Partition, Record

RECEIVED = datetime(2026, 9, 1, 8, 0, tzinfo=UTC)
FETCHED = datetime(2026, 9, 1, 8, 0, 5, tzinfo=UTC)
CUSTOMER = "ada@example.org"
SUPPORT = "support@example.com"


def mail(
    message_id: str = "one@example.org",
    *,
    sender: str = f"Ada Lovelace <{CUSTOMER}>",
    to: str = SUPPORT,
    subject: str = "The printer is on fire",
    body: str = "It burns.\r\nPlease help.\r\n",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A plain mail; a header given as empty is left out, `headers` come on top."""
    fields = {
        "From": sender,
        "To": to,
        "Subject": subject,
        "Date": "Tue, 01 Sep 2026 09:59:58 +0200",
        "Message-ID": f"<{message_id}>" if message_id else "",
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return f"{head}\r\n{body}".encode()


def answer(message_id: str, *references: str, sender: str = CUSTOMER, **kwargs: str) -> bytes:
    """A mail that answers the last of `references`."""
    thread = {
        "References": " ".join(f"<{one}>" for one in references),
        "In-Reply-To": f"<{references[-1]}>",
    }
    return mail(message_id, sender=sender, headers=thread, **kwargs)


def fetched(
    raw: bytes, uid: int = 1, mailbox: str = "support", received_at: datetime = RECEIVED
) -> MailFetched:
    """The mail as collect publishes it."""
    digest = hashlib.sha256(raw).hexdigest()
    return MailFetched(mailbox, 7, uid, digest, received_at, max(FETCHED, received_at), "00-1-2-01", raw)


def record(event: MailFetched, headers: Mapping[str, str] | None = None) -> Record:
    """The event as it comes from the bus."""
    return Record(
        partition=Partition("ombud.mail.v1", 0),
        offset=0,
        key="key",
        value=event.raw or b"",
        headers={**event.headers(), **(headers or {})},
        published_at=FETCHED,
    )
