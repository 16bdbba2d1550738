"""The clock: time is passed in, so that no test sleeps for a deadline."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits.

    `now` is in UTC and may jump (an operator sets the clock, a container was paused); whoever measures a
    span takes `monotonic`. A fake moves only when its test moves it.
    """

    def now(self) -> datetime:
        """The instant, with timezone UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some start, never going back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock."""
        ...
