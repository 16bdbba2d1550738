"""The machine's part of a bounce: `message/delivery-status` (RFC 3464), also where it is broken. Pure.

Groups of fields need not be parted by empty lines, and a report that stands in the text itself is read as
well. Never raises.
"""

import re
from dataclasses import dataclass

MOST_RECIPIENTS = 500

_FIELD = re.compile(r"^[ \t>]{0,4}([A-Za-z][A-Za-z0-9-]{1,40}):[ \t]*(.*)$")
_OPENS = ("original-recipient", "final-recipient", "x-actual-recipient")
_KNOWN = frozenset(
    {*_OPENS, "action", "status", "diagnostic-code", "x-original-message-id", "original-message-id"}
)
_ADDRESS = re.compile(r"[^\s<>;,\"()]{1,200}@[^\s<>;,\"()]{1,255}")
_MARK = re.compile(r"^[ \t>]{0,4}(?:final|original)-recipient:", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one recipient; empty where nothing is. `said`: the words of the server."""

    recipient: str
    action: str = ""
    status: str = ""
    said: str = ""


def is_report(text: str) -> bool:
    """Whether fields of a delivery status stand in it."""
    return _MARK.search(text) is not None


def recipients_in(text: str) -> list[Told]:
    """One for each recipient, in order, the first thing told of each. `text`: the fields of the report."""
    groups: list[dict[str, str]] = [{}]
    name = ""
    for line in text.split("\n"):
        if name and line[:1] in (" ", "\t") and line.strip() and not _known(line):
            groups[-1][name] += " " + line.strip()
            continue
        found = _FIELD.match(line)
        if not line.strip() and _named(groups[-1]):
            groups.append({})
        name = found[1].lower() if found else ""
        if found is None or name not in _KNOWN:
            name = ""
            continue
        if name in groups[-1]:
            if name not in ("original-recipient", "final-recipient") or not _named(groups[-1]):
                name = ""
                continue
            groups.append({})
        groups[-1][name] = found[2].strip()
    told = [_told(group) for group in groups[: 2 * MOST_RECIPIENTS] if _named(group) or "status" in group]
    return _joined(told)[:MOST_RECIPIENTS]


def address_in(value: str) -> str:
    """The address of a field like `rfc822; user@example.org`; empty when there is none."""
    found = _ADDRESS.search(value.rpartition(";")[2] or value) or _ADDRESS.search(value)
    return found[0].strip(".'`*:=") if found else ""


def _known(line: str) -> bool:
    found = _FIELD.match(line)
    return found is not None and found[1].lower() in _KNOWN


def _named(group: dict[str, str]) -> bool:
    return any(name in group for name in _OPENS)


def _told(group: dict[str, str]) -> Told:
    addresses = (address_in(group.get(name, "")) for name in _OPENS)
    return Told(
        recipient=next((one for one in addresses if one), ""),
        action=group.get("action", "").split(" ")[0].strip("();,").lower(),
        status=group.get("status", ""),
        said=group.get("diagnostic-code", ""),
    )


def _joined(told: list[Told]) -> list[Told]:
    """Groups without a recipient belong to the one before them; a recipient counts once."""
    found: dict[str, Told] = {}
    for one in told:
        if one.recipient:
            found.setdefault(one.recipient.lower(), one)
        elif found:
            last, before = next(reversed(found.items()))
            found[last] = Told(
                before.recipient,
                before.action or one.action,
                before.status or one.status,
                before.said or one.said,
            )
    return list(found.values()) or [one for one in told if one.action or one.status]
