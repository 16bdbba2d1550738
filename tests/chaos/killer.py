"""Kills processes of a cluster with SIGKILL, at random and by a seed; the supervisor starts them again."""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence

from tests.chaos.evidence import Death
from tests.helpers import eventually
from tests.story.programs import Program


class Killer:
    """Kills by name, and knows afterwards which deaths were its own."""

    def __init__(self, program: Program, seed: str) -> None:
        self._program = program
        self._chance = random.Random(f"killer {seed}")
        self.killed: Counter[str] = Counter()
        self.doomed: set[str] = set()
        """Processes that a scenario lets die in other ways: however often and however, it is our doing."""

    async def kill(self, name: str) -> None:
        """Kill this process and return when it was started again."""
        pid = self._program.pid_of(name)
        os.kill(pid, signal.SIGKILL)
        self.killed[name] += 1
        await eventually(
            lambda: self._program.pid_of(name) != pid, awaited=f"{name} started again", within=90
        )

    async def rampage(self, names: Sequence[str], times: int, pause: float) -> None:
        """Kill one of `names` at a time, `times` in all, with random pauses of up to `pause` seconds."""
        for _ in range(times):
            await asyncio.sleep(self._chance.uniform(0.0, pause))  # the moment is what is random here
            await self.kill(self._chance.choice(list(names)))

    def deaths(self) -> list[Death]:
        """Every death so far; more of a name than were killed, or one by other means, is not ours."""
        left = self.killed.copy()
        found = []
        for line in self._program.lines:
            if line["event"] != "restarted":
                continue
            killed = left[line["name"]] > 0 and line["exit"] == -signal.SIGKILL
            left[line["name"]] -= killed
            found.append(Death(line["name"], ours=killed or line["name"] in self.doomed))
        return found
