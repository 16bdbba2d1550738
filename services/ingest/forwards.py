"""The inner mail of a forward: who wrote it, when, about what, and its text. Pure, never raises.

What is read here was written by whoever forwarded it, and proves nothing: it is an offer to the agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ingest.headers import Address, addresses
from services.ingest.quote_openers import Opener, Opening
from services.ingest.quote_words import FORWARD_PREFIXES, folded
from services.ingest.quotes import header_fields, is_marked, openings, unmarked
from services.ingest.subjects import same_subject

_LONGEST_PREFIX = 12
_MOST_LINES_BEFORE = 20


@dataclass(frozen=True, slots=True)
class Forwarded:
    """The inner mail, as its header fields were written; empty where they say nothing."""

    sender: str
    date: str
    subject: str
    text: str

    @property
    def author(self) -> Address | None:
        """The sender as an address, when there is one; some clients write `Name [mailto:address]`."""
        name, angle, address = self.sender.replace("*", "").replace("mailto:", "<").partition("<")
        written = (
            f"{name.rstrip('[ ')} <{address.strip('<').partition('<')[0].rstrip(']> ')}>" if angle else name
        )
        found = addresses(written, 1)
        return found[0] if found and "@" in found[0].address else None


def says_forward(subject: str) -> bool:
    """Whether the subject begins with what mail clients put before that of a forward."""
    prefix, colon, _ = subject.replace("\N{FULLWIDTH COLON}", ":", 1).partition(":")
    return bool(colon) and len(prefix) <= _LONGEST_PREFIX and folded(prefix) in FORWARD_PREFIXES


def is_forward(opening: Opening, alone: bool, subject: str, inner_subject: str = "") -> bool:
    """Whether the quote that this opens is a forward; `alone` when nothing was written above it.

    Some clients quote a reply as they quote a forward. Then the subjects tell: that of a forward says so, and
    a reply has that of the mail it answers. And nobody sends a reply without a word in it.
    """
    if opening.kind is Opener.FORWARD:
        return True
    quotes_a_mail = opening.kind is Opener.FIELDS or (
        opening.kind is Opener.ORIGINAL and opening.fields is not None
    )
    return quotes_a_mail and (alone or says_forward(subject) or not same_subject(subject, inner_subject))


def opening_within(lines: Sequence[str]) -> tuple[list[str], Opening | None]:
    """The lines of a quote without their marks, and the opening that they begin with, if they do."""
    bare = without_marks(lines)
    first = next((at for at, line in enumerate(bare) if line.strip()), None)
    if first is None:
        return bare, None
    head = bare[: first + _MOST_LINES_BEFORE]
    found = openings(head, [is_marked(line) for line in head])
    return bare, found[0] if found and found[0].start == first else None


def without_marks(lines: Sequence[str]) -> list[str]:
    """The lines without their outermost marks, if every line that is not empty has one."""
    written = [line for line in lines if line.strip()]
    if written and all(map(is_marked, written)):
        return [unmarked(line) for line in lines]
    return list(lines)


def inner_mail(lines: Sequence[str]) -> Forwarded:
    """The mail in the lines after a separator, or from its header fields on."""
    bare = without_marks(lines)
    start = next((at for at, line in enumerate(bare) if line.strip()), len(bare))
    fields, end = header_fields(bare, start)
    return Forwarded(
        sender=fields.get("from", ""),
        date=fields.get("date", ""),
        subject=fields.get("subject", ""),
        text="\n".join(without_marks(bare[end:])).strip(),
    )
