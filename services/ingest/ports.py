"""The mailbox: what collecting needs of a mail server, IMAP or a folder alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from shared.domain.errors import Unavailable

Why = Literal["login", "token", "connection", "folder", "protocol"]


class MailboxFailed(Unavailable):
    """The mailbox cannot be read now; the text says what to do. `why` is the metric's label."""

    def __init__(self, mailbox: str, why: Why, reason: str) -> None:
        super().__init__(f"mailbox {mailbox}", reason)
        self.why = why


class NotCleared(Exception):
    """The server refuses to flag, move or delete handled mails; reading goes on. The text says what to do."""


class Place(NamedTuple):
    """One folder of a mailbox, as all that is kept of it is named.

    `folder` is empty for the mailbox's main one, so that what was kept when there was no other is found.
    """

    mailbox: str
    folder: str = ""

    @property
    def label(self) -> str:
        """For people, logs and metrics."""
        return f"{self.mailbox}/{self.folder}" if self.folder else self.mailbox


class Waiting(NamedTuple):
    """A mail on the server; `size` in bytes."""

    uid: int
    size: int


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail's own bytes. `received_at` is when the server got it; None when the server cannot tell."""

    uid: int
    raw: bytes
    received_at: datetime | None


class Mailbox(Protocol):
    """One connection to one folder of a mailbox; nothing in it is changed but by `clear`.

    All calls block and are made one at a time, but `interrupt`, which any thread may call. Every call raises
    `MailboxFailed`; after that the connection is to be closed and not used again.

    A UID names one mail for ever under one UIDVALIDITY, and later mails have higher ones (RFC 9051 §2.3.1.1).
    """

    def open(self) -> int:
        """Connect and log in; the folder's UIDVALIDITY."""
        ...

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        """The mails with a UID above `after`: the `limit` lowest, in ascending order."""
        ...

    def uids(self, first: int, last: int) -> list[int]:
        """The UIDs from `first` to `last` that are there, in ascending order."""
        ...

    def sizes(self, uids: Sequence[int]) -> list[Waiting]:
        """These mails with their sizes, in the order asked for, without those that are gone."""
        ...

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        """These mails, in the order asked for, without those that are gone or that are not given."""
        ...

    def head(self, uid: int, most: int) -> Fetched | None:
        """The first `most` bytes of this mail's header block, or None as `fetch` leaves a mail out."""
        ...

    def piece(self, uid: int, start: int, most: int) -> bytes:
        """At most `most` bytes of this mail from byte `start` on; none: it ends there, or is gone."""
        ...

    def to_clear(self, first: int, last: int) -> list[int]:
        """The UIDs from `first` to `last` that `clear` has something to do with, in ascending order."""
        ...

    def clear(self, uids: Sequence[int]) -> None:
        """Do with these handled mails what is set for them; again is harmless. Raises `NotCleared`."""
        ...

    def exists(self, uid: int) -> bool:
        """Whether the mailbox still lists this mail."""
        ...

    def wait(self, seconds: float) -> None:
        """Return when a new mail may be there, at the latest after `seconds`, or when interrupted."""
        ...

    def interrupt(self) -> None:
        """Break off the call under way and every later one: they return or raise soon. Final."""
        ...

    def close(self) -> None:
        """Let go of the server. Never raises; more than once is harmless."""
        ...
