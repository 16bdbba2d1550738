"""The groups by which the table and the gate speak. Pure: a check is in one, by its field and its corpus."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

REPLY_CORPORA = {"crisp_reply", "github_reply", "zapier_reply", "mail_parser_reply", "libredesk"}

GATES: Mapping[str, float] = {
    "reply text": 95.0,
    "bounces recognised": 97.0,
    "false bounces": 100.0,
    "bounce codes and recipients": 92.0,
    "automatic mail": 98.0,
    "parse and bodies": 97.0,
    "threading (common)": 100.0,
    "threading (product)": 100.0,
    "raw mails": 100.0,
}
"""Per cent that the product promises, for each group that it makes a promise of."""

BY_CASE = {"reply text"}
"""Groups counted by case: right when all its checks are."""

_BY_KIND = {"bounce": "bounces recognised", "not_bounce": "false bounces"}

_BY_FIELD = (
    ("reply_text|quotes_removed_text", "reply text"),
    ("quoted_text|signature", "quotes and signatures"),
    ("is_forward|wrapped_.*", "forwards"),
    ("bounce_hard", "bounces hard or soft"),
    ("bounce_reasons", "bounce reasons"),
    ("bounce_.*", "bounce codes and recipients"),
    ("is_auto_.*|is_own_loop|may_send_auto_response|reopens_closed_ticket", "automatic mail"),
)
"""The first whose pattern is the field's; what is in none is parsing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one check. `group` is one of this module, `informative` ones are never counted."""

    corpus: str
    case: str
    field: str
    op: str
    expected: Any
    got: Any
    right: bool
    group: str
    informative: bool = False
    disputed: bool = False


def group_of(corpus: str, field: str, expected: Any) -> str:
    """The group of a check on a mail."""
    if field == "is_bounce":
        return "bounces recognised" if expected else "false bounces"
    if field == "kind":
        return _BY_KIND.get(expected, "automatic mail")
    if field in ("reply_text", "quotes_removed_text") and corpus not in REPLY_CORPORA:
        return "reply text elsewhere"
    return next((group for pattern, group in _BY_FIELD if re.fullmatch(pattern, field)), "parse and bodies")
