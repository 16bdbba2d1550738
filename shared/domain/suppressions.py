"""An address that we do not write to for now, because mails to it came back.

Hard bounces (the address is no good) suppress until a person lifts it; soft ones (mailbox full) only when a
few came in a row, and for a while. A bounce counts once, however often it is handled.
"""

from datetime import datetime, timedelta

from pydantic import Field

from shared.domain.documents import Document, Instant
from shared.domain.ids import derived

SOFT_BOUNCES = 3
"""So many soft bounces, each within `SOFT_FOR` of the one before, suppress an address."""

SOFT_FOR = timedelta(days=7)
"""How long after the last soft bounce an address stays suppressed, and how long one is remembered."""

REMEMBERED = 50
"""Bounces whose ids are remembered, so that one counts once."""

OF_THE_ADDRESS = frozenset(
    {"userunknown", "hostunknown", "hasmoved", "notaccept", "mailboxfull", "suspend", "filtered", "expired"}
)
"""Reasons that lie with the recipient; the others (our reputation, this mail's size) say nothing of it."""


def suppression_id(address: str) -> str:
    """The id of an address's document; the address in any case of letters."""
    return derived("sup", address.strip().lower())


class Suppression(Document):
    """See the module. `since` is the first bounce's time; `expires` None: until it is lifted.

    `counted` are the messages of the bounces, the newest last.
    """

    address: str
    since: Instant
    reason: str = ""
    hard: int = 0
    soft: int = 0
    expires: Instant | None = None
    counted: list[str] = Field(default_factory=list)

    def note_bounce(self, message_id: str, hard: bool, reason: str, at: datetime) -> None:
        """Count the bounce that this message is."""
        if message_id in self.counted or reason not in OF_THE_ADDRESS:
            return
        if not self.hard and self.expires is not None and at > self.expires:
            self.soft, self.since = 0, at
        self.counted = [*self.counted, message_id][-REMEMBERED:]
        self.reason = reason
        if hard:
            self.hard += 1
            self.expires = None
        else:
            self.soft += 1
            self.expires = None if self.hard else at + SOFT_FOR
        self.touch()

    def lift(self) -> None:
        """A person knows better: we write again, and count from nothing. What was counted stays so."""
        self.hard = self.soft = 0
        self.expires = None
        self.touch()

    def holds(self, at: datetime) -> bool:
        """Whether a letter must not go to the address now."""
        if self.hard:
            return True
        return self.soft >= SOFT_BOUNCES and self.expires is not None and at < self.expires
