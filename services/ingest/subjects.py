"""Subjects without what mail programs put before them, and whether two are about the same. Pure, linear.

A mail that refers to an old one under another subject may be about another thing (`changed_subject`), and a
mail quoted under another subject than the quoting one's is passed on (services/ingest/forwards.py). Words
added at either end do not make another subject, and a mail without one has none of its own.
"""

import re

from services.ingest.quote_words import FORWARD_PREFIXES, folded

LONGEST = 500
"""Characters of a subject that are looked at."""

_REPLY_PREFIXES = frozenset(
    "re aw sv vs antw ant odp ref rif res r bls ynt hv ha yt atb atbilde vá отв ответ відп на απ ответить"
    " 答复 回复 回覆 答覆 返信 답장 회신 رد תשובה השב".split()
)
_LONGEST_PREFIX = 12
_MOST_PREFIXES = 20
_COUNTED = re.compile(r"[\[(]\d{1,3}[\])]$")
_TAG = re.compile(r"\s*\[[^\[\]]{1,40}\]")


def base_subject(subject: str) -> str:
    """The subject, folded, without prefixes of replies and forwards and without `[tags]`."""
    words = folded(_TAG.sub(" ", subject[:LONGEST]).replace("\N{FULLWIDTH COLON}", ":"))
    for _ in range(_MOST_PREFIXES):
        prefix, colon, rest = words.partition(":")
        if not colon or len(prefix) > _LONGEST_PREFIX:
            break
        if _COUNTED.sub("", prefix.strip()) not in _REPLY_PREFIXES | FORWARD_PREFIXES:
            break
        words = rest.strip()
    return words


def same_subject(one: str, other: str) -> bool:
    """Whether nothing speaks for two subjects: equal, or one within the other, or one without words."""
    first, second = base_subject(one), base_subject(other)
    return first in second or second in first
