"""What a mail is, and whether a machine may answer it. Pure.

RFC 3834 and the headers that vendors use in its place. `may_auto_respond` is false for everything that is not
plainly written by a person to us: a loop costs more than an acknowledgement that nobody got.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from services.ingest.parsing import ParsedMail
from shared.domain.loop_mark import HEADER as LOOP_HEADER
from shared.domain.loop_mark import marked_ticket

MOST_HOPS = 100
"""Received fields from which on a mail is taken to be going round (RFC 5321 §6.3)."""


class Kind(StrEnum):
    """What a mail is."""

    MESSAGE = "message"
    AUTO_REPLY = "auto_reply"
    OUT_OF_OFFICE = "out_of_office"
    BOUNCE = "bounce"
    FEEDBACK_REPORT = "feedback_report"
    READ_RECEIPT = "read_receipt"
    LIST = "list"
    OWN_LOOP = "own_loop"


@dataclass(frozen=True, slots=True)
class Recognised:
    """See the module. `automatic`: a machine wrote it, so it moves no state. `reasons`: what told us."""

    kind: Kind
    automatic: bool
    may_auto_respond: bool
    reasons: list[str] = field(default_factory=list)


_REPORTS = {
    "delivery-status": Kind.BOUNCE,
    "disposition-notification": Kind.READ_RECEIPT,
    "feedback-report": Kind.FEEDBACK_REPORT,
}
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([a-z-]+)", re.IGNORECASE)
_DAEMON = re.compile(r"^(mailer-daemon|mail-daemon|mailerdaemon|mdaemon|double-bounce|postmaster)@")
_NOBODY = re.compile(
    r"^((no|do-?not|don-?t)[-_.]?reply|noreply[-+_.].*|bounces?([-+_.=].*)?|owner-.*|.*-(request|owner|bounces))@"
)
_AUTO_REPLY_HEADERS = ("x-autoreply", "x-auto-reply", "x-autorespond", "x-autoresponder", "x-auto-reply-from")
_BULK = frozenset({"bulk", "junk", "auto_reply", "auto-reply"})
_LIST_HEADERS = ("list-id", "list-post", "mailing-list", "x-mailing-list")
_AWAY = re.compile(
    r"out of (the )?office|away from (the|my) office|on vacation|abwesen|nicht im b(ü|ue)ro|absence|absent|"
    r"ausencia|fuera de (la )?oficina|fora do escrit|aus[eê]ncia|afwezig|fuori (sede|ufficio)",
    re.IGNORECASE,
)


def recognise(mail: ParsedMail, own_addresses: Collection[str], secret: bytes) -> Recognised:
    """What `mail` is; `own_addresses` are our mailboxes', in lower case, `secret` signs our loop mark."""
    looped = _own_loop(mail, own_addresses, secret)
    kind, reason = (Kind.OWN_LOOP, looped) if looped else _kind(mail)
    reasons = [reason] if reason else []
    automatic = kind not in (Kind.MESSAGE, Kind.LIST)
    if not automatic and (sign := _machine_sign(mail)):
        automatic = True
        reasons.append(sign)
    silent = _silence_asked(mail)
    if silent:
        reasons.append(silent)
    return Recognised(kind, automatic, kind is Kind.MESSAGE and not automatic and not silent, reasons)


def _kind(mail: ParsedMail) -> tuple[Kind, str]:
    if mail.content_type == "multipart/report":
        found = _REPORT_TYPE.search(mail.header("content-type"))
        kind = _REPORTS.get(found[1].lower(), Kind.BOUNCE) if found else Kind.BOUNCE
        return kind, "its content type is multipart/report"
    sender = mail.sender.address if mail.sender else ""
    if _DAEMON.match(sender):
        return Kind.BOUNCE, "a mail system sent it"
    if answered := _auto_reply(mail):
        away = _AWAY.search(mail.subject)
        return (Kind.OUT_OF_OFFICE if away else Kind.AUTO_REPLY), answered
    listed = _list(mail)
    return (Kind.LIST if listed else Kind.MESSAGE), listed


def _own_loop(mail: ParsedMail, own_addresses: Collection[str], secret: bytes) -> str:
    marks = mail.headers.get(LOOP_HEADER.lower(), [])
    if any(marked_ticket(secret, mark) is not None for mark in marks):
        return "a letter of ours came back: it bears our signed mark"
    if mail.sender is not None and mail.sender.address in own_addresses:
        return "its sender is one of our own addresses"
    hops = len(mail.headers.get("received", []))
    return f"it went through {hops} servers, so it is going round" if hops >= MOST_HOPS else ""


def _list(mail: ParsedMail) -> str:
    for name in _LIST_HEADERS:
        if name in mail.headers:
            return f"it has {name}"
    return "its Precedence is list" if mail.header("precedence").lower() == "list" else ""


def _auto_reply(mail: ParsedMail) -> str:
    submitted = mail.header("auto-submitted").lower()
    if submitted.startswith("auto-replied"):
        return "its Auto-Submitted is auto-replied"
    for name in _AUTO_REPLY_HEADERS:
        value = mail.header(name).lower()
        if value and value not in ("no", "none", "false"):
            return f"it has {name}"
    if mail.header("precedence").lower() in ("auto_reply", "auto-reply"):
        return "its Precedence is auto_reply"
    if _AWAY.search(mail.subject) and _machine_sign(mail):
        return "a machine sent it, and its subject says that somebody is away"
    return ""


def _machine_sign(mail: ParsedMail) -> str:
    """What shows that a machine wrote the mail, whatever it is; empty when nothing does."""
    submitted = mail.header("auto-submitted").lower()
    if submitted and not submitted.startswith("no"):
        return f"its Auto-Submitted is {submitted[:40]}"
    precedence = mail.header("precedence").lower()
    if precedence in _BULK:
        return f"its Precedence is {precedence}"
    if any(value.strip() == "<>" for value in mail.headers.get("return-path", [])):
        return "its return path is empty"
    return ""


def _silence_asked(mail: ParsedMail) -> str:
    """Why no machine may answer a mail that may well be a person's."""
    if mail.sender is None:
        return "it has no sender"
    if _NOBODY.match(mail.sender.address):
        return "its sender reads no answers"
    suppress = mail.header("x-auto-response-suppress").lower()
    if suppress and suppress != "none":
        return "its X-Auto-Response-Suppress asks for silence"
    if "list-unsubscribe" in mail.headers or "feedback-id" in mail.headers:
        return "it was sent to many"
    return ""
