"""Why a mail was not delivered, of what its server said: reason, reply code, enhanced status. Pure.

A reason is one word of `bounces_reasons.REASONS`, or `undefined`. An enhanced status that the notice does not
state is derived: class, then `0.9nn`, which RFC 3463 leaves free and bounce processors share, so that a list
of statuses tells the same as the list of reasons. Never raises; time is linear in the text, of which only
`LONGEST` characters are looked at.
"""

import re

from services.ingest.bounces_phrases import DELAYED
from services.ingest.bounces_reasons import REASONS
from services.ingest.bounces_reasons_first import FIRST
from services.ingest.bounces_reasons_words import ELSEWHERE

LONGEST = 4096
LONGEST_ELSEWHERE = 1000
"""Of an answer in another language than English: it is short, and its table is long."""

Table = tuple[tuple[str, re.Pattern[str]], ...]
"""Reasons, each with the phrases that tell it; the first whose phrases are found counts."""

UNDEFINED = "undefined"
HARD = frozenset({"userunknown", "hostunknown", "hasmoved", "notaccept"})
"""Reasons for which another mail to the address is in vain."""

_STATUS = re.compile(r"(?<![\w.])([245]\.\d{1,2}\.\d{1,3})(?![\d.]*\.\d)(?!\w)")
_CODE = re.compile(r"(?:(?<![\w.#/:])|(?<=\s:))([45][0-5]\d)(?=[\s\-:<,\])]|$)(?!-\d\d)")
_QUOTED_CODE = re.compile(r"\.\.\. ([45][0-5]\d) ")
_LAST_ANSWER = re.compile(r"<([45][0-5]\d) ([245]\.\d{1,2}\.\d{1,3}) [^<>\n]{1,300}>")
_SPACE = re.compile(r"\s+")
_NAMES = re.compile(r"https?://\S{1,500}|\S{0,120}@\S{1,255}", re.IGNORECASE)
_ANY_ANSWER = re.compile(
    r"(?:recipient|sender) address rejected:|rejected by the (?:server|recipient)[^.\n]{0,80}|"
    r"\bhost \S{1,255}(?: said| \[[^\]]{1,60}\](?: said)?):",
    re.IGNORECASE,
)
"""What stands in an answer and is not its reason: names and addresses, and words that begin any answer."""

_CONTENT = re.compile(
    r"end\s+of\s+data|>>> ?data\b|smtp command\s+data|in\s+reply\s+to\s+data\b", re.IGNORECASE
)
_NO_RECIPIENT = re.compile(
    r"no valid recipients|need rcpt|have an? [^\n]{0,60}account|does not exist", re.IGNORECASE
)
_PASSING = re.compile(
    r"host name lookup failure|temporar(y|ily)|try (again|later)|will be retried", re.IGNORECASE
)
_UNVERIFIED = re.compile(
    r"unverified|verification|temporar|try (again|later)|greylist|grey-list", re.IGNORECASE
)

_BY_STATUS = {
    "1.1": "userunknown",
    "1.2": "hostunknown",
    "1.3": "userunknown",
    "1.6": "hasmoved",
    "1.7": "rejected",
    "1.8": "rejected",
    "1.10": "userunknown",
    "2.2": "mailboxfull",
    "2.3": "mesgtoobig",
    "3.4": "mesgtoobig",
    "4.6": "networkerror",
    "7.13": "suspend",
    "7.17": "hasmoved",
    "7.20": "authfailure",
    "7.21": "authfailure",
    "7.22": "authfailure",
    "7.23": "authfailure",
    "7.24": "authfailure",
    "7.25": "requireptr",
    "7.26": "authfailure",
    "7.509": "authfailure",
    "7.606": "blocked",
    "7.650": "badreputation",
}
"""Subject and detail that leave no doubt (RFC 3463, RFC 7372, and large providers' lists)."""

_BY_STATUS_AT_LAST = {
    "2.0": "filtered",
    "2.1": "suspend",
    "3.1": "systemfull",
    "4.1": "expired",
    "4.2": "networkerror",
    "4.3": "systemerror",
    "4.4": "hostunknown",
    "4.5": "systemfull",
    "4.7": "expired",
    "5.0": "syntaxerror",
    "5.1": "syntaxerror",
    "5.2": "syntaxerror",
}
_BY_SUBJECT_AT_LAST = {
    "1": "userunknown",
    "2": "filtered",
    "3": "systemerror",
    "4": "networkerror",
    "5": "syntaxerror",
    "6": "contenterror",
    "7": "securityerror",
}

STAND_INS = {
    UNDEFINED: "0.900",
    "onhold": "0.901",
    "syntaxerror": "0.902",
    "norelaying": "0.909",
    "filtered": "0.910",
    "userunknown": "0.911",
    "hostunknown": "0.912",
    "hasmoved": "0.916",
    "rejected": "0.918",
    "suspend": "0.921",
    "mailboxfull": "0.922",
    "systemerror": "0.930",
    "systemfull": "0.931",
    "notaccept": "0.932",
    "mesgtoobig": "0.934",
    "mailererror": "0.939",
    "networkerror": "0.944",
    "speeding": "0.945",
    "expired": "0.947",
    "toomanyconn": "0.948",
    "contenterror": "0.960",
    "securityerror": "0.970",
    "virusdetected": "0.971",
    "blocked": "0.971",
    "policyviolation": "0.972",
    "requireptr": "0.973",
    "badreputation": "0.975",
    "authfailure": "0.976",
    "notcompliantrfc": "0.977",
    "spamdetected": "0.980",
}

_BEFORE_STATUS = frozenset({"mailboxfull", "speeding", "toomanyconn", "virusdetected"})
"""Said with whatever status: servers that know the address well answer 5.1.1 to a full mailbox."""


_OF_A_FULL_MAILBOX = frozenset({"speeding", "toomanyconn"})
"""Said besides, where the status is that of a full mailbox (RFC 3463 section 3.3): it gets too much mail."""


def statuses_in(text: str) -> list[str]:
    """The enhanced statuses that stand in it, in their order."""
    return _STATUS.findall(text[:LONGEST])


def status_of(stated: str, said: str) -> str:
    """The enhanced status: what the server itself said, else the one that its client states.

    The latter is often the client's own summary (4.4.7: given up); one that says nothing (x.0.0) yields.
    """
    said = said[:LONGEST]
    if last := _LAST_ANSWER.search(said):
        return last[2]
    found = [one for one in [*statuses_in(said), *statuses_in(stated)] if not one.startswith("2")]
    telling = [one for one in found if not one.endswith(".0.0")]
    return (telling or found or [""])[0]


def code_of(said: str) -> str:
    """The reply code of RFC 5321 that the server gave; empty when none is told."""
    said = said[:LONGEST]
    if last := _LAST_ANSWER.search(said):
        return last[1]
    found = _QUOTED_CODE.search(said) or _CODE.search(said)
    return found[1] if found else ""


def reason_of(status: str, said: str) -> str:
    """One word for it; `undefined` when nothing tells."""
    reason = _reason_of(status, said)
    if reason == "hostunknown" and (status.startswith("4") or _PASSING.search(said[:LONGEST])):
        return "networkerror"  # its name could not be looked up just now, which says nothing of the address
    if reason == "userunknown" and status.startswith("4") and _UNVERIFIED.search(said[:LONGEST]):
        return "systemerror"
    return reason


def _reason_of(status: str, said: str) -> str:
    whole = _SPACE.sub(" ", said[:LONGEST]).strip()
    named = _NAMES.sub(" ", whole)
    if clear := _spoken(named, FIRST):
        return clear
    text = _ANY_ANSWER.sub(" ", named)
    detail = status.partition(".")[2]
    spoken = _spoken(text, REASONS) or _spoken(text[:LONGEST_ELSEWHERE], ELSEWHERE)
    if spoken in _BEFORE_STATUS and not (detail == "2.2" and spoken in _OF_A_FULL_MAILBOX):
        return spoken
    if spoken == "notaccept" and detail == "1.10":
        return spoken  # what RFC 7505 section 4.2 means by it; others mean that there is no such user
    if detail in _BY_STATUS:
        return _BY_STATUS[detail]
    return (
        spoken
        or _BY_STATUS_AT_LAST.get(detail)
        or (_BY_SUBJECT_AT_LAST.get(detail.partition(".")[0]) if not detail.endswith(".0") else None)
        or UNDEFINED
    )


def stand_in(reason: str, temporary: bool) -> str:
    """The status for a reason when none was stated."""
    return f"{'4' if temporary else '5'}.{STAND_INS.get(reason, STAND_INS[UNDEFINED])}"


def temporary_of(status: str, code: str, said: str) -> bool:
    """Whether a later try may do better by itself."""
    if status[:1] in ("4", "5"):
        return status[0] == "4"
    if code:
        return code[0] == "4"
    return bool(DELAYED.search(said[:LONGEST]))


def _spoken(text: str, table: Table) -> str:
    return next((reason for reason, phrases in table if phrases.search(text)), "")


def saw_content(text: str) -> bool:
    """Whether the server answered to the mail itself, not to the address: then it judged the mail.

    A client that asks for everything at once shows DATA last as well when no recipient was taken.
    """
    text = text[: 2 * LONGEST]
    return _CONTENT.search(text) is not None and _NO_RECIPIENT.search(text) is None
