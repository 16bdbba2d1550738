"""A case of threading as `ombud thread` reads it, and the mails that it is made of. Pure.

A case is a conversation written down in few words: `messages` in the order in which they came, `in` those of
others, `out` our own letters. What a message does not say stands for what does not matter: its sender is the
first that the case names, its time follows the one before it. Raises `Invalid` for what is no case.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from services.ingest.headers import addresses
from services.ingest.settings import IngestSettings
from shared.domain.errors import Invalid

NOBODY = "somebody@customer.invalid"
"""Who writes when a case names nobody (RFC 2606 §2)."""

_BOUNDARY = "=_case"
_DATE = "Tue, 01 Sep 2026 09:59:58 +0200"
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FROM = re.compile(rb"^from:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_REPLY_ADDRESS = re.compile(r"^([^+@\s]+)\+[0-9a-z.-]{16,}@(\S+)$", re.IGNORECASE)
_ANYBODY = {"subject_reference": "any_sender"}
_ALWAYS: dict[str, Any] = {"reply_key_addresses": True, "subject_match": "never"}
"""What other products let one choose and Ombud always does."""
_SAME: dict[str, dict[Any, dict[str, Any]]] = {
    "follow_up_possible": {"yes": _ANYBODY, "new_ticket": {**_ANYBODY, "reopen_days": 0}},
    "changed_subject": {"new ticket although References match": {"changed_subject": "opens"}},
    "auto_reply_without_ticket": {"dropped": {"automatic_without_ticket": "ignored"}},
}
"""Settings of other products with a value, and what is the same in Ombud; see docs/conformance.md."""
_PLACES = {"body": "body", "attachment": "attachments"}
_REFERENCE = re.compile(rb"\[?Ticket#(\d+)\]?")
_THREADING = ("message_id", "in_reply_to", "references")


class CaseAttachment(BaseModel):
    """A file of a mail."""

    filename: str
    content_type: str = "application/octet-stream"
    content: str = ""


class CaseMessage(BaseModel):
    """A mail or a letter. `eml` names a raw mail, in which the ids that are given here replace its own.

    `ticket` is the case's label for its ticket: read for letters alone, which we send knowing their ticket.
    """

    key: str
    direction: Literal["in", "out"]
    ticket: str | None = None
    sender: str | None = Field(default=None, alias="from")
    to: str | None = None
    reply_to: str | None = None
    subject: str | None = None
    message_id: str | None = None
    in_reply_to: str | None = None
    references: str | None = None
    headers: dict[str, str] = {}
    body: str = ""
    html: str | None = None
    attachments: list[CaseAttachment] = []
    eml: str | None = None
    ticket_number: str | None = None
    ticket_state: str = "open"


class Case(BaseModel):
    """See the module. `settings` are named as those of ingest."""

    id: str
    settings: dict[str, Any] = {}
    messages: list[CaseMessage]

    @property
    def letters(self) -> list[CaseMessage]:
        """Our own."""
        return [one for one in self.messages if one.direction == "out"]

    def own_addresses(self) -> set[str]:
        """Our mailboxes: those that letters come from, and those that reply addresses lead to."""
        own = {one.address for letter in self.letters for one in addresses(letter.sender or "")}
        for message in self.messages:
            for written in (message.sender, message.to, message.reply_to):
                for one in addresses(written or ""):
                    if found := _REPLY_ADDRESS.match(one.address):
                        own.add(f"{found[1]}@{found[2]}")
        return own

    def settings_over(self, base: IngestSettings) -> tuple[IngestSettings, list[str]]:
        """The settings under which it runs, and the names of those that Ombud does not have."""
        settings, unknown = base, []
        for name, value in sorted(
            self.settings.items(), key=lambda one: one[0] in IngestSettings.model_fields
        ):
            try:
                settings = IngestSettings.model_validate({**settings.model_dump(), **_ours(name, value)})
            except ValidationError:
                unknown.append(name)
        return settings, unknown


def _ours(name: str, value: Any) -> dict[str, Any]:
    """A setting of a case in our terms. Where it is another product's, so is whom a number lets in there:
    anybody, unless the case says otherwise."""
    if name in _ALWAYS and _ALWAYS[name] == value:
        return {}
    if name == "ticket_hook":
        return {**_ANYBODY, "reference_hooks": [value]}
    if name == "postmaster_follow_up_search_in":
        places = [one for one in (value or "").split("+") if one]
        return {
            **_ANYBODY,
            "reference_in": ["subject", *(_PLACES.get(one, one) for one in places if one != "references")],
            "header_references": "references" in places,
        }
    same = _SAME.get(name, {})
    return same[value] if isinstance(value, str) and value in same else {name: value}


def read_case(line: bytes) -> Case:
    """The case that a line of JSON tells. Raises `Invalid`."""
    try:
        return Case.model_validate_json(line)
    except ValidationError as fault:
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(f"this is no case of threading: {where}: {first['msg']}") from fault


def raw_mails(case: Case, read: Callable[[str], bytes]) -> Mapping[str, bytes]:
    """The bytes of each mail of others, by its key; `read` gives those of an `eml`."""
    emls = {one.key: read(one.eml) for one in case.messages if one.eml is not None and one.direction == "in"}
    somebody = _first_sender(case, emls)
    ours = _own_reference(case)
    mails = {}
    for message in case.messages:
        if message.direction == "in":
            eml = emls.get(message.key)
            mails[message.key] = ours(_built(message, somebody) if eml is None else _changed(eml, message))
    return mails


def _first_sender(case: Case, emls: Mapping[str, bytes]) -> str:
    """The one person whom a case is about that names no other."""
    for message in case.messages:
        if message.direction == "in" and message.sender:
            return message.sender
        head = _HEAD_END.split(emls.get(message.key, b""), maxsplit=1)[0]
        if found := _FROM.search(head):
            return " ".join(found[1].decode("utf-8", "replace").split())
    return NOBODY


def _own_reference(case: Case) -> Callable[[bytes], bytes]:
    """Writes a reference to a ticket, as the cases have them, in the form of ours: `[#31001]`.

    Not where the case says what stands before a number: there is a setting for that.
    """
    if "ticket_hook" in case.settings:
        return lambda raw: raw
    return lambda raw: _REFERENCE.sub(rb"[#\1]", raw)


def _changed(eml: bytes, message: CaseMessage) -> bytes:
    """The raw mail with those ids that the message gives in place of its own."""
    lines = []
    for name in _THREADING:
        value = getattr(message, name)
        if value is not None:
            header = name.replace("_", "-")
            lines.append(f"{header}: {value}\r\n".encode())
            eml = re.sub(rb"(?im)^%s:.*\r?\n(?:[ \t].*\r?\n)*" % header.encode(), b"", eml, count=1)
    return b"".join(lines) + eml


def _built(message: CaseMessage, somebody: str) -> bytes:
    fields = {
        "From": message.sender or somebody,
        "To": message.to,
        "Reply-To": message.reply_to,
        "Subject": message.subject,
        "Date": _DATE,
        "Message-ID": message.message_id,
        "In-Reply-To": message.in_reply_to,
        "References": message.references,
        "MIME-Version": "1.0",
        **message.headers,
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return (head + _content(message)).encode()


def _content(message: CaseMessage) -> str:
    """What follows the head's own fields: type, empty line, body."""
    text = f"Content-Type: text/plain; charset=utf-8\r\n\r\n{message.body}\r\n"
    if message.html is None and not message.attachments:
        return text
    parts = [text]
    if message.html is not None:
        parts.append(f"Content-Type: text/html; charset=utf-8\r\n\r\n{message.html}\r\n")
    kind = "mixed" if message.attachments else "alternative"
    parts += [
        f'Content-Type: {file.content_type}; name="{file.filename}"\r\n'
        f'Content-Disposition: attachment; filename="{file.filename}"\r\n\r\n{file.content}\r\n'
        for file in message.attachments
    ]
    inner = "".join(f"--{_BOUNDARY}\r\n{part}" for part in parts)
    return f'Content-Type: multipart/{kind}; boundary="{_BOUNDARY}"\r\n\r\n{inner}--{_BOUNDARY}--\r\n'
