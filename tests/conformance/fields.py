"""The corpora's fields in the words of `ombud explain`: the one place that knows both. Pure.

A field that is no name of `explain` is derived from its object here. What only the library that a corpus
comes from can mean is informative: it is shown where we have an answer, and never counted.
"""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from tests.conformance import ops
from tests.conformance.cases import Case, Check

Told = dict[str, Any]
"""The object of `ombud explain`, and `seconds`: how long it took."""

INFORMATIVE = re.compile(
    r".*_jmap|.*_all_nontext_parts|chatwoot_.*|fragments|reply_count|(?!body_).*_html|html_top|text_top"
    r"|wrap_type|parts_min|feedback_type|delivered_to_any|effective_sender.*|resent_from|from_name_fallback"
    r"|to_is_invalid|subject_says_auto|is_own_loop_when_host_is"
)
"""Fields that the corpora's README calls so, and those that ask of `explain` what it does not tell."""


def informative(case: Case, check: Check) -> bool:
    """Whether the check is shown but not counted."""
    if INFORMATIVE.fullmatch(check.field):
        return True
    if check.field == "is_auto_generated" and check.value is None:
        return True  # the source does not say
    # The inner mail of a reply is no forward's: quotequail alone takes a quote for a mail.
    return check.field.startswith("wrapped_") and case.states("is_forward") is not True


def judged(check: Check, told: Told) -> tuple[Any, bool]:
    """What we say to a check, and whether it is what the case expects. Raises KeyError for an unknown
    field."""
    derive = _DERIVED.get(check.field)
    got = derive(told) if derive else told[check.field]
    match = _MATCH.get(check.field)
    if match and check.op == "equals":
        return got, match(check.value, got)
    return got, ops.holds(check.op, check.value, got)


def _bounce(name: str) -> Callable[[Told], Any]:
    return lambda told: (told["bounce"] or {}).get(name)


def _bounce_list(name: str) -> Callable[[Told], list[Any]]:
    return lambda told: list((told["bounce"] or {}).get(name) or [])


def _reasons(told: Told) -> list[str]:
    """Ours is one for the mail; theirs is one for each recipient."""
    bounce = told["bounce"] or {}
    return [bounce["reason"]] * max(1, len(bounce["recipients"])) if bounce.get("reason") else []


def _inner(name: str) -> Callable[[Told], Any]:
    return lambda told: _person((told["forwarded"] or {}).get(name))


def _attachments(name: str) -> Callable[[Told], list[Any]]:
    return lambda told: [one[name] for one in told["attachments"]]


def _first(name: str) -> Callable[[Told], Any]:
    return lambda told: next((one[name] for one in told["attachments"]), None)


def _addresses(name: str) -> Callable[[Told], list[str]]:
    return lambda told: [one["address"] for one in told[name]]


def _person(value: Any) -> Any:
    """A person as one line, `Name <address>`; anything else as it is."""
    if not isinstance(value, dict):
        return value
    name, address = value.get("name") or "", value.get("address") or ""
    return f"{name} <{address}>" if name and address else name or address


def _described(told: Told) -> list[dict[str, str]]:
    return [
        {
            "name": one["filename"] or "",
            "content_id": one["content_id"] or "",
            "content_type": one["content_type"],
            "disposition": "inline" if one["inline"] else "attachment",
        }
        for one in told["attachments"]
    ]


_DERIVED: dict[str, Callable[[Told], Any]] = {
    "parse_ok": lambda told: told["ok"],
    "seconds_max": lambda told: told["seconds"],
    "from": lambda told: (told["from"] or {}).get("address"),
    "from_name": lambda told: (told["from"] or {}).get("name"),
    "sender": lambda told: (told["sender"] or {}).get("address"),
    "to": _addresses("to"),
    "cc": _addresses("cc"),
    "reply_to": _addresses("reply_to"),
    "references_set": lambda told: [*told["references"], told["in_reply_to"]],
    "body_text_or_html": lambda told: f"{told['body_text']}\n{told['body_html']}",
    "body_html_text": lambda told: told["body_html"],
    "attachments": _described,
    "attachments_count": lambda told: len(told["attachments"]),
    "attachments_count_min": lambda told: len(told["attachments"]),
    "attachments_count_noninline": lambda told: sum(not one["inline"] for one in told["attachments"]),
    "attachment_names": _attachments("filename"),
    "attachment_sizes": _attachments("size"),
    "attachment_sha256": _attachments("sha256"),
    "attachment_types": _attachments("content_type"),
    "attachment_names_first": _first("filename"),
    "attachment_size_first": _first("size"),
    "inline_cids": lambda told: [one["content_id"] for one in told["attachments"] if one["inline"]],
    "bounce_hard": _bounce("hard"),
    "bounce_recipients": _bounce_list("recipients"),
    "bounce_recipient_count": lambda told: len((told["bounce"] or {}).get("recipients") or []),
    "bounce_statuses": _bounce_list("statuses"),
    "bounce_reply_codes": _bounce_list("reply_codes"),
    "bounce_reasons": _reasons,
    "may_send_auto_response": lambda told: told["may_auto_respond"],
    "is_own_loop": lambda told: told["kind"] == "own_loop",
    # What intake does: an automatic mail is noted on its ticket and changes no state.
    "reopens_closed_ticket": lambda told: not told["is_auto_generated"],
    "wrapped_from": _inner("from"),
    "wrapped_date": _inner("date"),
    "wrapped_subject": _inner("subject"),
    "wrapped_text": _inner("text"),
}

_KINDS = {
    "vacation": {"auto_reply", "out_of_office"},
    # flufl counts the warnings of a delay as temporary bounces: README of the corpora
    "bounce": {"bounce", "delivery_delay"},
}


def _same_kind(expected: str, got: str | None) -> bool:
    if expected == "not_bounce":
        return got not in _KINDS["bounce"]
    return got in _KINDS.get(expected, {expected})


def _same_moment(expected: str, got: str | None) -> bool:
    return got is not None and datetime.fromisoformat(expected) == datetime.fromisoformat(got)


def _same_members(expected: list[str], got: list[str]) -> bool:
    return sorted(map(str.lower, expected)) == sorted(map(str.lower, got))


def _same_codes(expected: list[str], got: list[str]) -> bool:
    """One for each recipient, in any order; empty where there is none, and that may be left out."""
    return sorted(filter(None, expected)) == sorted(filter(None, got))


def _same_attachments(expected: list[dict[str, str]], got: list[dict[str, str]]) -> bool:
    """libredesk makes up names for parts that have none; we leave them empty."""
    named = [
        {**one, "name": one["name"] or theirs["name"]} for one, theirs in zip(got, expected, strict=False)
    ]
    return len(got) == len(expected) and named == expected


_MATCH: dict[str, Callable[[Any, Any], bool]] = {
    "kind": _same_kind,
    "date": _same_moment,
    "bounce_recipients": _same_members,
    "bounce_statuses": _same_codes,
    "bounce_reply_codes": _same_codes,
    "attachments": _same_attachments,
    "seconds_max": lambda expected, got: bool(got <= expected),
    "attachments_count_min": lambda expected, got: bool(got >= expected),
}
