"""Waiting longer each time, and never in step with others.

Full jitter: a pause is anything between nothing and a ceiling that doubles with each try. Hundreds of records
that failed together so come back spread out, and the ceiling bounds how late a recovery is noticed.
Source: M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import random
from collections.abc import Callable

_DOUBLINGS = 60
"""No further doubling: an outage of days must not overflow a float."""


class Backoff:
    """Pauses in seconds; `chance` gives numbers from 0 to 1."""

    def __init__(
        self,
        first: float,
        longest: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance

    def ceiling(self, tries: int) -> float:
        """The longest that the pause after this many tries (1 or more) may be."""
        return min(self._longest, self._first * 2.0 ** min(tries - 1, _DOUBLINGS))

    def pause(self, tries: int) -> float:
        """How long to wait after this many tries (1 or more) that failed."""
        return self.ceiling(tries) * self._chance()
