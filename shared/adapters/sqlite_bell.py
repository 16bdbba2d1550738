"""Wakes the readers of the embedded bus, and knows how far each partition reaches.

What this process publishes rings at once. What another process publishes is noticed by looking at the file's
`data_version`, which costs next to nothing, every `LOOK_SECONDS`, and only while somebody reads.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping

from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_records import ends_of_all

LOOK_SECONDS = 0.05


class Listener:
    """One reader's ear: `event` is set when a partition grew, or when its group changed."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.group_changed = False
        self.event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Return when it rings, or when the time is over."""
        try:
            async with asyncio.timeout(seconds):
                await self.event.wait()
        except TimeoutError:
            return


class Bell:
    """Shared by all subscriptions of one bus."""

    def __init__(self, file: SqliteFile) -> None:
        self.ends: dict[int, int] = {}
        self._file = file
        self._listeners: dict[int, set[Listener]] = defaultdict(set)
        self._version: int | None = None
        self._next_look = 0.0

    def listen(self, listener: Listener, partitions: Iterable[int]) -> None:
        """Ring for what comes into these partitions, and for changes in the listener's group."""
        for partition in partitions:
            self._listeners[partition].add(listener)

    def forget(self, listener: Listener) -> None:
        """Ring for this one no more."""
        for listeners in self._listeners.values():
            listeners.discard(listener)

    def grew(self, ends: Mapping[int, int]) -> None:
        """Partitions reach up to these offsets now."""
        for partition, end in ends.items():
            if end > self.ends.get(partition, 0):
                self.ends[partition] = end
                for listener in self._listeners.get(partition, ()):
                    listener.event.set()

    def changed(self, group: str, by: Listener | None = None) -> None:
        """Members of the group should look at once who owns what, but for the one that changed it."""
        for listener in set().union(*self._listeners.values()):
            if listener.group == group and listener is not by:
                listener.group_changed = True
                listener.event.set()

    async def look(self) -> None:
        """Notice what other processes published, if it is time to. Raises `Unavailable`."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK_SECONDS
        ((version,),) = (await self._file.fetch("PRAGMA data_version")).rows
        if version != self._version:
            ends = await self._file.read(ends_of_all)
            self._version = version
            self.grew(ends)
