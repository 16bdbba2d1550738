"""A mail that tells what became of another one: whether it is such a notice, and what it says. Pure.

RFC 3464 reports first, the words of the notice where there is none, then the mail that came back. Never
raises; time is linear in the mail (each table of phrases is searched in text of bounded length).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from services.ingest import bounces_report, bounces_text
from services.ingest.bounces_phrases import (
    DELAYED,
    INTRODUCES,
    NOT_YET,
    SERVER_SAID,
    SUBJECT,
    SUBJECT_OF_SYSTEMS,
    SUBJECT_OTHERS,
)
from services.ingest.bounces_reason import (
    HARD,
    UNDEFINED,
    code_of,
    reason_of,
    saw_content,
    stand_in,
    status_of,
    temporary_of,
)
from services.ingest.bounces_report import Told, address_in
from services.ingest.headers import ids, text_of
from services.ingest.parsing import ParsedMail

LOOKED_AT = 8 * 1024
"""Characters of a notice in which it must say what it is."""

_DAEMON = re.compile(r"^(mailer[-_]?daemon|mail[-_.]?daemon|mdaemon|double-bounce)@", re.IGNORECASE)
_SYSTEM = re.compile(
    r"^(mailer[-_]?daemon|mail[-_.]?daemon|mdaemon|mail[-_.]?delivery([-_.](sub)?system)?|double-bounce|"
    r"postmaster|post[-_.]master|mmdf|mailsweeper|interscan|imss|symantec_antivirus\S{0,60}|"
    r"\S{0,30}_smtp_mail_service)@",
    re.IGNORECASE,
)
_SYSTEM_NAME = re.compile(
    r"mail deliver(y|er)? (sub)?system|mailer[- ]daemon|mail administrator|system administrator|postmaster|"
    r"ndr administrator|microsoft (outlook|exchange)",
    re.IGNORECASE,
)
_MESSAGE_ID = re.compile(
    r"^[ \t>]{0,4}(?:message-id|original message-id)[ \t]*:[ \t]*<?([^\s<>]{3,250})", re.I | re.M
)
_TO = re.compile(
    r"^(?:to|x-original-to|delivered-to)[ \t]*:[ \t]*([^\n]{1,1000})", re.IGNORECASE | re.MULTILINE
)
_REJECTED = re.compile(
    r"was (automatically )?(rejected|refused)|wurde abgelehnt|a été rejeté|fue rechazado", re.I
)
_FORWARDED = re.compile(r"(fwd?|wg|tr|rv|enc|i)\s*:", re.IGNORECASE)
_REPORT_TYPE = re.compile(r"report-type\s*=\s*\"?([a-z-]+)", re.IGNORECASE)
_OTHER_REPORTS = frozenset({"disposition-notification", "feedback-report"})
_STATUS_PARTS = ("delivery-status", "disposition-notification")
_SNS = re.compile(r"\"notificationType\"\s*:\s*\"(Bounce|Complaint|Delivery)\"")
_SNS_RECIPIENT = re.compile(r"\{[^{}]{0,300}\"emailAddress\"\s*:\s*\"([^\"]{3,320})\"[^{}]{0,2000}\}")
_SNS_FIELD = re.compile(r"\"(status|diagnosticCode)\"\s*:\s*\"([^\"]{0,2000})\"")


class Outcome(StrEnum):
    """What a notice says became of the mail."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Bounce:
    """A notice that a mail was not delivered, or not yet.

    `recipients`, `statuses` (RFC 3463), `reply_codes` (RFC 5321, empty where none was told) and `reasons`
    (one word each) go together: the n-th of each is about the n-th recipient. `hard`: writing to one of them
    again is in vain, or the failure is for good and has no reason; None when it tells of no recipient.
    `reason`: the first that is hard, else the first. `original_message_id`: of the mail that was not
    delivered, without `<>`, empty when unknown.
    """

    hard: bool | None
    recipients: list[str] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    reply_codes: list[str] = field(default_factory=list)
    reason: str = UNDEFINED
    reasons: list[str] = field(default_factory=list)
    original_message_id: str = ""


def is_system(mail: ParsedMail) -> bool:
    """Whether a mail system, not a person, is its sender."""
    sender = mail.sender
    if sender is None or not sender.address:
        return True
    if _SYSTEM.match(sender.address) or _SYSTEM_NAME.search(sender.name):
        return True
    return any(
        value.strip() == "<>" for name in ("from", "return-path") for value in mail.headers.get(name, [])
    )


def outcome_of(mail: ParsedMail) -> Outcome | None:
    """What it says became of another mail; None when it is no notice."""
    kind = _report_type(mail)
    if kind in _OTHER_REPORTS:
        # A filter that throws a mail away says so in the form of a receipt for the reader (RFC 8098).
        thrown = kind == "disposition-notification" and _REJECTED.search(mail.text[:LOOKED_AT])
        return Outcome.FAILED if thrown else None
    report = _report(mail)
    actions = [told.action for told in bounces_report.recipients_in(report)] if report else []
    if found := _by_actions(actions):
        return found
    if (sns := _sns(mail)) is not None:
        return {"Bounce": Outcome.FAILED, "Delivery": Outcome.DELIVERED}.get(sns)
    notice = bounces_text.notice_of(mail.text)[0][:LOOKED_AT]
    if not report and not kind and not _is_notice(mail, notice):
        return None
    return Outcome.DELAYED if _is_delay(mail, notice) else Outcome.FAILED


def is_complaint(mail: ParsedMail) -> bool:
    """Whether it is a provider's JSON notice that somebody called a mail of ours spam."""
    return _sns(mail) == "Complaint"


def bounce_of(mail: ParsedMail) -> Bounce:
    """What a notice of failure or delay says. Asked only of one that `outcome_of` knows."""
    notice, returned = bounces_text.notice_of(mail.text)
    told = _told(mail, notice, returned)
    read = [_read(one, notice, alone=len(told) == 1) for one in told]
    reasons = [reason for _, _, reason in read]
    return Bounce(
        hard=_hard(read),
        recipients=[one.recipient for one in told if one.recipient],
        statuses=[status for status, _, _ in read],
        reply_codes=[code for _, code, _ in read],
        reason=next((one for one in reasons if one in HARD), (reasons or [UNDEFINED])[0]),
        reasons=reasons,
        original_message_id=_original_id(mail, returned),
    )


def _by_actions(actions: Iterable[str]) -> Outcome | None:
    found = set(actions)
    if "failed" in found or "failure" in found:
        return Outcome.FAILED
    if "delayed" in found:
        return Outcome.DELAYED
    return Outcome.DELIVERED if found & {*_DONE, "deliverable"} else None


def _report_type(mail: ParsedMail) -> str:
    """Of a `multipart/report`: what its header calls it, else its parts; empty for any other mail."""
    if mail.content_type != "multipart/report":
        return ""
    found = _REPORT_TYPE.search(mail.header("content-type"))
    if found:
        return found[1].lower()
    parts = (one.content_type.partition("/")[2] for one in mail.reports)
    return next((one for one in parts if one in _OTHER_REPORTS), "delivery-status")


def _report(mail: ParsedMail) -> str:
    """The fields of its delivery report; of one that stands in the text when there is no part of its own."""
    parts = [one.text for one in mail.reports if one.content_type.endswith(_STATUS_PARTS)]
    if parts:
        return "\n\n".join(parts)
    if not is_system(mail):
        return ""
    texts = (mail.text[: bounces_text.LONGEST], *(one.text for one in mail.reports))
    return next((one for one in texts if bounces_report.is_report(one)), "")


def _is_notice(mail: ParsedMail, notice: str) -> bool:
    if "x-failed-recipients" in mail.headers:
        return True
    system = is_system(mail)
    if SUBJECT_OF_SYSTEMS.fullmatch(mail.subject.strip()):
        own = _unmarked(notice)
        told = own == notice or INTRODUCES.search(own) is not None
        nameless = mail.sender is None or not mail.sender.name
        if system or (told and (nameless or _names_one(mail, own))):
            return True
    if mail.sender is not None and _DAEMON.match(mail.sender.address):
        return True
    named = _says_failure(mail.subject[:400])
    if system:
        return named or INTRODUCES.search(notice) is not None or _gives_answer(mail, notice)
    # The words are looked for last: that takes milliseconds, and no mail of a person gets so far.
    return named and _is_program_s(mail, notice) and INTRODUCES.search(_unmarked(notice)) is not None


def _says_failure(subject: str) -> bool:
    others = not subject.isascii() and SUBJECT_OTHERS.search(subject) is not None
    return others or SUBJECT.search(subject) is not None


def _unmarked(notice: str) -> str:
    """Without the lines that are marked as quoted: a person who asks about a notice quotes it."""
    return "\n".join(line for line in notice.split("\n") if not line.lstrip().startswith(">"))


def _gives_answer(mail: ParsedMail, notice: str) -> bool:
    """Whether it gives a server's answer about an address, in whatever language the rest of it is."""
    return SERVER_SAID.search(notice) is not None and _names_one(mail, notice)


def _names_one(mail: ParsedMail, notice: str) -> bool:
    """Whether it says of somebody that they did not get a mail."""
    return bool(bounces_text.recipients_in(notice, _ours(mail)))


def _ours(mail: ParsedMail) -> set[str]:
    """The addresses that are its sender's and its recipients', in lower case."""
    return {one.address for one in mail.to} | ({mail.sender.address} if mail.sender else set())


def _is_program_s(mail: ParsedMail, notice: str) -> bool:
    """Whether one without a mail system's address wrote it: no name, answers nobody, names a recipient.

    A person who forwards a notice, or asks about it, has a name or answers somebody more often than not; if
    not, a notice too few is better than a customer too few.
    """
    if mail.sender is None or mail.sender.name or mail.in_reply_to or _FORWARDED.match(mail.subject.strip()):
        return False
    return _names_one(mail, notice)


def _is_delay(mail: ParsedMail, notice: str) -> bool:
    return DELAYED.search(f"{mail.subject[:400]}\n{notice}") is not None and (
        re.search(r"permanent|giving up|given up|final", NOT_YET.sub(" ", notice), re.IGNORECASE) is None
    )


def _told(mail: ParsedMail, notice: str, returned: str) -> list[Told]:
    if _sns(mail) is not None:
        return _of_sns(mail)
    ours = _ours(mail)
    # One who writes to themselves is their own recipient: only then do our own addresses count.
    in_words = bounces_text.recipients_in(notice, ours) or bounces_text.recipients_in(notice, ())
    if report := _report(mail):
        reported = [one for one in bounces_report.recipients_in(report) if one.action not in _DONE]
        if reported and any(one.recipient for one in reported):
            return [_completed(one, in_words) for one in reported]
    header = [
        address_in(one)
        for value in mail.headers.get("x-failed-recipients", [])
        for one in text_of(value).split(",")
    ]
    if any(header):
        return [_completed(Told(one), in_words) for one in dict.fromkeys(header) if one]
    return in_words or _guessed(mail, notice, returned, ours)


_DONE = ("delivered", "relayed", "expanded")


def _completed(told: Told, in_words: list[Told]) -> Told:
    """What the report leaves out, from the words about the same recipient."""
    words = next((one.said for one in in_words if one.recipient.lower() == told.recipient.lower()), "")
    if not words and len(in_words) == 1:
        words = in_words[0].said
    return Told(told.recipient, told.action, told.status, told.said or words)


def _guessed(mail: ParsedMail, notice: str, returned: str, ours: set[str]) -> list[Told]:
    """The recipient when no line is about one: the mail that came back was addressed to them."""
    heads = [returned, *(one.text[:LOOKED_AT] for one in mail.reports)]
    for head in heads:
        if found := _TO.search(head):
            address = address_in(found[1])
            if address and address.lower() not in ours:
                return [Told(address, said=notice)]
    domain = mail.sender.address.rpartition("@")[2] if mail.sender else ""
    if domain and (named := bounces_text.local_name_in(notice, domain)):
        return [named]
    address = bounces_text.any_address_in(f"{mail.subject[:400]}\n{notice}", ours)
    return [Told(address, said=notice)] if address else []


def _read(told: Told, notice: str, *, alone: bool) -> tuple[str, str, str]:
    """Status, reply code and reason of one recipient. `alone`: the whole notice is about it."""
    said = told.said or notice
    status, code = status_of(told.status, said), code_of(said) or code_of(told.status[:4])
    reason = reason_of(status, said)
    if reason == UNDEFINED and told.said:
        reason = reason_of(status, notice)
    about = f"{notice}\n{said}" if alone else said
    if reason == "userunknown" and ".1." not in status and saw_content(about):
        reason = "filtered"
    if reason == UNDEFINED and told.action == "delayed":
        reason = "expired"
    if not status:
        status = stand_in(reason, temporary_of(status, code, said))
    return status, code, reason


def _hard(read: list[tuple[str, str, str]]) -> bool | None:
    """A reason tells best; where nobody gives one, the class of the status does (RFC 3463 section 2)."""
    if any(reason in HARD for _, _, reason in read):
        return True
    unknown = [status for status, _, reason in read if reason == UNDEFINED]
    return any(not status.startswith("4") for status in unknown) if read else None


def _original_id(mail: ParsedMail, returned: str) -> str:
    for report in mail.reports:
        if found := _MESSAGE_ID.search(
            report.text[:LOOKED_AT] if "status" in report.content_type else report.text
        ):
            return found[1]
    if found := _MESSAGE_ID.search(returned) or _MESSAGE_ID.search(mail.text[: bounces_text.LONGEST]):
        return found[1]
    named = [name for name in mail.headers if name.endswith("original-message-id")]
    headers = [one for name in named for one in ids(mail.header(name))]
    return next(iter([*mail.in_reply_to, *reversed(mail.references), *headers]), "")


def _sns(mail: ParsedMail) -> str | None:
    """The kind of a JSON notice of Amazon SES by way of SNS; None when it is none."""
    if "notificationType" not in mail.text[:LOOKED_AT]:
        return None
    found = _SNS.search(mail.text[:LOOKED_AT].replace("\\", ""))
    return found[1] if found else None


def _of_sns(mail: ParsedMail) -> list[Told]:
    text = mail.text[: bounces_text.LONGEST].replace('\\"', '"')
    told = []
    for found in _SNS_RECIPIENT.finditer(text):
        fields = dict(_SNS_FIELD.findall(found[0]))
        told.append(Told(found[1], status=fields.get("status", ""), said=fields.get("diagnosticCode", "")))
    return told
