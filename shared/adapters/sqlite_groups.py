"""Groups of the embedded bus as rows: who is a member, who owns which partition, what is done.

Everything here runs inside a transaction of the file, so no two members ever own one partition, and a commit
counts only for its owner. Members divide each topic evenly, and no partition moves that need not.

A member is alive while its `beats` count up. The others watch that count against their own monotonic clocks:
no two processes' clocks are ever compared, so setting a clock expels nobody.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from shared.adapters.sqlite_records import OFFSETS, partition_ids


class Member(NamedTuple):
    """Who beats: a session is one subscription, a name outlives the process."""

    group: str
    session: str
    name: str
    topics: tuple[str, ...]


@dataclass(frozen=True)
class Share:
    """What a beat found out.

    `owned` maps this member's partitions to what is done there; `surplus` are those of them that another
    waits for. `expelled`: the group had given this member up, so what it owned before is lost. `fenced`:
    another subscription has come under the same name, and this one gets nothing as long as that one lives.
    `beats` maps the other members' sessions to their counts.
    """

    owned: dict[int, int] = field(default_factory=dict)
    surplus: tuple[int, ...] = ()
    beats: dict[str, int] = field(default_factory=dict)
    expelled: bool = False
    fenced: bool = False


def join(connection: sqlite3.Connection, member: Member) -> None:
    """Become a member; an earlier session of the same name, as of a killed process, goes at once."""
    connection.execute("DELETE FROM sys_members WHERE grp = ? AND member = ?", (member.group, member.name))
    _free_orphans(connection, member.group)
    _enter(connection, member)


def leave(connection: sqlite3.Connection, member: Member) -> None:
    """Be no member any more; the partitions are free at once."""
    connection.execute("DELETE FROM sys_members WHERE session = ?", (member.session,))
    _free_orphans(connection, member.group)


def beat(connection: sqlite3.Connection, member: Member, silent: Mapping[str, int]) -> Share:
    """Give a sign of life, expel who stayed `silent` at this count, take free partitions of the own share."""
    connection.executemany("DELETE FROM sys_members WHERE session = ? AND beats = ?", list(silent.items()))
    _free_orphans(connection, member.group)
    expelled = not stay_alive(connection, member)
    if expelled:
        if _name_is_taken(connection, member):
            return Share(expelled=True, fenced=True)
        _enter(connection, member)
    others = connection.execute(
        "SELECT session, beats FROM sys_members WHERE grp = ? AND session <> ?",
        (member.group, member.session),
    ).fetchall()
    surplus: list[int] = []
    for topic in member.topics:
        surplus += _settle(connection, member, topic)
    return Share(_owned(connection, member), tuple(surplus), dict(others), expelled)


def stay_alive(connection: sqlite3.Connection, member: Member) -> bool:
    """Give a sign of life alone; whether this session is a member still."""
    beaten = connection.execute(
        "UPDATE sys_members SET beats = beats + 1 WHERE session = ?", (member.session,)
    )
    return beaten.rowcount == 1


def release(connection: sqlite3.Connection, member: Member, partitions: Sequence[int]) -> None:
    """Let others have these."""
    connection.executemany(
        "UPDATE sys_positions SET owner = NULL WHERE grp = ? AND partition = ? AND owner = ?",
        [(member.group, partition, member.session) for partition in partitions],
    )


def commit(connection: sqlite3.Connection, member: Member, offsets: Mapping[int, int]) -> None:
    """Note what is done in the partitions that are this member's; never takes back what was done before."""
    connection.executemany(
        "UPDATE sys_positions SET done = max(done, ?) WHERE grp = ? AND partition = ? AND owner = ?",
        [(offset, member.group, partition, member.session) for partition, offset in offsets.items()],
    )


def lags(connection: sqlite3.Connection, member: Member) -> dict[int, int]:
    """Records behind what is done, for each partition of this member."""
    rows = connection.execute(
        """SELECT id, next_offset - done FROM sys_positions JOIN sys_partitions ON id = partition
            WHERE grp = ? AND owner = ?""",
        (member.group, member.session),
    )
    return dict(rows.fetchall())


def _enter(connection: sqlite3.Connection, member: Member) -> None:
    connection.execute(
        "INSERT INTO sys_members (session, grp, member, topics, beats) VALUES (?, ?, ?, ?, 0)",
        (member.session, member.group, member.name, orjson.dumps(member.topics).decode()),
    )


def _name_is_taken(connection: sqlite3.Connection, member: Member) -> bool:
    named = connection.execute(
        "SELECT 1 FROM sys_members WHERE grp = ? AND member = ?", (member.group, member.name)
    )
    return named.fetchone() is not None


def _free_orphans(connection: sqlite3.Connection, group: str) -> None:
    connection.execute(
        """UPDATE sys_positions SET owner = NULL WHERE grp = ?1 AND owner IS NOT NULL
            AND owner NOT IN (SELECT session FROM sys_members WHERE grp = ?1)""",
        (group,),
    )


def _settle(connection: sqlite3.Connection, member: Member, topic: str) -> list[int]:
    """Take free partitions of the topic up to the own quota; the owned ones above it."""
    partitions = partition_ids(connection, topic)
    owners = _owners(connection, member.group, topic)
    mine = [partition for partition in partitions if owners.get(partition) == member.session]
    quota = _quota(connection, member, topic, len(partitions))
    free = [partition for partition in partitions if owners.get(partition) is None]
    for partition in free[: max(0, quota - len(mine))]:
        _own(connection, member, partition)
    return mine[quota:]


def _quota(connection: sqlite3.Connection, member: Member, topic: str, partitions: int) -> int:
    """The even share of a topic's readers; those first in the order of names have one more if it is odd."""
    readers = connection.execute(
        """SELECT session FROM sys_members
            WHERE grp = ? AND EXISTS (SELECT 1 FROM json_each(topics) WHERE value = ?) ORDER BY member""",
        (member.group, topic),
    ).fetchall()
    even, odd = divmod(partitions, len(readers))
    return even + (readers.index((member.session,)) < odd)


def _owners(connection: sqlite3.Connection, group: str, topic: str) -> dict[int, str | None]:
    rows = connection.execute(
        """SELECT partition, owner FROM sys_positions JOIN sys_partitions ON id = partition
            WHERE grp = ? AND topic = ?""",
        (group, topic),
    )
    return dict(rows.fetchall())


def _own(connection: sqlite3.Connection, member: Member, partition: int) -> None:
    start = partition * OFFSETS
    # A group that is new here begins at the oldest record that is left.
    connection.execute(
        """INSERT INTO sys_positions (grp, partition, owner, done)
            SELECT ?1, ?2, ?3, coalesce(
                (SELECT min(place) FROM sys_records WHERE place >= ?4 AND place < ?5) - ?4,
                (SELECT next_offset FROM sys_partitions WHERE id = ?2))
            WHERE true ON CONFLICT DO UPDATE SET owner = excluded.owner""",
        (member.group, partition, member.session, start, start + OFFSETS),
    )


def _owned(connection: sqlite3.Connection, member: Member) -> dict[int, int]:
    rows = connection.execute(
        "SELECT partition, done FROM sys_positions WHERE grp = ? AND owner = ?",
        (member.group, member.session),
    )
    return dict(rows.fetchall())
