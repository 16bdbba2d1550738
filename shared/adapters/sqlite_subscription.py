"""A member of a group on the embedded bus; the promises are those of `Subscription` in shared/ports/bus.py.

`fetch` is the sign of life: about every second it beats (`sqlite_groups.py`), and learns which partitions are
this member's. One that another waits for is drained first: `on_revoked` is awaited, for at most `drain`
seconds, while signs of life go on; only then is it let go.

On failure: a member that gives no sign of life for `session` seconds loses its partitions. When it comes back
it learns so in its next fetch, before it reads on; what it commits meanwhile counts for nothing. What was
fetched and not committed comes again, from whoever owns the partition then.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence

import structlog

from shared.adapters import sqlite_groups as groups
from shared.adapters.sqlite_bell import LOOK_SECONDS, Bell, Listener
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_groups import Member, Share
from shared.adapters.sqlite_records import OFFSETS, Stretch, read_stretches, record_of
from shared.domain.errors import Unavailable
from shared.ports.bus import Partition, Record, Revoked

LONGEST_BEAT = 1.0
"""Seconds between signs of life, unless the session is short."""

BEATS_IN_A_SESSION = 5

log = structlog.get_logger()


class SqliteSubscription:
    """Made by `SqliteBus.subscribe`, when it has joined the group already."""

    def __init__(
        self,
        file: SqliteFile,
        bell: Bell,
        member: Member,
        partitions: Mapping[int, Partition],
        session: float,
        drain: float,
        on_revoked: Revoked | None,
    ) -> None:
        self._file = file
        self._bell = bell
        self._member = member
        self._names = dict(partitions)
        self._ids = {name: partition for partition, name in partitions.items()}
        self._session = session
        self._drain = drain
        self._on_revoked = on_revoked
        self._every = min(LONGEST_BEAT, session / BEATS_IN_A_SESSION)
        self._next_beat = 0.0
        self._positions: dict[int, int] = {}  # the next offset to fetch; the partition read last comes last
        self._paused: set[int] = set()
        self._watched: dict[str, tuple[int, float]] = {}  # other sessions: their beats, and since when
        self._fenced = False
        self._shared_out = False
        self._closed = False
        self._listener = Listener(member.group)
        bell.listen(self._listener, partitions)

    async def fetch(self, limit: int, wait: float) -> list[Record]:
        """Up to about `limit` records behind those fetched before; waits up to `wait` seconds for one."""
        deadline = time.monotonic() + wait
        while True:
            self._listener.event.clear()
            if self._listener.group_changed or time.monotonic() >= self._next_beat:
                await self._beat()
            await self._bell.look()
            if records := await self._read_on(limit):
                return records
            left = deadline - time.monotonic()
            if left <= 0:
                return []
            await self._listener.wait(min(left, LOOK_SECONDS))

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Note that everything below these offsets is done; passes over partitions that are not ours."""
        known = {self._ids[name]: offset for name, offset in offsets.items() if name in self._ids}
        if known:
            await self._file.write(lambda connection: groups.commit(connection, self._member, known))

    def pause(self, partitions: frozenset[Partition]) -> None:
        """Fetch nothing from these until they are resumed."""
        self._paused |= {self._ids[name] for name in partitions & self.assignment()}

    def resume(self, partitions: frozenset[Partition]) -> None:
        """Fetch from these again, from where it was left."""
        self._paused -= {self._ids[name] for name in partitions if name in self._ids}
        self._listener.event.set()

    def assignment(self) -> frozenset[Partition]:
        """The partitions that are this member's now."""
        return frozenset(self._names[partition] for partition in self._positions)

    def has_share(self) -> bool:
        """Whether the group has told this member its share since it joined; the share may be nothing."""
        return self._shared_out

    async def lag(self) -> dict[Partition, int]:
        """Records behind the committed offset, for each partition of this member."""
        found = await self._file.read(lambda connection: groups.lags(connection, self._member))
        return {
            self._names[partition]: found[partition] for partition in self._positions if partition in found
        }

    async def close(self) -> None:
        """Leave the group, so that others take over at once."""
        if self._closed:
            return
        self._closed = True
        self._positions.clear()
        self._bell.forget(self._listener)
        try:
            await self._file.write(lambda connection: groups.leave(connection, self._member))
        except Unavailable as error:
            log.warning("bus.left_without_a_word", group=self._member.group, reason=str(error))
        self._bell.changed(self._member.group)

    async def _read_on(self, limit: int) -> list[Record]:
        ends = self._bell.ends
        behind = [
            (partition, offset)
            for partition, offset in self._positions.items()
            if ends.get(partition, 0) > offset and partition not in self._paused
        ]
        if not behind or limit < 1:
            return []
        share = -(-limit // len(behind))
        stretches = [Stretch(partition, offset, share) for partition, offset in behind]
        rows = await self._file.read(lambda connection: read_stretches(connection, stretches))
        # Nothing is awaited from here on: a cancelled fetch has either moved no position or returned.
        for row in rows:
            partition, offset = divmod(row[0], OFFSETS)
            self._positions.pop(partition, None)
            self._positions[partition] = offset + 1
        return [record_of(row, self._names) for row in rows]

    async def _beat(self) -> None:
        if self._closed:
            raise Unavailable("sqlite", "this subscription is closed")
        silent = self._silent()
        share = await self._file.write(lambda connection: groups.beat(connection, self._member, silent))
        self._listener.group_changed = False
        self._watch(share.beats)
        self._note_fence(share)
        if silent:
            log.warning("bus.expelled", group=self._member.group, members=len(silent))
            self._bell.changed(self._member.group, by=self._listener)
        await self._give_up_lost(share)
        for partition, done in share.owned.items():
            if partition not in share.surplus:
                self._positions.setdefault(partition, done)
        if share.surplus:
            await self._hand_over(share.surplus)
        self._shared_out = True
        self._next_beat = time.monotonic() + self._every

    async def _give_up_lost(self, share: Share) -> None:
        """Forget what the group gave to others, or might have given, while we gave no sign of life."""
        lost = [partition for partition in self._positions if share.expelled or partition not in share.owned]
        if lost:
            log.warning("bus.lost", group=self._member.group, partitions=len(lost))
            await self._tell_revoked(lost)
            self._forget(lost)

    async def _hand_over(self, surplus: Sequence[int]) -> None:
        await self._tell_revoked([partition for partition in surplus if partition in self._positions])
        self._forget(surplus)
        await self._file.write(lambda connection: groups.release(connection, self._member, surplus))
        self._bell.changed(self._member.group, by=self._listener)

    async def _tell_revoked(self, partitions: Sequence[int]) -> None:
        if self._on_revoked is None or not partitions:
            return
        alive = asyncio.create_task(self._stay_alive())
        try:
            async with asyncio.timeout(self._drain):
                await self._on_revoked(frozenset(self._names[partition] for partition in partitions))
        except TimeoutError:
            log.warning("bus.drain_overran", group=self._member.group, seconds=self._drain)
        finally:
            alive.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await alive

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(self._every)
            with contextlib.suppress(Unavailable):
                await self._file.write(lambda connection: groups.stay_alive(connection, self._member))

    def _forget(self, partitions: Sequence[int]) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
            self._paused.discard(partition)

    def _silent(self) -> dict[str, int]:
        """The sessions whose count has stood still for too long, with that count."""
        before = time.monotonic() - self._session
        return {session: beats for session, (beats, since) in self._watched.items() if since < before}

    def _watch(self, beats: Mapping[str, int]) -> None:
        now, known = time.monotonic(), self._watched
        self._watched = {
            session: known[session] if session in known and known[session][0] == count else (count, now)
            for session, count in beats.items()
        }

    def _note_fence(self, share: Share) -> None:
        if share.fenced and not self._fenced:
            log.error("bus.fenced", group=self._member.group, member=self._member.name)
        self._fenced = share.fenced
