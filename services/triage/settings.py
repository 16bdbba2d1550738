"""Settings of triage."""

from pydantic import Field

from shared.runtime.settings import Section


class TriageSettings(Section):
    """What triage reads, and how much of it."""

    longest_text: int = Field(
        default=2_000, ge=100, description="characters of a message that are classified"
    )
