"""Closed sets of triage, and the matrix that makes a priority of severity and urgency."""

from enum import StrEnum


class Level(StrEnum):
    """Severity and urgency."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Priority(StrEnum):
    """How much a ticket matters now."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Sentiment(StrEnum):
    """How the customer sounds."""

    POSITIVE = "positive"
    NEUTRAL = "neutral"
    NEGATIVE = "negative"
    ANGRY = "angry"


class Source(StrEnum):
    """Who filled a triaged field; a person's word is never overwritten by a machine."""

    RULES = "rules"
    LOCAL = "local"
    MODEL = "model"
    PERSON = "person"


def matrix(severity: Level, urgency: Level) -> Priority:
    """Both high → critical; one high → high; both low → low; else medium."""
    levels = {severity, urgency}
    if levels == {Level.HIGH}:
        return Priority.CRITICAL
    if Level.HIGH in levels:
        return Priority.HIGH
    return Priority.LOW if levels == {Level.LOW} else Priority.MEDIUM
