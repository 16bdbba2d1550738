"""A user: somebody of ours who works on tickets, known by addresses that are theirs alone.

Who an address belongs to stands in a document of its own, whose id follows from the address: two users who
are given one address at the same instant meet there, and one of them does not get it.
"""

import re

from pydantic import Field

from shared.domain.documents import Document, Instant
from shared.domain.errors import Invalid
from shared.domain.ids import derived

LONGEST_NAME = 80
LONGEST_ADDRESS = 254
"""Octets of an address (RFC 5321 §4.5.3.1.3)."""

_ADDRESS = re.compile(r"[^@\s<>()\[\],;:\\\"]+@[^@\s<>()\[\],;:\\\"]+")


class UserAddress(Document):
    """Whose an address is; its id follows from the address (`address_id`)."""

    user_id: str


class User(Document):
    """See the module. `addresses` are in lower case; letters go to the first.

    `since` is when the user was made, or enabled last: of what was before it gets no letter.
    """

    name: str
    addresses: list[str] = Field(default_factory=list)
    since: Instant
    disabled_at: Instant | None = None

    @property
    def enabled(self) -> bool:
        """Whether the user gets letters and may command."""
        return self.disabled_at is None

    def own(self, addresses: list[str]) -> None:
        """These are the user's as well; those that were stay first."""
        together = list(dict.fromkeys([*self.addresses, *addresses]))
        if together != self.addresses:
            self.addresses = together
            self.touch()

    def disable(self, at: Instant) -> None:
        """From now on no letters and no commands; a second time changes nothing."""
        if self.enabled:
            self.disabled_at = at
            self.touch()

    def enable(self, at: Instant) -> None:
        """As before it was disabled; of what was meanwhile it hears nothing."""
        if not self.enabled:
            self.disabled_at, self.since = None, at
            self.touch()


def user_id(first_address: str) -> str:
    """The id of the user whose first address this is: a repeat of its making finds it."""
    return derived("usr", first_address)


def address_id(address: str) -> str:
    """The id of the document that says whose an address is."""
    return derived("adr", address)


def checked_name(name: str) -> str:
    """The name in one line. Raises `Invalid`."""
    name = " ".join(name.split())
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise Invalid(
            f"a name has 1 to {LONGEST_NAME} printable characters", {"name": "empty, long or unprintable"}
        )
    return name


def checked_address(address: str) -> str:
    """The address in lower case. Raises `Invalid`."""
    address = address.strip().lower()
    if (
        not _ADDRESS.fullmatch(address)
        or len(address.encode()) > LONGEST_ADDRESS
        or not address.isprintable()
    ):
        raise Invalid(f"{address[:LONGEST_ADDRESS]!r} is no address", {"address": "not name@domain"})
    return address
