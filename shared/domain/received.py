"""An event as a handler gets it, and the cause it is for what the handler does."""

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from shared.domain.cause import Cause
from shared.domain.events import Event

E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class Received(Generic[E_co]):
    """An event and its trace."""

    event: E_co
    traceparent: str = ""

    def cause(self, service: str, at: datetime) -> Cause:
        """The cause of a change that `service` makes because of this event; the same when it comes again."""
        return Cause(
            key=f"{service}:{self.event.id}",
            actor=f"service:{service}",
            at=at,
            correlation_id=self.event.correlation_id,
            traceparent=self.traceparent,
            event_id=self.event.id,
        )
