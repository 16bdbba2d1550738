"""A letter as an operator wants to see it before anybody gets it: templates in use, with made-up values.

Raises `Invalid` for a kind that there is not, a language without templates and a template that has a hole.
"""

from typing import Any

from services.notify.rendering import Templates, Written, paragraphs
from services.notify.rules import Kind
from shared.domain.errors import Invalid

_QUESTION = "Since this morning it burns.\n\nCan you help & when?"

_TEXT = "Thank you for your patience.\n\nThe part is on its way & will arrive on <Tuesday>.\n\nYours\nBob"

_WORK: dict[str, Any] = {
    "number": 10_042,
    "subject": "The printer is on fire",
    "customer": "ada@customer.example",
    "text": _QUESTION,
    "paragraphs": paragraphs(_QUESTION),
    "shortened": False,
}

SAMPLES: dict[Kind, dict[str, Any]] = {
    Kind.ACKNOWLEDGEMENT: {"number": 10_042},
    Kind.REPLY: {
        "number": 10_042,
        "subject": "The printer is on fire",
        "text": _TEXT,
        "paragraphs": paragraphs(_TEXT),
    },
    Kind.SLA_BREACHED: {
        "number": 10_042,
        "subject": "The printer is on fire",
        "customer": "ada@customer.example",
        "target": "first_response",
        "due_at": "2026-03-02 09:00",
        "policy": "standard",
        "priority": "high",
    },
    Kind.ASSIGNED: {**_WORK, "takes_commands": True},
    Kind.CUSTOMER_REPLIED: {**_WORK, "takes_commands": True},
    Kind.COMMAND_FAILED: {
        "number": 10_042,
        "subject": "The printer is on fire",
        "reason": "there is no state 'done'; there are open, waiting, on_hold, resolved, closed, spam",
        "text": "#status done\n#reply\n\nTry water.",
        "paragraphs": paragraphs("#status done\n#reply\n\nTry water."),
        "shortened": False,
        "takes_commands": True,
    },
}
"""For each kind all that its templates are given, besides `mailbox_name` and `language`."""


def preview(templates: Templates, kind: str, language: str, mailbox_name: str = "Support") -> Written:
    """The letter of this kind in this language; see the module."""
    if kind not in set(Kind):
        known = ", ".join(one.value for one in Kind)
        raise Invalid(f"there is no letter {kind!r}; there are {known}", {"kind": "unknown"})
    chosen = templates.chosen(language)
    if chosen != language.lower().replace("_", "-").partition("-")[0]:
        known = ", ".join(sorted(templates.languages))
        raise Invalid(f"there are no templates in {language!r}; there are {known}", {"language": "unknown"})
    values = {**SAMPLES[Kind(kind)], "mailbox_name": mailbox_name, "language": chosen}
    return templates.write(Kind(kind), chosen, values)
