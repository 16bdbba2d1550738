"""The words of a bounce: who did not get the mail, and what was said of each. Pure; never raises.

A notice is read line by line, as a person does: a line that begins with an address, or names one after a
word such as "unknown user", is about that address, and what follows up to the next one is the reason. The
mail that came back, below the notice, is cut off first. Time is linear: only `LONGEST` characters are read.
"""

import re
from collections.abc import Collection

from services.ingest.bounces_phrases import INTRODUCES, RETURNED
from services.ingest.bounces_report import MOST_RECIPIENTS, Told

LONGEST = 64 * 1024
LONGEST_SAID = 1500

_ADDRESS = r"[\w.!#$%&'*+/=?^`{|}~-]{1,120}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
_ANY_ADDRESS = re.compile(rf"(?<![\w.+=-]){_ADDRESS}")
_LEADS = re.compile(
    rf"^[\s>*|\"'<(\[\u2022-]{{0,40}}(?:[45]\d\d[ -](?=\S{{3,200}}\.\.\.))?"
    rf"[\"'<]{{0,3}}({_ADDRESS})[\"'>]{{0,3}}(?:$|[\s:;,.<(\[!]| - )"
)
_NAMES = re.compile(
    rf"(?:unknown user|userid|undeliverable (?:address|to)|allowed size|error-for|intended recipient|"
    rf"failed recipient|recipient(?: address)?|original-recipient|final-recipient|addressed to|addressee|"
    rf"(?:generated|expanded) from|rcpt to|delivered to|deliver(?:y|ing)?(?: (?:your|the|this|a))?"
    rf"(?: (?:mail|message|e-?mail))? to|your (?:mail|message) to|message to|did not reach[^\n]{{0,40}}|"
    rf"dda:smtp|smtp|message was addressed|target mail address|mailbox is full|"
    rf"violation for|failed for|problem with|an|adresse|destinataire|destinatario|empf(?:ä|ae)nger|"
    rf"to local user|recipient of your message)"
    rf"[\s:;,=<\"'(]{{1,12}}(?:rfc822;\s?|smtp;\s?)?({_ADDRESS})",
    re.IGNORECASE,
)
_ALONE = re.compile(r"^[\s<*\"']{0,20}([A-Za-z0-9][\w.+-]{1,60})[>\"']{0,2}\s*(?:$|   |\()")
_FORMER = re.compile(r"^\s*\((?:ultimately )?generated from", re.IGNORECASE)
_HELP = re.compile(
    r"contact|please (?:send|forward|reply|write)|for (?:further )?assistance|postmaster|"
    r"^\s*(?:from|reply-to|sender|subject|cc|date|sent|message-id|envelope-from)\s*:|"
    r"mail from|hello |^hi |sehr geehrte|dear ",
    re.IGNORECASE,
)
_HEADER = re.compile(r"^[ \t]{0,12}(?:to|cc|subject|sent|date|from)\s*:", re.IGNORECASE)


def notice_of(text: str) -> tuple[str, str]:
    """The notice, and the mail that came back below it; either may be empty."""
    text = text[:LONGEST]
    for found in RETURNED.finditer(text):
        if text[: found.start()].strip():
            return text[: found.start()], text[found.start() :]
    return text, ""


def recipients_in(notice: str, not_these: Collection[str]) -> list[Told]:
    """Whom it is about, each with what it says of them. `not_these`: ours and its sender's, in lower case."""
    found: dict[str, list[str]] = {}
    current = ""
    for line in notice.split("\n"):
        address = _subject_of(line, not_these)
        if address and current and _FORMER.match(line):
            address = ""  # the address before it was forwarded, of a recipient that is named already
        if address and (address.lower() in found or len(found) < MOST_RECIPIENTS):
            current = address.lower()
            found.setdefault(current, [address])
        if current:
            found[current].append(line)
    return [Told(told[0], said="\n".join(told[1:])[:LONGEST_SAID]) for told in found.values()]


def local_name_in(notice: str, domain: str) -> Told | None:
    """A recipient that is named by the local part alone, on the line after the introduction."""
    introduced = False
    for line in notice.split("\n"):
        if introduced and (found := _ALONE.match(line)):
            return Told(f"{found[1]}@{domain}", said=notice[:LONGEST_SAID])
        if line.strip():
            introduced = INTRODUCES.search(line) is not None and not _HEADER.match(line)
    return None


def any_address_in(notice: str, not_these: Collection[str]) -> str:
    """The first address in it that may be the recipient's."""
    for line in notice.split("\n"):
        if not _HELP.search(line[:400]):
            for found in _ANY_ADDRESS.findall(line[:2000]):
                if found.lower() not in not_these:
                    return str(found)
    return ""


def _subject_of(line: str, not_these: Collection[str]) -> str:
    line = line[:2000]
    if _HEADER.match(line):
        return ""
    leads = _LEADS.match(line)
    found = leads or _NAMES.search(line)
    if found is None or (leads is None and re.search(r"mail from", line, re.IGNORECASE)):
        return ""
    address = found[1].rstrip(".")
    return "" if address.lower() in not_these else address
