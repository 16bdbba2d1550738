"""What a mail carries that leads to a ticket. Pure, and linear in the mail.

What we signed (shared/domain/signed.py): in ids it refers to, in the addresses it came to, in what it quotes.
Ids that mails of a ticket carried or referred to, and numbers of tickets; anybody can write these.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from services.ingest.parsing import ParsedMail
from shared.domain.ids import thread_id_for
from shared.domain.signed import Signed, Signer
from shared.stores.collections import ThreadId

MOST_SIGNED = 20
"""Tagged addresses, and markers, that are looked at of one mail; a quoted thread has one a letter."""

MOST_NUMBERS = 5
"""Ticket numbers of a mail that are looked at: foreign ones may stand before ours."""

LOOKED_THROUGH = 64 * 1024
"""Characters of a text in which ticket numbers are looked for."""

_NUMBER = r"\[#(\d{1,12})\]"

_DELIVERED_TO = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-envelope-to",
    "x-delivered-to",
    "x-forwarded-to",
    "x-rcpt-to",
    "apparently-to",
    "resent-to",
    "resent-cc",
    "to",
    "cc",
)
"""Where servers and people write the address that a mail was sent to; servers have many ways."""


class Link(NamedTuple):
    """An id of the mail that leads to a ticket. `quoted`: the mail refers to it; else it is the mail's
    own."""

    message_id: str
    ticket_id: str
    quoted: bool
    ours: bool


class Token(NamedTuple):
    """Something that we signed. `for_sender`: it was made for the address that this mail comes from."""

    ticket_id: str
    for_sender: bool
    how: str


def referred(mail: ParsedMail, most: int, bounced: Sequence[str] = ()) -> list[str]:
    """The ids that a mail is about, newest first: those of letters that it says came back, then those it
    answers."""
    answered = mail.referred(most)
    return [*bounced, *(one for one in answered if one not in bounced)] if bounced else answered


def tokens_of(mail: ParsedMail, sender: str, ids: Sequence[str], signer: Signer) -> list[Token]:
    """What we signed, the strongest first: `ids` that the mail is about, addresses, quoted letters."""
    fields = (field for name in _DELIVERED_TO for field in mail.headers.get(name, ()))
    by_id = [(signer.in_message_id(one), f"our letter <{one}>, which it answers") for one in ids]
    by_address = signer.in_addresses(fields, MOST_SIGNED)
    by_mark = signer.in_body(mail.text, MOST_SIGNED) + signer.in_body(mail.html, MOST_SIGNED)
    found: list[tuple[Signed | None, str]] = [
        *by_id,
        *((one, "the address that our letter asked to answer to") for one in by_address),
        *((one, "the mark of our letter, which it quotes") for one in by_mark),
    ]
    return [Token(one.ticket_id, signer.made_for(one, sender), how) for one, how in found if one is not None]


def links_of(mail: ParsedMail, ids: Sequence[str], known: Mapping[str, ThreadId]) -> list[Link]:
    """The links of a mail that is about `ids`, the strongest first; `known` by `thread_id_for`."""
    links = []
    for message_id in ids:
        found = known.get(thread_id_for(message_id))
        if found is not None:
            links.append(Link(message_id, found.ticket_id, quoted=True, ours=by_us(found)))
    own = known.get(thread_id_for(mail.message_id)) if mail.message_id else None
    if own is not None and not own.carried:
        links.append(Link(mail.message_id, own.ticket_id, quoted=False, ours=False))
    return links


def by_us(found: ThreadId) -> bool:
    """Whether a letter of ours carried the id; no mail that came in can make it look so."""
    return found.carried and not found.message


def numbers_in(texts: Iterable[str], hooks: Sequence[str] = ()) -> list[int]:
    """The ticket numbers that these texts name, as in `[#10042]` or behind one of `hooks`, each once."""
    behind = "|".join(re.escape(hook) for hook in hooks if hook.strip())
    pattern = re.compile(rf"{_NUMBER}|(?:{behind})(\d{{1,12}})(?!\d)" if behind else rf"{_NUMBER}()")
    found = (int(one[1] or one[2]) for text in texts for one in pattern.finditer(text[:LOOKED_THROUGH]))
    return list(islice(dict.fromkeys(found), MOST_NUMBERS))
