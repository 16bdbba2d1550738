"""Processes whose clock is set, whose summer time ends, and that stand still: row 12 of the matrix.

Each deadline has one outcome, never before it was due and late by no more than the process stood still; each
missed one is told to the lead once (I9, I4). libfaketime sets the wall clock of a process forth and back and
leaves its monotonic clock alone. On a clock of the test's: `test_clock.py`.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.local.packages import require
from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.smtp_sink import SmtpSink
from shared.domain.errors import Refused
from tests.chaos import oracle
from tests.chaos.evidence import Evidence
from tests.chaos.invariants import i4_no_letter_goes_twice, i9_each_timer_has_one_outcome_in_time
from tests.chaos.test_clock import HOUR, LEAD, durations
from tests.conftest import missing
from tests.helpers import eventually, standing_still
from tests.story import programs
from tests.story.programs import Program, mail

FIRST, SECOND = 2.0, 3.0
"""Seconds that are given to a first response and to a resolution."""
PAUSE = 300.0
"""Seconds that a paused container finds to have passed."""
BUSY = 40.0
"""Seconds that a loaded machine may add; a clock taken wrongly would cost an hour."""
SUMMER_TIME_ENDS = datetime(2026, 10, 25, 1, 0, tzinfo=UTC)
CENTRAL_EUROPE = "CET-1CEST,M3.5.0,M10.5.0/3"
"""A POSIX time zone, which needs no files of the system's."""

WAITING = ("held", "queued", "sending")
"""States of letters that have no outcome yet."""

pytestmark = pytest.mark.timeout(300)


@asynccontextmanager
async def office(folder: Path, **environment: str) -> AsyncIterator[Program]:
    """`ombud run` with a folder as its mailbox, and deadlines of a few seconds."""
    make_maildir(folder / "mail")
    async with SmtpSink("127.0.0.1", 0, folder / "outbox") as sink:
        settings = {
            "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@sandbox.example",
            "OMBUD_MAILBOXES__SUPPORT__MAILDIR": str(folder / "mail"),
            "OMBUD_SMTP__HOST": "127.0.0.1",
            "OMBUD_SMTP__PORT": str(sink.address[1]),
            "OMBUD_SMTP__TLS": "none",
            "OMBUD_NOTIFY__LEAD_ADDRESS": LEAD,
            "OMBUD_ESCALATION__FIRST_RESPONSE": json.dumps(durations(FIRST)),
            "OMBUD_ESCALATION__RESOLUTION": json.dumps(durations(SECOND)),
        }
        async with programs.embedded(folder, folder / "run.log", **settings, **environment) as running:
            yield running


def seen(folder: Path) -> Evidence:
    """What the store and the sink of an office hold."""
    found = Evidence()
    oracle.read_store(oracle.SqliteStore(folder / "ombud.sqlite"), found)
    found.handed = oracle.handed(folder / "outbox")
    return found


async def all_told(folder: Path, tickets: int) -> Evidence:
    """Wait until both deadlines of each ticket are missed, the lead knows of each, and no letter waits."""

    async def done() -> Evidence | None:
        found = await asyncio.to_thread(seen, folder)
        notices = sum(letter.state == "sent" for letter in found.letters if letter.kind == "sla_breached")
        fired = sum(timer.state == "breached" for timer in found.timers)
        waiting = any(letter.state in WAITING for letter in found.letters)
        return found if (fired, notices, waiting) == (2 * tickets, 2 * tickets, False) else None

    found: Evidence = await eventually(done, awaited=f"{2 * tickets} missed deadlines told", within=60)
    return found


def check(run: Evidence, outage: float) -> None:
    """One outcome each, none early, none later than the outage; each letter once at the relay."""
    run.outage = outage + BUSY
    assert not list(i9_each_timer_has_one_outcome_in_time(run))
    assert not list(i4_no_letter_goes_twice(run))
    assert set(Counter(letter.message_id for letter in run.handed).values()) == {1}


async def test_deadlines_that_pass_while_the_process_stands_still_are_fired_once_afterwards(
    tmp_path: Path,
) -> None:
    async with office(tmp_path) as running:
        for number in range(5):
            deliver(tmp_path / "mail", mail(f"paused-{number}"))
        await eventually(lambda: len(seen(tmp_path).timers) == 10, awaited="their deadlines", within=30)
        with standing_still(running.process.pid):
            await asyncio.sleep(SECOND)  # the pause itself: every deadline passes in it
        run = await all_told(tmp_path, 5)

    check(run, outage=SECOND)
    assert len(run.tickets) == 5


class WallClock:
    """The wall clock of processes under libfaketime: its file holds the seconds that they are ahead."""

    def __init__(self, file: Path, begin: datetime) -> None:
        self._file = file
        self._ahead = 0.0
        self.set_to(begin)

    def set_to(self, now: datetime) -> None:
        """Set it to this instant."""
        self._write((now - datetime.now(UTC)).total_seconds())

    def move(self, seconds: float) -> None:
        """Set it forth, or with less than zero back."""
        self._write(self._ahead + seconds)

    def _write(self, ahead: float) -> None:
        self._ahead = ahead
        part = self._file.with_suffix(".part")
        part.write_text(f"{self._ahead:+.3f}\n")
        part.replace(self._file)

    def environment(self) -> dict[str, str]:
        """For the processes. Raises `Refused` where libfaketime cannot be had."""
        require("faketime", ["faketime"])
        (library, *_) = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
        return {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }


async def test_deadlines_are_kept_through_the_end_of_summer_time_clock_jumps_and_a_pause(
    tmp_path: Path,
) -> None:
    clock = WallClock(tmp_path / "ahead", SUMMER_TIME_ENDS - timedelta(minutes=5))
    try:
        environment = {**clock.environment(), "TZ": CENTRAL_EUROPE}
    except Refused as reason:
        missing("faketime", str(reason))
    async with office(tmp_path, **environment) as running:

        async def arrive(name: str, tickets: int) -> None:
            for number in range(3):
                deliver(tmp_path / "mail", mail(f"{name}-{number}"))
            await eventually(lambda: len(seen(tmp_path).timers) == 2 * tickets, within=30)

        clock.set_to(SUMMER_TIME_ENDS - timedelta(seconds=1))
        await arrive("summer", 3)
        run = await all_told(tmp_path, 3)
        check(run, outage=0.0)

        clock.move(-HOUR)
        await arrive("back", 6)
        run = await all_told(tmp_path, 6)
        check(run, outage=0.0)

        clock.move(2 * HOUR)
        await arrive("forth", 9)
        with standing_still(running.process.pid):
            clock.move(PAUSE)
        run = await all_told(tmp_path, 9)
        check(run, outage=PAUSE)
    dues = [timer.due_at for timer in run.timers]
    assert max(dues) - min(dues) > timedelta(hours=2) - timedelta(seconds=BUSY)
    assert abs(min(dues) - SUMMER_TIME_ENDS) < timedelta(hours=2)
    assert len(run.tickets) == 9
