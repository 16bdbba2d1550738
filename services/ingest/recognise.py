"""What a mail is, and whether a machine may answer it. Pure; never raises.

RFC 3834 and the headers that vendors use in its place (services/ingest/automatic.py), notices of what became
of another mail (services/ingest/bounces.py), lists, calendars, and our own letters coming back.
`may_auto_respond` is false for everything that is not plainly written by a person to us: a loop costs more
than an acknowledgement that nobody got.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from enum import StrEnum

from services.ingest import automatic
from services.ingest.bounces import Outcome, is_complaint, outcome_of
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
    DELIVERY_DELAY = "delivery_delay"
    DELIVERY_SUCCESS = "delivery_success"
    CHALLENGE = "challenge"
    FEEDBACK_REPORT = "feedback_report"
    READ_RECEIPT = "read_receipt"
    LIST = "list"
    CALENDAR = "calendar"
    OWN_LOOP = "own_loop"


NOTICES = frozenset({Kind.BOUNCE, Kind.DELIVERY_DELAY})
"""Kinds that say that a mail was not delivered, or not yet."""

AUTO_REPLIES = frozenset({Kind.AUTO_REPLY, Kind.OUT_OF_OFFICE, Kind.CHALLENGE})
"""Kinds by which a machine answers a mail."""

_BY_PERSONS = frozenset({Kind.MESSAGE, Kind.LIST, Kind.CALENDAR})
"""Kinds that a person may have written; a machine's sign tells otherwise."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """See the module. `automatic`: a machine wrote it, so it moves no state. `reasons`: what told us."""

    kind: Kind
    automatic: bool
    may_auto_respond: bool
    reasons: list[str] = field(default_factory=list)


_REPORTS = {
    "disposition-notification": Kind.READ_RECEIPT,
    "feedback-report": Kind.FEEDBACK_REPORT,
}
_OUTCOMES = {
    Outcome.FAILED: (Kind.BOUNCE, "it says that a mail was not delivered"),
    Outcome.DELAYED: (Kind.DELIVERY_DELAY, "it says that a mail is not delivered yet"),
    Outcome.DELIVERED: (Kind.DELIVERY_SUCCESS, "it says that a mail was delivered"),
}
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([a-z-]+)", re.IGNORECASE)
_ANSWERS_INVITATION = re.compile(
    r"^METHOD:(REPLY|COUNTER|DECLINECOUNTER|REFRESH)\b", re.IGNORECASE | re.MULTILINE
)
_LIST_HEADERS = ("list-id", "list-post", "mailing-list", "x-mailing-list", "x-ml-name", "x-mlserver")


def recognise(mail: ParsedMail, own_addresses: Collection[str], secret: bytes) -> Recognised:
    """What `mail` is; `own_addresses` are our mailboxes', in lower case, `secret` signs our loop mark."""
    kind, reason = _kind(mail, own_addresses, secret)
    reasons = [reason] if reason else []
    machine = kind not in _BY_PERSONS
    if not machine and (sign := automatic.sign_of(mail) or _accepts(mail, kind)):
        machine = True
        reasons.append(sign)
    silent = automatic.silence_asked(mail)
    if silent:
        reasons.append(silent)
    return Recognised(kind, machine, kind is Kind.MESSAGE and not machine and not silent, reasons)


def _kind(mail: ParsedMail, own_addresses: Collection[str], secret: bytes) -> tuple[Kind, str]:
    if looped := _own_loop(mail, own_addresses, secret):
        return Kind.OWN_LOOP, looped
    return _machine_s(mail) or _person_s(mail)


def _machine_s(mail: ParsedMail) -> tuple[Kind, str] | None:
    """The kind of a mail that tells by itself that a machine wrote it."""
    if answered := automatic.reply_header(mail):
        return _answer(mail), answered
    if (outcome := outcome_of(mail)) is not None:
        return _OUTCOMES[outcome]
    if reported := _reported(mail):
        return reported, "it is a report"
    if automatic.is_challenge(mail):
        return Kind.CHALLENGE, "it wants its recipient to prove that they are a person"
    answered = automatic.reply_sign(mail)
    return (_answer(mail), answered) if answered else None


def _person_s(mail: ParsedMail) -> tuple[Kind, str]:
    parts = [mail.content_type, *(one.content_type for one in mail.reports)]
    if "text/calendar" in parts:
        return Kind.CALENDAR, "it has a calendar part"
    listed = _list(mail)
    return (Kind.LIST if listed else Kind.MESSAGE), listed


def _answer(mail: ParsedMail) -> Kind:
    return Kind.OUT_OF_OFFICE if automatic.says_away(mail.subject) else Kind.AUTO_REPLY


def _reported(mail: ParsedMail) -> Kind | None:
    found = _REPORT_TYPE.search(mail.header("content-type"))
    if found and (kind := _REPORTS.get(found[1].lower())):
        return kind
    if mail.content_type == "multipart/report":
        for part in mail.reports:
            if kind := _REPORTS.get(part.content_type.partition("/")[2]):
                return kind
    return Kind.FEEDBACK_REPORT if is_complaint(mail) or automatic.is_complaint(mail) else None


def _own_loop(mail: ParsedMail, own_addresses: Collection[str], secret: bytes) -> str:
    marks = mail.headers.get(LOOP_HEADER.lower(), [])
    if any(marked_ticket(secret, mark) is not None for mark in marks):
        return "a letter of ours came back: it bears our signed mark"
    if mail.sender is not None and _is_ours(mail.sender.address, own_addresses):
        return "its sender is one of our own addresses"
    hops = len(mail.headers.get("received", []))
    return f"it went through {hops} servers, so it is going round" if hops >= MOST_HOPS else ""


def _is_ours(address: str, own_addresses: Collection[str]) -> bool:
    """Whether it is a mailbox of ours, with the tag of a Reply-To or without (RFC 5233)."""
    local, _, domain = address.rpartition("@")
    return address in own_addresses or f"{local.partition('+')[0]}@{domain}" in own_addresses


def _accepts(mail: ParsedMail, kind: Kind) -> str:
    """A calendar program's answer to an invitation is a machine's; an invitation is a person's."""
    if kind is Kind.CALENDAR and any(_ANSWERS_INVITATION.search(one.text) for one in mail.reports):
        return "a calendar answers an invitation"
    return ""


def _list(mail: ParsedMail) -> str:
    for name in _LIST_HEADERS:
        if name in mail.headers:
            return f"it has {name}"
    return "its Precedence is list" if mail.header("precedence").lower() == "list" else ""
