"""The record of one triage: what was found, by which rung, and why."""

from pydantic import Field

from shared.domain.documents import Document, Instant
from shared.domain.ids import derived
from shared.domain.priority import Priority, Source
from shared.domain.ticket import Classification


def triage_id(ticket_id: str, event_id: str) -> str:
    """One a ticket and run; the run is named by the event that asked for it."""
    return derived("tri", ticket_id, event_id)


class Triage(Document):
    """See the module. `input_digest` is the SHA-256 of the text that was classified."""

    ticket_id: str
    found: Classification
    priority: Priority
    rung: Source
    model: str = ""
    prompt_version: str = ""
    confidence: dict[str, float] = Field(default_factory=dict)
    reasons: list[str]
    input_digest: str
    took_seconds: float = 0.0
    at: Instant
