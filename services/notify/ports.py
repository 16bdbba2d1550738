"""What notify needs of the world: somebody who takes a finished mail."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """A finished mail to one recipient: envelope and bytes (CRLF). `utf8`: an address needs SMTPUTF8."""

    sender: str
    recipient: str
    content: bytes
    utf8: bool = False


class Verdict(StrEnum):
    """What became of a try."""

    TAKEN = "taken"
    LATER = "later"
    NEVER = "never"
    UNCERTAIN = "uncertain"
    WITHHELD = "withheld"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, with the reply code and text of the relay if it said anything."""

    verdict: Verdict
    code: int | None = None
    text: str = ""


Gate = Callable[[], Awaitable[bool]]
"""Asked once, when the recipient has been accepted: whether the content may be sent now."""


class Mailer(Protocol):
    """Gives mails to a relay."""

    async def send(self, mail: Mail, gate: Gate) -> Answer:
        """Try once and say what became of it.

        TAKEN: the relay answered for it. LATER: it certainly was not taken, and may be later. NEVER: it was
        refused for good. UNCERTAIN: its content was begun and no answer came, so the relay may have it.
        WITHHELD: the gate said no; nothing of the content was sent.

        The gate is called at most once, and no byte of the content goes out before it said yes. Raises
        `Unavailable` when the relay cannot be reached at all: that is no fault of this mail. What the gate
        raises is passed on.
        """
        ...

    async def ping(self) -> None:
        """Return if the relay answers. Raises `Unavailable`."""
        ...
