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
"""Asked once, when the relay has all of the mail but the end of its content: whether it may have that now."""


class Mailer(Protocol):
    """Gives mails to a relay."""

    async def send(self, mail: Mail, gate: Gate) -> Answer:
        """Try once and say what became of it.

        TAKEN: the relay answered for it. LATER: it certainly was not taken, and may be later. NEVER: it was
        refused for good. UNCERTAIN: its end was sent and no answer came, so the relay may have it. WITHHELD:
        the gate said no, and the relay was not given the end, without which it must not deliver anything
        (RFC 5321 §4.1.1.4).

        The gate is called at most once, and the end of the content does not go out before it said yes:
        whoever dies in the gate or before has sent nothing. Raises `Unavailable` when the relay cannot be
        reached at all: that is no fault of this mail. What the gate raises is passed on.
        """
        ...

    async def ping(self) -> None:
        """Return if the relay answers. Raises `Unavailable`."""
        ...
