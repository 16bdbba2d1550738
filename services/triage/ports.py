"""What triage needs: something that classifies a text."""

from dataclasses import dataclass, field
from typing import Protocol

from shared.domain.priority import Source
from shared.domain.ticket import Classification


@dataclass(frozen=True)
class Question:
    """What is to be classified; customers' words, which are data and never orders."""

    subject: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What was found, by which rung, and why; `confidence` by field, 0 to 1."""

    found: Classification
    rung: Source
    reasons: list[str]
    confidence: dict[str, float] = field(default_factory=dict)
    model: str = ""
    prompt_version: str = ""


class Model(Protocol):
    """Classifies: by rules, or by a language model behind an endpoint.

    The answer holds values of the closed sets alone, whatever the text says. Raises `Temporary` when it
    may answer later, `Permanent` when it never will; a caller with another rung goes on to that.
    """

    async def classify(self, question: Question) -> Answer:
        """The classification of one text."""
        ...
