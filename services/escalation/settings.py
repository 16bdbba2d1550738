"""Settings of escalation: the default policy and how timers are held."""

from pydantic import Field

from shared.domain.priority import Priority
from shared.runtime.settings import Section

HOUR = 3600.0
DAY = 24 * HOUR


class Durations(Section):
    """Seconds by priority."""

    critical: float = Field(gt=0)
    high: float = Field(gt=0)
    medium: float = Field(gt=0)
    low: float = Field(gt=0)

    def of(self, priority: Priority) -> float:
        """Seconds for a ticket of this priority."""
        return float(getattr(self, priority.value))


class EscalationSettings(Section):
    """The default policy's targets, round the clock, and the timers."""

    policy: str = Field(default="default", description="the policy's name, as letters and reasons show it")
    first_response: Durations = Durations(critical=HOUR, high=4 * HOUR, medium=8 * HOUR, low=DAY)
    resolution: Durations = Durations(critical=4 * HOUR, high=DAY, medium=3 * DAY, low=5 * DAY)
    look_every: float = Field(default=0.5, gt=0, le=5, description="seconds between looks for what is due")
    lease: float = Field(default=30.0, gt=0, description="seconds a process holds a due timer")
    at_once: int = Field(default=100, ge=1, description="due timers held at a time")
