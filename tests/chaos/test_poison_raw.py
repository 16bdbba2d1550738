"""Row 13: what no publisher of ours would write, put onto each topic of a real broker while mail comes in.

Bytes that are no text, even as the name of a header, records without a value, key or header, JSON of a wrong
form or of endless depth, times before all history, and more than fits into a record of ours, packed tightly:
each is set aside once for each group that acts on it, its neighbours go on, and no consumer stops, stands
still or is started again.
"""

import asyncio
import random
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka import AIOKafkaProducer

from services.sandbox.sandbox import maildir_of
from shared.adapters.kafka_options import KafkaOptions
from shared.domain.events import MAIL_TOPIC, TICKETS_TOPIC, TOPICS
from shared.domain.mail_fetched import TYPE
from shared.runtime.dead import replay_dead
from tests.chaos.harness import on_cluster, size
from tests.chaos.invariants import CHECKS
from tests.chaos.test_poison import beside, dead_events, expected_dead
from tests.contract.odd_names import STAND_IN, put_odd
from tests.helpers import eventually

MAILS = size(60, 300)
SEEN_BEFORE = 40
"""Mails handled before the poison: so small a share of it goes dead that no consumer stops itself."""
TRIAGED = "ombud.ticket.triaged.v1"
GIANT = 2 * KafkaOptions("").largest_message
BEFORE_ALL_HISTORY = -(10**15)

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


class Raw(NamedTuple):
    """A record as anybody may write it; `name` tells it apart, `kind` is its type, empty if it has none."""

    name: str
    topic: str
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes | None], ...] = ()
    timestamp: int | None = None
    kind: str = ""


def poison() -> list[Raw]:
    """For each topic everything that is wrong with a record as such, then with what it says."""
    found = []
    for topic, kind in ((MAIL_TOPIC, TYPE), (TICKETS_TOPIC, TRIAGED)):
        typed = (("ce_type", kind.encode()),)
        odd = (*typed, ("ce_id", b"\xff"), ("x", None))
        found += [
            Raw("bytes", topic, b"\xff\x00\xfe", b"\xff\xfe"),
            Raw("nothing", topic, None, b""),
            Raw("no key", topic, b"{}", None, typed, kind=kind),
            Raw("no value", topic, None, b"k", typed, kind=kind),
            Raw("headers that are no text", topic, b"{}", b"k", odd, kind=kind),
            Raw("a name that is no text", topic, b"{}", b"k", (*typed, (STAND_IN, b"x")), kind=kind),
            Raw("headers twice", topic, b"{}", b"k", (*typed, *typed, ("", b"")), kind=kind),
            Raw("no object", topic, b"[1, 2]", b"k", typed, kind=kind),
            Raw("half an object", topic, b'{"ticket_id": "tkt', b"k", typed, kind=kind),
            Raw("no end of depth", topic, b"[" * 100_000, b"k", typed, kind=kind),
            Raw("before all history", topic, b"{}", b"k", typed, BEFORE_ALL_HISTORY, kind=kind),
            Raw("giant", topic, b"x" * GIANT, b"k", typed, kind=kind),
        ]
    return found


async def put(bootstrap: str, records: list[Raw]) -> None:
    """Write them as they are, packed, so that what is too large for us is not for the broker."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="gzip", max_request_size=2 * GIANT
    )
    await producer.start()
    try:
        for one in records:
            if STAND_IN in dict(one.headers):
                await put_odd(bootstrap, one.topic, [(one.key, one.value, one.headers)])
                continue
            await producer.send_and_wait(
                one.topic, one.value, one.key, headers=list(one.headers), timestamp_ms=one.timestamp
            )
    finally:
        await producer.stop()


async def test_raw_poison_on_every_topic_is_set_aside_and_nothing_else_is_touched(tmp_path: Path) -> None:
    records = poison()
    async with on_cluster("raw poison on each topic", tmp_path) as trial, beside(trial) as platform:
        await trial.deliver(SEEN_BEFORE)
        await trial.drained()
        coming = asyncio.create_task(asyncio.to_thread(trial.load.stream, MAILS / 5, 5.0))
        random.Random(f"poison {trial.seed}").shuffle(records)
        await put(trial.program.ready["kafka"], records)
        kinds = {topic: [one.kind for one in records if one.topic == topic] for topic in TOPICS}
        expected = await expected_dead(platform, maildir_of(tmp_path), kinds)

        async def aside(least: int) -> bool:
            return len(await dead_events(platform)) >= least

        await eventually(lambda: aside(expected.total()), awaited="all poison set aside", within=60)
        await coming
        found = await dead_events(platform)
        assert Counter((one.group, one.topic) for one in found) == expected
        assert all(one.reason for one in found)

        # Put back, it is as bad as before; what was too large to be set aside cannot be.
        whole = [one for one in found if one.size <= GIANT // 2]
        assert len(found) > len(whole) > 0
        await replay_dead(platform.bus, [whole[0].id])
        await eventually(lambda: aside(expected.total() + 1), awaited="it set aside again", within=60)
        run = await trial.judge(without=["I7"])
        wrong = [said for said in CHECKS["I7"](run) if "set aside as dead" not in said]
        assert not wrong, "\n".join(wrong)
