"""One thing said on a ticket."""

from enum import StrEnum

from pydantic import BaseModel, Field

from shared.domain.documents import Document, Instant
from shared.domain.ticket import Contact
from shared.domain.transfer import Encoding

LONGEST_SAID = 100_000
"""Characters of what an agent says at a time, by the API or by mail."""


class Direction(StrEnum):
    """Which way a message went."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    NOTE = "note"
    SYSTEM = "system"


class Place(BaseModel):
    """Where a file lies in the raw mail: from byte `begin` up to `end`, under a transfer encoding."""

    begin: int
    end: int
    encoding: Encoding = ""


class Attachment(BaseModel):
    """A file that came with a mail; its bytes are in the raw mail.

    `size` and `sha256` are of its decoded bytes. `place` is None where it cannot be cut out: in mails taken
    in by the first versions, and in those whose line ends had to be mended.
    """

    filename: str
    content_type: str
    size: int
    sha256: str
    content_id: str = ""
    inline: bool = False
    place: Place | None = None


class Inner(BaseModel):
    """The mail that a message forwards, as it says itself: an offer to the agent that proves nothing.

    `date` is as it was written. Its text is in that of the message.
    """

    sender: Contact | None = None
    date: str = ""
    subject: str = ""


class Message(Document):
    """See the module. Its id follows from the mail's fingerprint or the call's key: a repeat finds it.

    `raw` is the digest of the raw mail in the blobs; `message_id` is the mail's Message-ID without `<>`.
    `reply_text` is what is new in `text`, empty when nothing was cut; `said` is what to read. Of a forward
    nothing is cut, as all of it is news to us; `forwarded` is its inner mail.
    `origin` is the ledger entry, or the call, that brought it first. `reasons` say why it joined its ticket.
    """

    ticket_id: str
    direction: Direction
    author: str
    sender: Contact | None = None
    to: list[Contact] = Field(default_factory=list)
    cc: list[Contact] = Field(default_factory=list)
    subject: str = ""
    text: str = ""
    html: str = ""
    reply_text: str = ""
    forwarded: Inner | None = None
    kind: str = "message"
    attachments: list[Attachment] = Field(default_factory=list)
    message_id: str = ""
    in_reply_to: str = ""
    references: list[str] = Field(default_factory=list)
    raw: str = ""
    origin: str = ""
    verified: bool = True
    reasons: list[str] = Field(default_factory=list)
    at: Instant

    @property
    def said(self) -> str:
        """What the author wrote now."""
        return self.reply_text or self.text
