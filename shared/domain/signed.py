"""Signed names of tickets, which our letters carry so that an answer finds its ticket.

One seal in three places: the letter's Message-ID, the plus-address of its Reply-To, and a line of its body,
for providers that rewrite headers. Each names the ticket and, by a keyed digest, the addressee it was made
for; each place has a key of its own, so what was read in one opens nothing in another. Made from the letter
alone: a repeat makes the same. All is lower case and read in any case, for servers change that.

    Message-ID   t.<ticket>.<letter>.<seal>@domain
    Reply-To     support+t.<ticket>.<seal>@domain
    body         [ref:t.<ticket>.<seal>]

What we did not sign is not read, and without a secret nothing is: reading never raises. A new secret ends
the old seals; the Message-IDs of those letters are still known to threading, as those of other mails are.
"""

import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

_SYMBOLS = "0123456789abcdefghjkmnpqrstvwxyz"
_ADDRESSEE, _PROOF = 6, 12
"""Symbols of five bits: 30 name the addressee, 60 prove the whole; each guess at them costs a mail."""

LONGEST_LOCAL_PART = 64
"""Octets before the "@" (RFC 5321 §4.5.3.1.1)."""

_TICKET = "tkt_"
_LETTER = "let_"
_SEAL = r"([0-9a-z]{18})"
_NAME = r"t\.([0-9a-z]{1,40})\."
_MESSAGE_ID = re.compile(rf"{_NAME}([0-9a-z]{{1,40}})\.{_SEAL}@", re.IGNORECASE)
_ADDRESS = re.compile(rf"\+{_NAME}{_SEAL}@", re.IGNORECASE)
_BODY = re.compile(rf"ref:{_NAME}{_SEAL}(?![0-9a-z])")


@dataclass(frozen=True, slots=True)
class Signed:
    """What we once signed: the ticket, and a digest of the addressee's address."""

    ticket_id: str
    addressee: str


class Signer:
    """See the module. Addresses are told apart in lower case, as tickets keep them."""

    def __init__(self, secret: bytes) -> None:
        self._addressees = _key(secret, "addressee")
        self._ids = _key(secret, "message-id")
        self._addresses = _key(secret, "reply-address")
        self._bodies = _key(secret, "body")
        self._has_secret = bool(secret)

    def message_id(self, ticket_id: str, addressee: str, letter_id: str, domain: str) -> str:
        """The Message-ID of a letter, without `<>`."""
        ticket, letter = _bare(ticket_id, _TICKET), _bare(letter_id, _LETTER)
        seal = self._seal(self._ids, ticket, self._tag(addressee), letter)
        return f"t.{ticket}.{letter}.{seal}@{domain}"

    def reply_address(self, mailbox: str, ticket_id: str, addressee: str) -> str:
        """The mailbox's address with a tag that names the ticket; empty where it would be too long."""
        ticket = _bare(ticket_id, _TICKET)
        local, _, domain = mailbox.rpartition("@")
        tagged = f"{local}+t.{ticket}.{self._seal(self._addresses, ticket, self._tag(addressee))}"
        return f"{tagged}@{domain}" if len(tagged.encode()) <= LONGEST_LOCAL_PART else ""

    def marker(self, ticket_id: str, addressee: str) -> str:
        """What stands in a letter's body."""
        ticket = _bare(ticket_id, _TICKET)
        return f"[ref:t.{ticket}.{self._seal(self._bodies, ticket, self._tag(addressee))}]"

    def in_message_id(self, message_id: str) -> Signed | None:
        """What a Message-ID says, given without `<>`; whatever its domain."""
        found = _MESSAGE_ID.match(message_id)
        return self._read(self._ids, found[1], found[3], found[2]) if found else None

    def in_addresses(self, fields: Iterable[str], most: int) -> list[Signed]:
        """What the tagged addresses in these header fields say; the first `most` of them are looked at."""
        return self._all(self._addresses, (found for one in fields for found in _ADDRESS.finditer(one)), most)

    def in_body(self, text: str, most: int) -> list[Signed]:
        """What the markers in a body say, from its top; the first `most` of them are looked at."""
        if "ref:t." not in text:  # nearly every mail: told in no time, as a pattern in any case is not
            if "REF:T." not in text:
                return []
            text = text.lower()
        return self._all(self._bodies, _BODY.finditer(text), most)

    def made_for(self, signed: Signed, address: str) -> bool:
        """Whether it was made for this address."""
        return hmac.compare_digest(signed.addressee, self._tag(address))

    def _all(self, key: bytes, found: Iterator["re.Match[str]"], most: int) -> list[Signed]:
        written = dict.fromkeys((one[1], one[2]) for one in islice(found, most))
        read = (self._read(key, ticket, seal) for ticket, seal in written)
        return [one for one in read if one is not None]

    def _read(self, key: bytes, ticket: str, seal: str, letter: str = "") -> Signed | None:
        ticket, seal, letter = ticket.lower(), seal.lower(), letter.lower()
        addressee = seal[:_ADDRESSEE]
        right = hmac.compare_digest(seal, self._seal(key, ticket, addressee, letter))
        return Signed(_TICKET + ticket, addressee) if right and self._has_secret else None

    def _seal(self, key: bytes, ticket: str, addressee: str, letter: str = "") -> str:
        return addressee + _digest(key, f"{ticket}\0{letter}\0{addressee}", _PROOF)

    def _tag(self, address: str) -> str:
        return _digest(self._addressees, address.strip().lower(), _ADDRESSEE)


def _key(secret: bytes, purpose: str) -> bytes:
    return hmac.digest(secret, b"thread\0" + purpose.encode(), "sha256")


def _digest(key: bytes, text: str, symbols: int) -> str:
    digest = hmac.digest(key, text.encode("utf-8", "replace"), "sha256")
    return "".join(_SYMBOLS[byte & 31] for byte in digest[:symbols])


def _bare(doc_id: str, prefix: str) -> str:
    return doc_id.removeprefix(prefix)
