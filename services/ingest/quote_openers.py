"""What opens a quote in a mail's text, by name, and the limits within which openings are looked for. Pure."""

from dataclasses import dataclass
from enum import StrEnum

LONGEST_OPENER = 500
"""Characters; what is longer is no attribution, separator or field name, whatever stands in it."""

MOST_WRAPPED = 4
"""Lines that one attribution may have been wrapped into."""

WRAPPED_AT = 60
"""Characters from which a line may have been wrapped."""

ENDS = (":", "\N{FULLWIDTH COLON}")
"""How lines end that lead to something."""

SENTENCE_ENDS = (".", "!", "?", ":", ";", "。")
"""How lines end that nothing was wrapped from."""


class Opener(StrEnum):
    """What begins a quote."""

    ATTRIBUTION = "attribution"
    INTRODUCTION = "introduction"
    """Names a writer, and is an attribution only where what follows is marked as quoted."""
    ORIGINAL = "separator"
    FORWARD = "forward"
    FIELDS = "header fields"
    MARKER = "marker line"


@dataclass(frozen=True, slots=True)
class Opening:
    """Lines `start` to `end` (exclusive) open a quote; `fields` is where its header fields start, if any."""

    kind: Opener
    start: int
    end: int
    fields: int | None = None
