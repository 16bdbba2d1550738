"""Parsing in processes of their own. The processes are real; hostile are their limits, or the mail."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.ingest.parse_workers import ParseWorkers
from services.ingest.parsing import is_heavy, parse
from services.ingest.settings import MIB, Limits
from shared import metrics
from shared.domain.errors import Unreadable
from shared.domain.ledger import Outcome
from shared.runtime.service import Platform
from tests.helpers import eventually, standing_still
from tests.unit.ingest.desk import Helpdesk
from tests.unit.ingest.mails import mail

NO_TIME = 0.0005
"""Seconds in which no process answers."""
LONG = mail(body="word " * 100_000)


@asynccontextmanager
async def workers(
    limits: Limits | None = None, most: int = 1, idle_seconds: float = 60.0
) -> AsyncIterator[ParseWorkers]:
    opened = ParseWorkers(limits or Limits(), most, idle_seconds)
    try:
        yield opened
    finally:
        await opened.close()


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def count(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("ombud_mail_parse_workers_total", {"outcome": outcome}) or 0.0


async def test_a_mail_is_read_there_as_it_is_read_here() -> None:
    raw = mail(headers={"X-Odd": "Grüße", "Cc": "Bo <bo@example.org>"}) + b"\xff\xfe"
    async with workers() as apart:
        assert await apart.parse(raw) == parse(raw)


async def test_no_process_is_started_before_a_mail_needs_one_and_then_it_is_used_again() -> None:
    async with workers() as apart:
        assert apart.idle == []
        await apart.parse(mail())
        first = apart.idle
        await apart.parse(mail())

        assert len(first) == 1
        assert apart.idle == first
    await eventually(lambda: is_gone(first[0]))


async def test_what_is_unreadable_here_is_unreadable_there_for_the_same_reason() -> None:
    limits = Limits(headers=10)
    raw = mail(headers={f"X-{number}": "x" for number in range(20)})
    async with workers(limits) as apart:
        with pytest.raises(Unreadable, match="headers=10"):
            await apart.parse(raw)


async def test_a_mail_that_takes_longer_than_it_may_is_unreadable_and_its_process_is_killed() -> None:
    killed = count("killed")
    async with workers(Limits(parse_seconds=NO_TIME)) as apart:
        with pytest.raises(Unreadable, match="parse_seconds"):
            await apart.parse(LONG)

        assert apart.idle == []
    assert count("killed") == killed + 1


async def test_a_process_that_hangs_is_killed_at_the_limit_and_replaced() -> None:
    async with workers(Limits(parse_seconds=3)) as apart:
        await apart.parse(mail())
        (stopped,) = apart.idle
        with standing_still(stopped), pytest.raises(Unreadable, match="parse_seconds=3"):
            await apart.parse(mail())

        await eventually(lambda: is_gone(stopped))
        assert (await apart.parse(mail())).text == parse(mail()).text


async def test_a_mail_that_takes_too_much_memory_is_unreadable_and_the_next_one_is_read() -> None:
    limits = Limits(parse_memory=256 * MIB, mail_bytes=200 * MIB)
    async with workers(limits) as apart:
        with pytest.raises(Unreadable, match="parse_memory"):
            await apart.parse(mail(body="\xff" * (60 * MIB)))
        assert (await apart.parse(mail())).text == parse(mail()).text


async def test_a_process_that_something_else_ends_is_replaced_and_the_mail_is_read() -> None:
    died = count("died")
    async with workers() as apart:
        await apart.parse(mail())
        os.kill(apart.idle[0], signal.SIGKILL)
        assert (await apart.parse(mail())).text == parse(mail()).text

    assert count("died") == died + 1


async def test_a_process_leaves_when_nothing_has_come_for_a_while() -> None:
    async with workers(idle_seconds=0.01) as apart:
        await apart.parse(mail())
        pids = apart.idle
        await eventually(lambda: apart.idle == [])
        await eventually(lambda: all(is_gone(pid) for pid in pids))
        assert (await apart.parse(mail())).text == parse(mail()).text


async def test_more_mails_than_processes_wait_for_their_turn() -> None:
    async with workers(most=2) as apart:
        found = await asyncio.gather(*(apart.parse(mail(subject=f"mail {number}")) for number in range(6)))

        assert [one.subject for one in found] == [f"mail {number}" for number in range(6)]
        assert 1 <= len(apart.idle) <= 2


async def test_a_mail_that_is_given_up_half_way_leaves_no_process_and_no_wrong_answer() -> None:
    async with workers() as apart:
        await apart.parse(mail())
        (pid,) = apart.idle
        with standing_still(pid):
            waiting = asyncio.create_task(apart.parse(mail(subject="given up")))
            await eventually(lambda: apart.idle == [])
            waiting.cancel()
            await asyncio.wait([waiting])

        assert is_gone(pid)
        assert (await apart.parse(mail(subject="the next"))).subject == "the next"


PARENT = """
import asyncio, os
from services.ingest.parse_workers import ParseWorkers
from services.ingest.settings import Limits

async def main():
    workers = ParseWorkers(Limits(), 1)
    await workers.parse(b"Subject: x\\r\\n\\r\\n")
    print(workers.idle[0], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_no_process_outlives_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    pid = int(await parent.stdout.readline())
    assert not is_gone(pid)
    parent.kill()
    await parent.communicate()

    await eventually(lambda: is_gone(pid))


@pytest.mark.parametrize(
    ("raw", "limits"),
    [
        (LONG, Limits()),
        (mail(headers={f"X-{number}": "x" for number in range(300)}), Limits()),
        (mail(body="\r\n--X" * 200), Limits()),
        (mail(), Limits(apart_bytes=100)),
    ],
)
def test_large_mails_and_those_of_many_fields_or_parts_are_heavy(raw: bytes, limits: Limits) -> None:
    assert is_heavy(raw, limits)
    assert not is_heavy(mail())


async def test_intake_sets_a_mail_aside_that_its_processes_give_up(platform: Platform) -> None:
    async with workers(Limits(parse_seconds=NO_TIME)) as apart:
        helpdesk = Helpdesk(platform, workers=apart)
        heavy, light = await helpdesk.take(LONG), await helpdesk.take(mail())

    assert heavy.outcome is Outcome.QUARANTINED
    assert "parse_seconds" in heavy.reason
    assert await platform.blobs.read(heavy.digest) == LONG
    assert light.outcome is Outcome.INGESTED


async def test_a_worker_whose_parent_has_gone_before_it_was_ready_ends_without_a_word() -> None:
    """Its stderr is the service's log, in which every line is JSON."""
    reading, writing = os.pipe()
    os.close(reading)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from services.ingest.parse_worker import main; main()",
        Limits().model_dump_json(),
        stdin=asyncio.subprocess.PIPE,
        stdout=writing,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writing)
    _, said = await process.communicate()

    assert (process.returncode, said) == (0, b"")
