"""An address that we do not write to for now, because mails to it came back, or because a person wishes so.

Hard bounces (the address is no good) and persons suppress until a person lifts it; soft ones (mailbox full)
only when a few came in a row, and for a while. A bounce counts once, however often it is handled.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from shared.domain.documents import Document, Instant
from shared.domain.ids import derived

SOFT_BOUNCES = 3
"""So many soft bounces suppress an address, where no setting says otherwise."""

SOFT_FOR = timedelta(days=7)
"""How long after the last soft bounce an address stays suppressed, where no setting says otherwise."""

REMEMBERED = 50
"""Bounces whose ids are remembered, so that one counts once."""

OF_THE_ADDRESS = frozenset(
    {"userunknown", "hostunknown", "hasmoved", "notaccept", "mailboxfull", "suspend", "filtered", "expired"}
)
"""Reasons that lie with the recipient; the others (our reputation, this mail's size) say nothing of it."""


@dataclass(frozen=True, slots=True)
class Patience:
    """What operators choose: so many soft bounces, each within `remembered` of the one before, suppress an
    address for as long after the last of them."""

    bounces: int = SOFT_BOUNCES
    remembered: timedelta = SOFT_FOR


def suppression_id(address: str) -> str:
    """The id of an address's document; the address in any case of letters."""
    return derived("sup", address.strip().lower())


class Suppression(Document):
    """See the module. `since` is the time of the first bounce that counts, or of the person's word; `expires`
    None: until it is lifted.

    `counted` are the messages of the bounces, the newest last. `soft_limit` is how many soft ones suppress,
    as it was set when the last one came. `held_by` is the person who wants no letters to go there, empty for
    none, and `lifted_by` who lifted it last, at `lifted_at`.
    """

    address: str
    since: Instant
    reason: str = ""
    hard: int = 0
    soft: int = 0
    soft_limit: int = SOFT_BOUNCES
    expires: Instant | None = None
    counted: list[str] = Field(default_factory=list)
    held_by: str = ""
    lifted_by: str = ""
    lifted_at: Instant | None = None

    def note_bounce(
        self, message_id: str, hard: bool, reason: str, at: datetime, patience: Patience | None = None
    ) -> None:
        """Count the bounce that this message is."""
        patience = patience or Patience()
        if message_id in self.counted or reason not in OF_THE_ADDRESS:
            return
        if not self.hard and self.expires is not None and at > self.expires:
            self.soft = 0
        if not self._counts:
            self.since = at
        self.counted = [*self.counted, message_id][-REMEMBERED:]
        self.reason = self.reason if self.held_by else reason
        if hard:
            self.hard += 1
            self.expires = None
        else:
            self.soft += 1
            self.soft_limit = patience.bounces
            self.expires = None if self.hard else at + patience.remembered
        self.touch()

    def hold_back(self, reason: str, by: str, at: datetime) -> None:
        """A person wants no letters to go there, whatever bounces say. The same again changes nothing."""
        if self.held_by and self.reason == reason:
            return
        if not self._counts:
            self.since = at
        self.held_by, self.reason = by, reason
        self.touch()

    def lift(self, by: str, at: datetime) -> None:
        """A person knows better: we write again, and count from nothing. What was counted stays so.

        Where nothing counts there is nothing to lift: it stays as somebody lifted it before.
        """
        if not self._counts:
            return
        self.hard = self.soft = 0
        self.expires = None
        self.held_by = ""
        self.lifted_by, self.lifted_at = by, at
        self.touch()

    def holds(self, at: datetime) -> bool:
        """Whether a letter must not go to the address now."""
        if self.hard or self.held_by:
            return True
        return self.soft >= self.soft_limit and self.expires is not None and at < self.expires

    @property
    def _counts(self) -> bool:
        """Whether anything speaks against the address, be it too little."""
        return bool(self.hard or self.soft or self.held_by)
