"""A mail's bytes to what Ombud knows of it. Pure; nothing but `Unreadable` is ever raised, whatever the
bytes.

The standard library's parser (mime.py), our own reading of headers (headers.py) and of bodies (bodies.py).
What is missing is left empty: a mail without From, Date or Message-ID is a mail. What is broken is read as
far as it goes. What exceeds a limit that guards the reader (head, headers, parts, depth) is `Unreadable`;
what is only long is cut, and `decisions` says so.
"""

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

from services.ingest.bodies import Bodies, Report
from services.ingest.dates import date_of
from services.ingest.headers import Address, addresses, ids, own_id, text_of, unfolded
from services.ingest.mime import Part, whole
from services.ingest.mime_heads import mended, split
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable
from shared.domain.messages import Attachment

LIMITS = Limits()

# What the standard library raises on hostile mails, besides recursing too deeply.
_FAULTS = (ValueError, LookupError, TypeError, AttributeError, AssertionError, OverflowError)
_FIELD_START = re.compile(rb"\n(?![ \t])")
_SPACE = re.compile(r"\s+")
_IDS = re.compile(r"(?:[\s,]*<[^<>\s]{1,998}>)+[\s,]*")
_WHITE = b" \t\r\n\v\f"
_IDENTITY = ("message-id", "date", "from", "subject")


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail as it is read. Ids are without `<>`; text is clean (services/ingest/text.py).

    `headers`: every field body, raw and unfolded, by name in lower case. `fingerprint`: SHA-256 over what the
    sender wrote, the same for each delivery of the mail (the headers that relays add are not in it).
    `attached`: how the first text files begin that came with it, as a ticket's number may stand in one.
    `body_digest`: SHA-256 over the bytes below the headers without white space: what a signature of the
    body vouches for, for it may let spaces change (RFC 6376 §3.4.4).
    """

    fingerprint: str
    headers: dict[str, list[str]]
    content_type: str
    message_id: str
    in_reply_to: list[str]
    references: list[str]
    subject: str
    sender: Address | None
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    date: datetime | None
    text: str
    html: str
    attachments: list[Attachment]
    decisions: list[str] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    body_digest: str = ""

    def header(self, name: str) -> str:
        """The first field of this name (lower case), as text; empty when there is none."""
        found = self.headers.get(name)
        return text_of(found[0]) if found else ""

    @property
    def stable_id(self) -> str:
        """Its Message-ID, or one of ours that is the same at every delivery."""
        return self.message_id or f"{self.fingerprint[:32]}@no-message-id.invalid"

    def referred(self, most: int) -> list[str]:
        """The ids that it answers, newest first: In-Reply-To, then References from its end.

        At most `most`, the oldest always among them: it is the one that all mails of the thread share.
        """
        newest_first = dict.fromkeys([*self.in_reply_to, *reversed(self.references)])
        return _but_middle([one for one in newest_first if one != self.message_id], most - 1, 1)


def parse(raw: bytes, limits: Limits = LIMITS) -> ParsedMail:
    """Read a mail. Raises `Unreadable` and nothing else."""
    given, raw = raw, mended(raw)
    head, body = split(raw)
    _check(raw, head, limits)
    # Mended line ends are no longer those of the mail that is kept.
    cut_off = len(given) - len(raw) if given.endswith(raw) else None
    try:
        return _read(whole(raw), body, limits, cut_off)
    except RecursionError as fault:
        raise Unreadable("its parts or comments are nested too deeply") from fault
    except _FAULTS as fault:
        raise Unreadable(f"it cannot be parsed: {type(fault).__name__}") from fault


def is_heavy(raw: bytes, limits: Limits = LIMITS) -> bool:
    """Whether a mail may take long to read: a large one, one of many fields or of many parts."""
    if len(raw) > limits.apart_bytes:
        return True
    if raw.count(b"\n--") > limits.apart_parts:
        return True
    head, _ = split(raw)
    return head.count(b"\n") > limits.apart_fields


def _check(raw: bytes, head: bytes, limits: Limits) -> None:
    if len(raw) > limits.mail_bytes:
        raise Unreadable(f"it has {len(raw)} bytes, more than the limit mail_bytes={limits.mail_bytes}")
    if len(head) > limits.head_bytes:
        raise Unreadable(
            f"its head has {len(head)} bytes, more than the limit head_bytes={limits.head_bytes}"
        )
    fields = head.count(b"\n") + 1
    if fields > limits.headers:
        fields = len(_FIELD_START.findall(head)) + 1
    if fields > limits.headers:
        raise Unreadable(f"it has {fields} header fields, more than the limit headers={limits.headers}")


def _read(mail: Part, body: bytes, limits: Limits, cut_off: int | None) -> ParsedMail:
    headers: dict[str, list[str]] = {}
    for name, value in mail.head.raw_items():
        headers.setdefault(name.lower(), []).append(unfolded(str(value)))
    bodies = Bodies(limits, cut_off)
    bodies.walk(mail)
    text, html = bodies.text_and_html()
    return ParsedMail(
        fingerprint=_fingerprint(headers, body),
        headers=headers,
        content_type=text_of(mail.head.get_content_type()),
        message_id=own_id(_first(headers, "message-id")),
        in_reply_to=_but_middle(_ids(headers, "in-reply-to"), 1, limits.references - 1),
        references=_but_middle(_ids(headers, "references"), 1, limits.references - 1),
        subject=text_of(_first(headers, "subject")),
        sender=_sender(headers),
        reply_to=_addresses(headers, "reply-to", limits),
        to=_addresses(headers, "to", limits),
        cc=_addresses(headers, "cc", limits),
        date=date_of(_first(headers, "date")),
        text=text,
        html=html,
        attachments=bodies.attachments,
        decisions=bodies.decisions,
        reports=bodies.reports,
        attached=bodies.attached,
        body_digest=hashlib.sha256(body.translate(None, _WHITE)).hexdigest(),
    )


def _first(headers: dict[str, list[str]], name: str) -> str:
    """The first of these fields that says anything."""
    return next((one for one in headers.get(name, ()) if one.strip()), "")


def _ids(headers: dict[str, list[str]], name: str) -> list[str]:
    """Those of the first of these fields, and of others that are nothing but ids: some programs write a field
    for each, where RFC 5322 §3.6 allows one alone."""
    first, *others = headers.get(name) or [""]
    return ids(" ".join([first, *(one for one in others if _IDS.fullmatch(one))]))


def _addresses(headers: dict[str, list[str]], name: str, limits: Limits) -> list[Address]:
    found = headers.get(name)
    return list(addresses(",".join(found), limits.addresses)) if found else []


def _but_middle(found: list[str], first: int, last: int) -> list[str]:
    return found if len(found) <= first + last else [*found[:first], *found[len(found) - last :]]


def _sender(headers: dict[str, list[str]]) -> Address | None:
    """Who wrote it: From, else what comes nearest to it."""
    for name in ("from", "sender", "reply-to", "return-path"):
        found = addresses(_first(headers, name), 1)
        if found:
            return found[0]
    return None


def _fingerprint(headers: dict[str, list[str]], body: bytes) -> str:
    identity = [_SPACE.sub(" ", _first(headers, name)).strip() for name in _IDENTITY]
    hashed = hashlib.sha256("\0".join(identity).encode("utf-8", "surrogateescape"))
    hashed.update(b"\0")
    hashed.update(body.replace(b"\r\n", b"\n").rstrip(b"\n"))
    return hashed.hexdigest()
