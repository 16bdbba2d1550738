"""MailFetched: a mail stood in a mailbox. Its value on the bus is the mail itself (`message/rfc822`).

What else it says travels in headers. Above `INLINE_LIMIT` the value is empty and the bytes lie in the blobs
under `digest`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.domain.errors import Unreadable
from shared.domain.events import SOURCE
from shared.domain.ledger import entry_id

TYPE = "ombud.mail.fetched.v1"
INLINE_LIMIT = 512 * 1024
"""Bytes; a larger mail travels by reference."""

RELEASED = "ce_released"
"""Header of a mail published again: the version of the quarantined ledger entry that it is to replace."""

_ID = re.compile(rb"<([^<>\s]{1,998})>")
_THREAD_HEADERS = (b"references", b"in-reply-to", b"message-id")
_KEY_WINDOW = 64 * 1024


@dataclass(frozen=True, slots=True)
class MailFetched:
    """See the module. `received_at` is the server's INTERNALDATE, the same at each fetch of the mail.

    `folder` is empty for the mailbox's main one. A mail over the limit has its head and a notice in `raw`,
    and `digest` names the whole of it; when that was not kept either, it is `partial`.
    """

    mailbox: str
    uidvalidity: int
    uid: int
    digest: str
    received_at: datetime
    fetched_at: datetime
    traceparent: str
    raw: bytes | None
    folder: str = ""
    partial: bool = False

    @property
    def entry(self) -> str:
        """The id of its ledger entry, and of the event."""
        return entry_id(self.mailbox, self.uidvalidity, self.uid, self.folder)

    def headers(self) -> dict[str, str]:
        """CloudEvents' attributes, ours among them, as record headers."""
        named = {
            "ce_specversion": "1.0",
            "ce_id": self.entry,
            "ce_type": TYPE,
            "ce_source": SOURCE,
            "ce_time": self.fetched_at.isoformat(),
            "ce_subject": self.mailbox,
            "ce_uidvalidity": str(self.uidvalidity),
            "ce_uid": str(self.uid),
            "ce_digest": self.digest,
            "ce_receivedat": self.received_at.isoformat(),
            "ce_inline": "true" if self.raw is not None else "false",
            "content-type": "message/rfc822",
            "traceparent": self.traceparent,
        }
        if self.folder:
            named["ce_folder"] = self.folder
        if self.partial:
            named["ce_partial"] = "true"
        return named

    @classmethod
    def parse(cls, headers: Mapping[str, str], value: bytes) -> "MailFetched":
        """What `headers` and the value of a record say. Raises `Unreadable`."""
        try:
            return cls(
                mailbox=headers["ce_subject"],
                uidvalidity=int(headers["ce_uidvalidity"]),
                uid=int(headers["ce_uid"]),
                digest=headers["ce_digest"],
                received_at=datetime.fromisoformat(headers["ce_receivedat"]),
                fetched_at=datetime.fromisoformat(headers["ce_time"]),
                traceparent=headers.get("traceparent", ""),
                raw=value if headers["ce_inline"] == "true" else None,
                folder=headers.get("ce_folder", ""),
                partial=headers.get("ce_partial") == "true",
            )
        except (KeyError, ValueError) as fault:
            raise Unreadable(f"this is no {TYPE}: {fault}") from fault


def trace_of(named: str) -> str:
    """The W3C `traceparent` of a mail's way, which follows from its digest: a mail handled again has one."""
    return f"00-{named[:32]}-{named[32:48]}-01"


def thread_key(raw: bytes, digest: str) -> str:
    """What keeps the mails of one thread in order on the bus, without parsing the mail.

    The first id of References, else of In-Reply-To, else of Message-ID, else the digest (RFC 5322 §3.6.4).
    """
    found: dict[bytes, str] = {}
    head = re.split(rb"\r?\n\r?\n", raw[:_KEY_WINDOW], maxsplit=1)[0]
    for field in re.split(rb"\r?\n(?![ \t])", head):
        name, colon, value = field.partition(b":")
        name = name.strip().lower()
        if colon and name in _THREAD_HEADERS and name not in found and (first := _ID.search(value)):
            found[name] = first.group(1).decode("utf-8", "replace")
    return next((found[name] for name in _THREAD_HEADERS if name in found), digest)
