"""Row 7: whatever an IMAP server does, each mail is taken in once, and reading goes on by itself.

A scripted server for what a real one does rarely, Dovecot for being killed; the service as a process builds
it, on the embedded adapters, from the mailbox to the ticket. What the mailbox alone does in such cases is in
tests/unit/ingest/test_imap_mailbox.py; wrong passwords are in tests/story/test_ingest.py.
"""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.ingest.imap_mailbox import ImapMailbox
from services.ingest.settings import IngestSettings
from services.sandbox.dovecot import Dovecot
from shared.adapters.system_clock import SystemClock
from tests import helpers
from tests.chaos import oracle
from tests.chaos.evidence import Entry, Evidence
from tests.chaos.harness import seed_of
from tests.chaos.invariants import CHECKS
from tests.chaos.load import Load
from tests.fakes.clock import FakeClock
from tests.platforms import Ground, embedded
from tests.servers.imap import DROP, SILENCE, Cut, Gone, ScriptedImap, Split, Step
from tests.servers.mailbox import ImapBox, hasty, settings_of
from tests.servers.proxy import FaultProxy, Faults
from tests.story.test_ingest import ingesting, is_named, is_ready, letter
from tests.unit.ingest.collecting import collecting, read_up_to

HASTY = hasty(0.4, poll_seconds=5)
OPENING: tuple[Step, ...] = ("GREETING", "LOGIN", "EXAMINE")
READING: tuple[Step, ...] = ("NOOP", "SEARCH", "SIZE", "FETCH")
WAITING: tuple[Step, ...] = ("IDLE", "IDLING")
eventually = partial(helpers.eventually, within=60.0)
"""With patience for a machine on which much else runs."""
SPAN = 1.5
"""Seconds over which the processor's time is measured."""
BUSIEST = 0.05


class Way:
    """The mails of one test, and what became of them."""

    def __init__(self, folder: Path, maildir: Path | None = None) -> None:
        seed = seed_of()
        self.chance = random.Random(f"imap {seed}")
        self.load = Load(seed, folder / "sent.jsonl", maildir or folder / "unused")
        self._store = oracle.SqliteStore(folder / "data" / "ombud.sqlite")

    def put(self, server: ScriptedImap, count: int) -> None:
        """The next `count` mails into the scripted mailbox."""
        for mail in self.load.mails(count):
            self.load.sent.append(mail.sent)
            self.load.copies += mail.copies
            server.append(*[mail.raw] * mail.copies)

    def entries(self) -> list[Entry]:
        return self._seen().entries

    def tickets(self) -> list[str]:
        return self._seen().tickets

    async def entered(self, count: int) -> None:
        """Wait until the ledger has so many entries."""
        await eventually(lambda: self._store.count("ledger") >= count, awaited=f"{count} entries")

    async def taken_in(self, besides: int = 0) -> None:
        """Wait until the ledger knows every mail, and `besides` more; then judge."""
        await self.entered(self.load.copies + besides)
        run = self._seen()
        assert run.sent
        wrong = [f"{name}: {one}" for name in ("I1", "I2", "I3") for one in CHECKS[name](run)]
        assert not wrong, "\n".join(wrong)
        assert len(run.entries) == self.load.copies + besides

    def _seen(self) -> Evidence:
        run = Evidence(sent=self.load.sent)
        oracle.read_store(self._store, run)
        return run


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path / "data", SystemClock()) as made:
        yield made


@pytest.fixture
def way(ground: Ground, tmp_path: Path) -> Way:
    return Way(tmp_path)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as made:
        yield made


@pytest.mark.parametrize("steps", [OPENING, READING, WAITING], ids=["opening", "reading", "waiting"])
async def test_whatever_is_said_or_not_at_any_step_every_mail_is_taken_in_once(
    ground: Ground, way: Way, server: ScriptedImap, steps: tuple[Step, ...]
) -> None:
    for step in steps:
        cut = Cut(way.chance.randrange(1, 40))
        server.script(step, SILENCE, DROP, "* BYE going down", "NO not now", "BAD what", cut)
    way.put(server, 20)
    async with ingesting(ground.platform, server, own=HASTY) as service:
        await eventually(lambda: server.unsaid == 0, awaited="the whole script said")
        way.put(server, 5)
        await way.taken_in()
        await eventually(lambda: is_ready(service))


async def test_answers_in_two_segments_are_understood_without_a_new_connection(
    ground: Ground, way: Way, server: ScriptedImap
) -> None:
    for step in (*OPENING, *READING, *WAITING):
        server.script(step, Split(way.chance.randrange(1, 8)))
    way.put(server, 20)
    patient = HASTY.model_copy(
        update={"connect_seconds": 30.0, "answer_seconds": 30.0, "lease_seconds": 60.0}
    )
    async with ingesting(ground.platform, server, own=patient):
        await eventually(lambda: server.unsaid == 0, awaited="the whole script said")
        way.put(server, 5)
        await way.taken_in()
    assert server.connections == 1


async def test_a_mail_that_was_cut_off_half_way_is_never_taken_for_whole(
    ground: Ground, way: Way, server: ScriptedImap
) -> None:
    way.put(server, 30)
    batch = sum(len(raw) for raw in list(server.mails.values())[:10])
    server.script("FETCH", *(Cut(way.chance.randrange(100, batch)) for _ in range(4)))
    async with ingesting(ground.platform, server, own=HASTY):
        await way.taken_in()
    assert server.unsaid == 0


def processor_seconds(thread: threading.Thread) -> float:
    """What this thread has used of a processor so far."""
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


async def busy_share() -> float:
    """The mailbox's thread's share of a processor, over the next SPAN."""
    thread = [one for one in threading.enumerate() if one.name.startswith("mailbox-support")][-1]
    before, started = processor_seconds(thread), time.monotonic()
    await asyncio.sleep(SPAN)  # the outage itself; nothing is awaited
    return (processor_seconds(thread) - before) / (time.monotonic() - started)


async def test_a_server_that_ends_every_idle_costs_next_to_nothing_and_its_mails_are_read(
    ground: Ground, way: Way, server: ScriptedImap
) -> None:
    """The end of a stream looks like a notice that never ends: a client that trusts it turns in a circle."""
    server.script("IDLING", *[DROP] * 1000)
    settled = HASTY.model_copy(update={"retry_first": 1.0, "retry_longest": 60.0})
    async with ingesting(ground.platform, server, own=settled):
        await eventually(lambda: server.seen["IDLING"] > 0)
        share = await busy_share()
        way.put(server, 10)
        await way.taken_in()

    assert share < BUSIEST


async def test_a_server_that_is_gone_costs_nothing_and_is_found_again(
    ground: Ground, way: Way, server: ScriptedImap
) -> None:
    settled = HASTY.model_copy(update={"retry_first": 0.5, "retry_longest": 1.0})
    async with FaultProxy((server.host, server.port)) as proxy:
        box = _Elsewhere(server, proxy.port)
        async with ingesting(ground.platform, box, own=settled) as service:
            await eventually(lambda: server.seen["IDLING"] > 0)
            proxy.suffer(Faults(refuse=True))
            server.hang_up()
            await eventually(lambda: is_named(service, "mailbox support"))
            way.put(server, 10)
            share = await busy_share()
            proxy.heal()
            await way.taken_in()
            await eventually(lambda: is_ready(service))

    assert share < BUSIEST


class _Elsewhere:
    """The login of a server behind another port."""

    def __init__(self, server: ScriptedImap, port: int) -> None:
        self.host, self.port = server.host, port
        self.user, self.password = server.user, server.password


async def test_a_new_uidvalidity_makes_no_new_ticket(ground: Ground, way: Way, server: ScriptedImap) -> None:
    way.put(server, 20)
    async with ingesting(ground.platform, server, own=HASTY):
        await way.taken_in()
        tickets, before = way.tickets(), way.load.copies
        server.renumber(2**32 + 9, first_uid=1000)
        server.hang_up()
        await way.taken_in(besides=before)
        assert sorted(way.tickets()) == sorted(tickets)

        way.put(server, 5)
        await way.taken_in(besides=before)


async def test_uids_above_32_bits_are_read_and_remembered(ground: Ground, way: Way) -> None:
    first = 2**32 - 5
    async with ScriptedImap(uidvalidity=2**33, first_uid=first) as server:
        way.put(server, 20)
        async with ingesting(ground.platform, server, own=HASTY):
            await way.taken_in()
            await read_up_to(ground.platform, server.next_uid - 1)
        begin, server.fetched = server.next_uid, []
        way.put(server, 1)
        async with ingesting(ground.platform, server, own=HASTY):
            await way.taken_in()

        assert sorted(entry.uid for entry in way.entries()) == list(range(first, server.next_uid))
        assert min(server.fetched) == begin


@pytest.mark.parametrize(("said", "noted"), [("OK done", 10), ("NO [EXPUNGEISSUED] gone", 0)])
async def test_mails_deleted_between_search_and_fetch_hold_nobody_up(
    ground: Ground, way: Way, server: ScriptedImap, said: str, noted: int
) -> None:
    """Where the server tells that they are gone, they are not listed again and never ours to note."""
    server.append(*(letter(f"deleted{number}") for number in range(HASTY.batch)))
    server.script("FETCH", Gone(said))
    way.put(server, 15)
    async with ingesting(ground.platform, server, own=HASTY):
        await way.taken_in(besides=noted)

    missed = [entry for entry in way.entries() if entry.uid <= HASTY.batch]
    assert [entry.outcome for entry in missed] == ["ignored"] * noted
    assert all("removed" in entry.reason for entry in missed)


@pytest.fixture
def own_server(tmp_path: Path, dovecot_server: Dovecot) -> Iterator[ImapBox]:
    """A mailbox on a server of the test's own, to be killed."""
    server = Dovecot(tmp_path / "dovecot", users={})
    server.start()
    yield ImapBox.on(server)
    server.stop()


@pytest.mark.dovecot
async def test_dovecot_killed_again_and_again_in_the_middle_of_traffic_costs_no_mail(
    ground: Ground, tmp_path: Path, own_server: ImapBox
) -> None:
    way = Way(tmp_path, own_server.maildir)
    async with ingesting(ground.platform, own_server, own=HASTY) as service:
        for _ in range(3):
            done = way.load.copies
            await asyncio.to_thread(way.load.deliver, way.load.mails(25))
            await way.entered(done + way.chance.randrange(1, 15))
            await asyncio.to_thread(own_server.server.kill)
            await asyncio.to_thread(way.load.deliver, way.load.mails(5))
            await eventually(lambda: is_named(service, "mailbox support"))
            await asyncio.to_thread(own_server.server.start)
        await way.taken_in()
        await eventually(lambda: is_ready(service))


class ListeningClock(FakeClock):
    """Remembers how long it was asked to sleep."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.asked.append(seconds)
        await super().sleep(seconds)


PAUSES = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
"""Seconds between two tries in production, while nothing succeeds."""
REFUSED: tuple[Step, str] = ("LOGIN", "NO [AUTHENTICATIONFAILED] wrong")
HUNG_UP: tuple[Step, Any] = ("IDLING", DROP)
"""After a look that went well: mail could be read, but no connection lasts."""


@pytest.mark.parametrize(("step", "said"), [REFUSED, HUNG_UP], ids=["refused", "hung up after each look"])
async def test_pauses_between_tries_grow_to_a_minute_until_a_connection_lasts(
    tmp_path: Path, step: Step, said: Any
) -> None:
    clock, lease = ListeningClock(), 1000.0
    production = IngestSettings(lease_seconds=lease)  # so long that its holder sleeps through all of this

    def pauses() -> list[float]:
        return [seconds for seconds in clock.asked if seconds != lease / 4]

    async with embedded(tmp_path / "data", clock) as ground, ScriptedImap() as server:
        server.script(step, *[said] * len(PAUSES))
        connect = partial(ImapMailbox, "support", settings_of(server), production)
        async with collecting(ground.platform, tmp_path, production, connect):
            for done in range(1, len(PAUSES) + 1):
                await eventually(partial(_as_many, pauses, done))
                await clock.advance(PAUSES[done - 1])
            idled = server.seen["IDLING"]
            await eventually(lambda: server.seen["IDLING"] >= idled + 2, awaited="a connection that lasts")
            assert pauses() == PAUSES
            assert server.connections == len(PAUSES) + 1

            server.hang_up()
            await eventually(lambda: len(pauses()) > len(PAUSES))
    assert pauses()[len(PAUSES)] == PAUSES[0]


def _as_many(pauses: Callable[[], list[float]], number: int) -> bool:
    return len(pauses()) == number


def test_a_longer_pause_than_a_minute_is_refused() -> None:
    with pytest.raises(ValidationError, match="retry_longest"):
        IngestSettings(retry_longest=61)
