"""Triage by rules: words and patterns of the supported languages, each with the reason it gives. Pure.

The last rung of the ladder: it always answers, at once, and says why. Its sets are closed; a text that says
nothing it knows is `general`, medium and neutral.
"""

from dataclasses import dataclass

from services.triage.ports import Answer, Question
from services.triage.signals import CATEGORIES, MOODS, SIGNS, Found
from shared.domain.languages import language_of, words
from shared.domain.priority import Level, Sentiment, Source
from shared.domain.ticket import Classification

SUMMARY_LENGTH = 140
"""Characters of a summary."""
FOUND_BY_WORDS = 0.7
"""The confidence of a field that a signal decided."""
FOUND_BY_DEFAULT = 0.3
"""The confidence of a field that nothing decided."""


@dataclass(frozen=True)
class _Decision:
    value: str
    reason: str | None


def classify(question: Question) -> Answer:
    """What the rules make of a text. Never raises; the time grows with the text's length alone."""
    said = words(f"{question.subject}\n{question.text}")
    signs = SIGNS.find(said)
    category = _category(signs)
    severity = _level("severity", signs)
    urgency = _level("urgency", signs)
    sentiment = _sentiment(signs)
    decided = {"category": category, "severity": severity, "urgency": urgency, "sentiment": sentiment}
    found = Classification(
        category=category.value,
        severity=Level(severity.value),
        urgency=Level(urgency.value),
        sentiment=Sentiment(sentiment.value),
        language=language_of(said),
        summary=_summary(question),
        tags=_tags(signs),
    )
    return Answer(
        found=found,
        rung=Source.RULES,
        reasons=[
            decision.reason or f"{field} {decision.value}: no signal found"
            for field, decision in decided.items()
        ],
        confidence={
            field: FOUND_BY_WORDS if decision.reason else FOUND_BY_DEFAULT
            for field, decision in decided.items()
        },
    )


def _category(signs: Found) -> _Decision:
    named = [name for name in CATEGORIES if name in signs]
    if not named:
        return _Decision("general", None)
    best = max(named, key=lambda name: len(signs[name]))
    return _Decision(best, f"category {best}: {_quoted(signs[best])}")


def _level(field: str, signs: Found) -> _Decision:
    for level in ("high", "low"):
        if phrases := signs.get(f"{field} {level}"):
            return _Decision(level, f"{field} {level}: {_quoted(phrases)}")
    return _Decision("medium", None)


def _sentiment(signs: Found) -> _Decision:
    for mood in MOODS:
        if mood in signs:
            return _Decision(mood, f"sentiment {mood}: {_quoted(signs[mood])}")
    return _Decision("neutral", None)


def _summary(question: Question) -> str:
    said = " ".join((question.subject.strip() or question.text.strip()).split())
    return said if len(said) <= SUMMARY_LENGTH else said[: SUMMARY_LENGTH - 1].rstrip() + "…"


def _tags(signs: Found) -> list[str]:
    return [name.replace("_", "-") for name in CATEGORIES if name in signs]


def _quoted(phrases: list[str]) -> str:
    return ", ".join(f"“{phrase}”" for phrase in phrases[:4])
