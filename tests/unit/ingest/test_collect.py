"""Collecting: what stands in a mailbox gets onto the bus, all of it, by one process at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from services.ingest.collect import Collector
from services.ingest.cursor import cursor_id
from services.ingest.handlers import Intake
from services.ingest.lease import lease_id
from services.ingest.mailboxes import reconcile, status
from services.ingest.maildir_mailbox import UIDLIST, MaildirMailbox
from services.ingest.ports import Fetched, Mailbox, Waiting
from services.ingest.quarantine import quarantined, release, show
from services.ingest.settings import IngestSettings, Limits
from services.sandbox.maildrop import deliver, make_maildir
from shared.domain.errors import Conflict, Invalid, MoveNotAllowed, NotFound, Unavailable
from shared.domain.events import MAIL_TOPIC
from shared.domain.ledger import LedgerEntry, Outcome
from shared.domain.mail_fetched import MailFetched
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.helpers import eventually
from tests.unit.ingest.conftest import open_test_platform
from tests.unit.ingest.mails import SUPPORT, answer, mail

QUICK = IngestSettings(batch=10, lease_seconds=2.0, retry_first=0.02, retry_longest=0.1, fetch_tries=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_maildir(tmp_path / "box")


@asynccontextmanager
async def collecting(
    platform: Platform,
    folder: Path,
    settings: IngestSettings = QUICK,
    connect: Callable[[], Mailbox] | None = None,
) -> AsyncIterator[Collector]:
    """A collector at work on the folder; stopped in good order."""
    collector = Collector(
        platform, settings, "support", connect or partial(MaildirMailbox, "support", folder)
    )
    stopping = asyncio.Event()
    running = asyncio.create_task(collector.run(stopping))
    try:
        yield collector
    finally:
        stopping.set()
        await asyncio.wait_for(running, 10)


async def published(platform: Platform) -> list[MailFetched]:
    """What is on the bus, in the order of UIDs (each as often as it was published)."""
    records = await platform.bus.browse(MAIL_TOPIC, 10_000)
    mails = [MailFetched.parse(record.headers, record.value) for record in records]
    return sorted(mails, key=lambda one: one.uid)


async def cursor_uid(platform: Platform) -> int:
    found = (await platform.stores.cursors.get_many([cursor_id("support")])).values()
    return next((cursor.uid for cursor in found), 0)


async def read_up_to(platform: Platform, uid: int) -> None:
    async def is_there() -> bool:
        return await cursor_uid(platform) == uid

    await eventually(is_there)


async def entries(platform: Platform) -> dict[int, LedgerEntry]:
    return {one.uid: one for one in (await platform.stores.ledger.find({}, limit=500)).items}


async def take_all_in(platform: Platform, settings: IngestSettings = QUICK) -> None:
    """Handle everything that is on the bus, from the start."""
    intake = Intake(platform, settings, [SUPPORT])
    for record in await platform.bus.browse(MAIL_TOPIC, 10_000):
        await intake.handle(record)


async def test_every_mail_of_the_mailbox_is_published_once_and_the_cursor_stands_behind_it(
    platform: Platform, folder: Path
) -> None:
    raws = [mail(f"{number}@x") for number in range(35)]
    for raw in raws:
        deliver(folder, raw)
    async with collecting(platform, folder):
        await read_up_to(platform, 35)
    found = await published(platform)

    assert [one.raw for one in found] == raws
    assert [one.uid for one in found] == list(range(1, 36))
    assert all(one.traceparent.startswith(f"00-{one.digest[:32]}-") for one in found)


async def test_a_mail_that_comes_later_is_published_soon(platform: Platform, folder: Path) -> None:
    async with collecting(platform, folder) as collector:
        await eventually(lambda: collector._trouble is None)
        deliver(folder, mail())
        await read_up_to(platform, 1)


async def test_mails_of_one_thread_have_one_key(platform: Platform, folder: Path) -> None:
    for raw in (mail("one@x"), answer("two@x", "one@x"), answer("three@x", "one@x", "two@x")):
        deliver(folder, raw)
    async with collecting(platform, folder):
        await read_up_to(platform, 3)

    assert {record.key for record in await platform.bus.browse(MAIL_TOPIC, 10)} == {"one@x"}


async def test_a_restart_goes_on_where_it_was_left(platform: Platform, folder: Path) -> None:
    deliver(folder, mail("one@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    deliver(folder, mail("two@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 2)

    assert [one.uid for one in await published(platform)] == [1, 2]


async def test_what_was_published_before_a_crash_but_not_noted_is_taken_in_once(
    platform: Platform, folder: Path
) -> None:
    """A cursor that is put back is what a process leaves that died between the bus and the cursor."""
    for number in range(5):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 5)
    await platform.stores.cursors.collection.delete(cursor_id("support"))
    async with collecting(platform, folder):
        await read_up_to(platform, 5)
    await take_all_in(platform)

    assert len(await published(platform)) == 10
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 5
    assert len(await entries(platform)) == 5


async def test_under_a_new_uidvalidity_all_is_read_anew_and_no_ticket_is_made_anew(
    platform: Platform, folder: Path
) -> None:
    for number in range(5):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 5)
    text = (folder / UIDLIST).read_text()
    (folder / UIDLIST).write_text(text.replace(text.split()[1], "77"))
    async with collecting(platform, folder):
        await eventually(lambda: published_as(platform, 77))
    await take_all_in(platform)

    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 5
    assert len((await platform.stores.ledger.find({}, limit=100)).items) == 10


async def published_as(platform: Platform, uidvalidity: int) -> bool:
    return sum(one.uidvalidity == uidvalidity for one in await published(platform)) == 5


async def test_a_large_mail_travels_by_reference(platform: Platform, folder: Path) -> None:
    raw = mail(body="x" * 700_000)
    deliver(folder, raw)
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    (found,) = await published(platform)

    assert found.raw is None
    assert await platform.blobs.read(found.digest) == raw


async def test_a_mail_that_is_not_given_is_quarantined_and_its_neighbours_go_on(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, mail("one@x"))
    (folder / "cur" / "1.not-a-file").mkdir()
    for number in range(20):
        deliver(folder, mail(f"{number}@y"))
    async with collecting(platform, folder):
        await read_up_to(platform, 22)
    (bad,) = (await entries(platform)).values()

    assert (bad.outcome, bad.reason) == (Outcome.QUARANTINED, "the mailbox did not give it, 3 times")
    assert [one.uid for one in await published(platform)] == [uid for uid in range(1, 23) if uid != bad.uid]


class Sick(MaildirMailbox):
    """A mailbox that lists its mails and gives none, as a server does whose storage is away."""

    def __init__(self, folder: Path, healed: asyncio.Event) -> None:
        super().__init__("support", folder)
        self._healed = healed

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        return super().fetch(uids) if self._healed.is_set() else []


async def test_a_server_that_gives_no_mail_at_all_is_waited_for_and_no_mail_is_given_up(
    platform: Platform, folder: Path
) -> None:
    for number in range(30):
        deliver(folder, mail(f"{number}@x"))
    healed = asyncio.Event()
    connections: list[Sick] = []

    def connect() -> Sick:
        connections.append(Sick(folder, healed))
        return connections[-1]

    async with collecting(platform, folder, connect=connect):
        await eventually(lambda: len(connections) > 3 * QUICK.fetch_tries)
        healed.set()
        await read_up_to(platform, 30)

    assert await entries(platform) == {}
    assert [one.uid for one in await published(platform)] == list(range(1, 31))


class Vanishing(MaildirMailbox):
    """A mailbox where somebody deletes the first mail right after it was listed."""

    def new_uids(self, after: int, limit: int) -> list[Waiting]:
        found = super().new_uids(after, limit)
        self._files.get(self._names.get(1, ""), Path("none")).unlink(missing_ok=True)
        return found


async def test_a_mail_that_was_removed_before_it_was_fetched_is_in_the_ledger(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, mail("one@x"))
    deliver(folder, mail("two@x"))
    async with collecting(platform, folder, connect=lambda: Vanishing("support", folder)):
        await read_up_to(platform, 2)
    gone = (await entries(platform))[1]

    assert (gone.outcome, "removed" in gone.reason) == (Outcome.IGNORED, True)
    assert [one.uid for one in await published(platform)] == [2]


async def test_a_mail_beyond_the_limit_is_quarantined_unfetched_and_reconciled_when_it_is_raised(
    platform: Platform, folder: Path
) -> None:
    deliver(folder, mail("big@x", body="x" * 5000))
    deliver(folder, mail("small@x"))
    strict = QUICK.model_copy(update={"limits": Limits(mail_bytes=4000)})
    async with collecting(platform, folder, strict):
        await read_up_to(platform, 2)
    await take_all_in(platform)
    before = (await entries(platform))[1]
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    report = await reconcile(platform, QUICK, boxes, "support")
    await take_all_in(platform)
    after = (await entries(platform))[1]

    assert (before.outcome, "mail_bytes=4000" in before.reason) == (Outcome.QUARANTINED, True)
    assert (report.on_server, report.missing, report.published, report.not_given) == (2, 1, 1, 0)
    assert after.outcome is Outcome.INGESTED
    with pytest.raises(MoveNotAllowed):
        await release(platform, after.id)


async def test_a_mailbox_that_fails_is_named_by_readiness_and_read_as_soon_as_it_works(
    platform: Platform, tmp_path: Path
) -> None:
    folder = tmp_path / "not there yet"

    async def named() -> bool:
        with pytest.raises(Unavailable, match="mailbox support"):
            await collector.ping()
        return "is no Maildir" in str(collector._trouble)

    async with collecting(platform, folder) as collector:
        await eventually(named)
        make_maildir(folder)
        deliver(folder, mail())
        await read_up_to(platform, 1)
        await collector.ping()


async def test_of_two_processes_one_reads_and_the_other_takes_over_when_it_stops(
    tmp_path: Path, folder: Path
) -> None:
    async with AsyncExitStack() as stack:
        first = await open_test_platform(tmp_path, stack, "first")
        second = await open_test_platform(tmp_path, stack, "second")
        async with collecting(second, folder, QUICK) as standby:
            async with collecting(first, folder, QUICK):
                for number in range(50):
                    deliver(folder, mail(f"{number}@x"))
                await read_up_to(first, 50)
                await eventually(lambda: standby._trouble is None)
            deliver(folder, mail("later@x"))
            await read_up_to(second, 51)
            after = await second.stores.leases.get(lease_id("support"))

    assert after.owner == "second"


async def test_whatever_two_processes_do_at_once_each_mail_is_taken_in_once(
    tmp_path: Path, folder: Path
) -> None:
    """The lease is taken from whoever has it, again and again, while mails come in."""
    async with AsyncExitStack() as stack:
        one = await open_test_platform(tmp_path, stack, "one")
        two = await open_test_platform(tmp_path, stack, "two")
        async with collecting(one, folder, QUICK), collecting(two, folder, QUICK):
            for number in range(60):
                deliver(folder, mail(f"{number}@x"))
                if number % 10 == 5:
                    await rob(one)
            await read_up_to(one, 60)
        await take_all_in(one)

        assert {fetched.uid for fetched in await published(one)} == set(range(1, 61))
        assert len((await one.stores.tickets.find({}, limit=100)).items) == 60


async def rob(platform: Platform) -> None:
    """Make the lease look ended, as a long pause of its holder does."""
    leases = platform.stores.leases
    found = (await leases.get_many([lease_id("support")])).get(lease_id("support"))
    if found is not None:
        ended = found.model_copy(update={"wake_at": platform.clock.now(), "version": found.version + 1})
        with contextlib.suppress(Conflict):  # its holder was just prolonging it
            await leases.save(ended, if_version=found.version)


async def quarantine_one(platform: Platform, folder: Path) -> LedgerEntry:
    """A mail that was fetched and could not be read, under limits that are raised later."""
    deliver(folder, mail(headers={f"X-{number}": "x" for number in range(20)}))
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=10)}))
    (entry,) = (await quarantined(platform)).items
    return entry


async def test_a_quarantined_mail_is_shown_whole_and_taken_in_when_it_is_released(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    shown, raw = await show(platform, entry.id)
    await release(platform, entry.id)
    during = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)

    assert (shown.outcome, b"X-19: x" in raw) == (Outcome.QUARANTINED, True)
    assert during.outcome is Outcome.QUARANTINED
    assert (after.outcome, after.version) == (Outcome.INGESTED, entry.version + 1)
    assert (await quarantined(platform)).items == []


async def test_a_release_heard_again_changes_nothing(platform: Platform, folder: Path) -> None:
    entry = await quarantine_one(platform, folder)
    await release(platform, entry.id)
    await take_all_in(platform)
    after = await platform.stores.ledger.get(entry.id)
    await take_all_in(platform)

    assert await platform.stores.ledger.get(entry.id) == after
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 1


async def test_a_mail_that_still_cannot_be_read_is_quarantined_again(
    platform: Platform, folder: Path
) -> None:
    entry = await quarantine_one(platform, folder)
    await release(platform, entry.id)
    await take_all_in(platform, QUICK.model_copy(update={"limits": Limits(headers=12)}))
    (again,) = (await quarantined(platform)).items

    assert (again.id, again.version) == (entry.id, entry.version + 1)
    assert "headers=12" in again.reason


async def test_a_mail_that_was_never_fetched_is_not_released_but_reconciled(
    platform: Platform, folder: Path
) -> None:
    (folder / "cur" / "1.not-a-file").mkdir()
    async with collecting(platform, folder):
        await read_up_to(platform, 1)
    (entry,) = (await quarantined(platform)).items

    with pytest.raises(Invalid, match="mailbox reconcile support --first 1 --last 1"):
        await release(platform, entry.id)


async def test_reconciling_publishes_what_the_ledger_lacks_and_only_that(
    platform: Platform, folder: Path
) -> None:
    boxes = {"support": MailboxSettings(address=SUPPORT, maildir=folder)}
    for number in range(6):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 6)
    await take_all_in(platform)
    for uid, entry in (await entries(platform)).items():
        if uid in (2, 5):
            await platform.stores.ledger.collection.delete(entry.id)
    part = await reconcile(platform, QUICK, boxes, "support", first=1, last=3)
    whole = await reconcile(platform, QUICK, boxes, "support")
    await take_all_in(platform)

    assert (part.on_server, part.missing, part.published) == (3, 1, 1)
    assert (whole.on_server, whole.missing, whole.published) == (6, 2, 2)
    assert sorted(await entries(platform)) == [1, 2, 3, 4, 5, 6]
    with pytest.raises(NotFound, match="support"):
        await reconcile(platform, QUICK, boxes, "no-such")


async def test_the_status_of_a_mailbox_says_what_is_there_and_what_became_of_it(
    platform: Platform, folder: Path, tmp_path: Path
) -> None:
    for number in range(3):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder):
        await read_up_to(platform, 3)
        await take_all_in(platform)
        boxes = {
            "support": MailboxSettings(address=SUPPORT, maildir=folder),
            "broken": MailboxSettings(address=SUPPORT, maildir=tmp_path / "none"),
        }
        good, broken = await status(platform, QUICK, boxes)

    assert (good.on_server, good.highest_uid, good.cursor_uid, good.reader) == (3, 3, 3, "tester")
    assert good.outcomes == {"ingested": 3, "quarantined": 0, "ignored": 0}
    assert good.uidvalidity == good.cursor_uidvalidity
    assert (broken.on_server, "is no Maildir" in broken.error) == (None, True)
