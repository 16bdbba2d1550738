"""The embedded file does not grow for ever: what all groups have done goes, what one has not done stays."""

from functools import partial
from pathlib import Path

from services.cli.retention import trim_all
from shared.adapters.sqlite_bus import SqliteBus
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.events import MAIL_TOPIC, TICKETS_TOPIC
from shared.ports.bus import Message, Partition, Subscription
from tests.helpers import eventually


async def test_what_every_group_has_done_is_removed_and_what_one_has_not_is_kept(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        bus = SqliteBus(file, partitions=1)
        await bus.prepare([MAIL_TOPIC, TICKETS_TOPIC])
        await bus.publish([Message(TICKETS_TOPIC, "key", str(number).encode()) for number in range(10)])
        for group, done in (("fast", 10), ("slow", 6)):
            member = await bus.subscribe([TICKETS_TOPIC], group, "me")
            (partition,) = await eventually(partial(joined, member))
            await member.commit({partition: done})
            await member.close()
        nothing = await trim_all(bus, 3600.0)
        gone = await trim_all(bus, -1.0)
        left = await bus.browse(TICKETS_TOPIC, 100)

    assert (nothing, gone) == (0, 6)
    assert [record.value for record in left] == [b"6", b"7", b"8", b"9"]


async def joined(member: Subscription) -> frozenset[Partition]:
    await member.fetch(1, 0.1)
    return member.assignment()
