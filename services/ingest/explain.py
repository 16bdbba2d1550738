"""`ombud explain`: what Ombud makes of a raw mail, as one JSON object. All names are always there.

Nothing is stored and nobody is asked: it is the very reading that intake does, shown.
"""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from services.ingest.authentication import Said, authenticate
from services.ingest.bounces import bounce_of
from services.ingest.dates import written_date
from services.ingest.headers import Address, addresses
from services.ingest.parse_workers import ParseWorkers, parsed
from services.ingest.parsing import ParsedMail, parse
from services.ingest.recognise import AUTO_REPLIES, NOTICES, Recognised, recognise
from services.ingest.reply_text import Split, split
from services.ingest.settings import Limits
from shared.domain.errors import Unreadable

_UNKNOWN: dict[str, Any] = {
    "file": "",
    "ok": False,
    "error": None,
    "message_id": None,
    "in_reply_to": None,
    "references": [],
    "subject": None,
    "from": None,
    "sender": None,
    "reply_to": [],
    "to": [],
    "cc": [],
    "date": None,
    "body_text": None,
    "body_html": None,
    "reply_text": None,
    "quoted_text": None,
    "signature": None,
    "quotes_removed_text": None,
    "is_forward": False,
    "forwarded": None,
    "attachments": [],
    "kind": None,
    "is_auto_generated": False,
    "is_auto_reply": False,
    "is_bounce": False,
    "bounce": None,
    "may_auto_respond": False,
    "language": None,
    "authentication": None,
    "decisions": [],
}


def explain(
    raw: bytes,
    file: str,
    limits: Limits | None = None,
    own_addresses: Collection[str] = (),
    secret: bytes = b"",
    authserv_ids: Collection[str] = (),
) -> dict[str, Any]:
    """The object for one mail, read from `file`. One that would be quarantined has `ok` false.

    `authserv_ids` are those whose Authentication-Results our mailboxes believe.
    """
    try:
        mail = parse(raw, limits or Limits())
    except Unreadable as fault:
        return _refused(file, fault)
    return _told(mail, file, own_addresses, secret, authserv_ids)


async def explain_apart(
    workers: ParseWorkers,
    raw: bytes,
    file: str,
    limits: Limits,
    own_addresses: Collection[str] = (),
    secret: bytes = b"",
    authserv_ids: Collection[str] = (),
) -> dict[str, Any]:
    """As `explain`, and within intake's limits of time and memory: what may take long is read by `workers`.

    Raises `Unavailable` when they cannot be started.
    """
    try:
        mail = await parsed(raw, limits, workers)
    except Unreadable as fault:
        return _refused(file, fault)
    return _told(mail, file, own_addresses, secret, authserv_ids)


def _refused(file: str, fault: Unreadable) -> dict[str, Any]:
    return {**_UNKNOWN, "file": file, "error": str(fault)}


def _told(
    mail: ParsedMail,
    file: str,
    own_addresses: Collection[str],
    secret: bytes,
    authserv_ids: Collection[str],
) -> dict[str, Any]:
    found = recognise(mail, own_addresses, secret)
    parts = split(mail.text, mail.html, mail.subject)
    return {
        **_UNKNOWN,
        "file": file,
        "ok": True,
        **_read(mail),
        **_parts(parts),
        **_recognised(mail, found),
        "authentication": _authentication(mail, authserv_ids),
        "decisions": [*found.reasons, *mail.decisions, *parts.decisions],
    }


def _authentication(mail: ParsedMail, authserv_ids: Collection[str]) -> dict[str, Any] | None:
    """What the first server that we believe, and that says something of the mail, has found out."""
    for name in authserv_ids:
        found = authenticate(mail, name)
        if found.methods or found.said is not Said.UNKNOWN:
            return {"by": name, "said": found.said.value, "reason": found.reason, "methods": found.methods}
    return None


def _read(mail: ParsedMail) -> dict[str, Any]:
    return {
        "message_id": mail.message_id or None,
        "in_reply_to": mail.in_reply_to[0] if mail.in_reply_to else None,
        "references": mail.references,
        "subject": mail.subject,
        "from": _person(mail.sender) if mail.sender else None,
        "sender": _first(mail, "sender"),
        "reply_to": [_person(one) for one in mail.reply_to],
        "to": [_person(one) for one in mail.to],
        "cc": [_person(one) for one in mail.cc],
        "date": _written(mail),
        "body_text": mail.text,
        "body_html": mail.html or None,
        "attachments": [attachment.model_dump(exclude={"place"}) for attachment in mail.attachments],
    }


def _parts(parts: Split) -> dict[str, Any]:
    inner = parts.forwarded
    return {
        "reply_text": parts.reply_text,
        "quoted_text": parts.quoted_text,
        "signature": parts.signature,
        "quotes_removed_text": parts.quotes_removed_text,
        "is_forward": parts.is_forward,
        "forwarded": {
            "from": inner.sender,
            "date": inner.date,
            "subject": inner.subject,
            "text": inner.text,
        }
        if inner
        else None,
    }


def _recognised(mail: ParsedMail, found: Recognised) -> dict[str, Any]:
    return {
        "kind": found.kind.value,
        "is_auto_generated": found.automatic,
        "is_auto_reply": found.kind in AUTO_REPLIES,
        "is_bounce": found.kind in NOTICES,
        "bounce": asdict(bounce_of(mail)) if found.kind in NOTICES else None,
        "may_auto_respond": found.may_auto_respond,
    }


def _first(mail: ParsedMail, name: str) -> dict[str, str] | None:
    found = addresses(",".join(mail.headers.get(name, [])), 1)
    return _person(found[0]) if found else None


def _written(mail: ParsedMail) -> str | None:
    """The date with the offset of the sender's zone, where `ParsedMail` has it in UTC."""
    found = written_date(next(iter(mail.headers.get("date", [])), "")) if mail.date else None
    return found.isoformat() if found else None


def _person(address: Address) -> dict[str, str]:
    return {"name": address.name, "address": address.address}
