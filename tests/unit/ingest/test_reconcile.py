"""What the ledger lacks is found by itself and fetched again, once; what is on its way is given its time."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from services.ingest import reconcile
from services.ingest.imap_mailbox import ImapMailbox
from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.ports import Fetched, MailboxFailed, Place
from services.ingest.reconcile import Memory, Reconciler
from services.ingest.settings import IngestSettings
from services.sandbox.maildrop import deliver
from shared import metrics
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.runtime.service import Platform
from tests.helpers import eventually
from tests.servers.imap import ScriptedImap
from tests.servers.mailbox import settings_of
from tests.unit.ingest.collecting import QUICK, collecting, entries, published, read_up_to, take_all_in
from tests.unit.ingest.mails import mail

HASTY = QUICK.model_copy(update={"reconcile_seconds": 0.1, "reconcile_grace": 0.1, "poll_seconds": 0.1})
PATIENT = QUICK.model_copy(update={"reconcile_seconds": 3600.0, "reconcile_grace": 3600.0})


async def collected(platform: Platform, folder: Path, count: int = 6) -> None:
    """All of them read and in the ledger."""
    for number in range(count):
        deliver(folder, mail(f"{number}@x"))
    async with collecting(platform, folder, PATIENT):
        await read_up_to(platform, count)
    await take_all_in(platform)


async def forget(platform: Platform, *uids: int) -> None:
    """As if the bus had lost their events before intake heard of them."""
    for uid, entry in (await entries(platform)).items():
        if uid in uids:
            await platform.stores.ledger.collection.delete(entry.id)


async def times_published(platform: Platform) -> dict[int, int]:
    found = [one.uid for one in await published(platform)]
    return {uid: found.count(uid) for uid in set(found)}


async def test_what_the_ledger_lacks_is_fetched_again_at_the_start_and_nothing_else(
    platform: Platform, folder: Path
) -> None:
    await collected(platform, folder)
    await forget(platform, 2, 5)
    async with collecting(platform, folder, HASTY):
        await eventually(lambda: is_published(platform, {1: 1, 2: 2, 3: 1, 4: 1, 5: 2, 6: 1}))
        await take_all_in(platform)
        await eventually(lambda: unaccounted() == 0)

    assert sorted(await entries(platform)) == [1, 2, 3, 4, 5, 6]
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 6


async def is_published(platform: Platform, times: dict[int, int]) -> bool:
    return await times_published(platform) == times


def unaccounted() -> float:
    return metrics.MAIL_UNACCOUNTED.labels("support")._value.get()  # type: ignore[no-any-return]


async def test_it_goes_on_by_itself_and_fetches_each_again_once(platform: Platform, folder: Path) -> None:
    """Intake is away: what is lacking stays lacking, and is not published every hour anew."""
    await collected(platform, folder)
    async with collecting(platform, folder, HASTY):
        await eventually(lambda: unaccounted() == 0)
        await forget(platform, 3)
        await eventually(lambda: unaccounted() == 1)
        await eventually(lambda: is_published(platform, {1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 1}))
        metrics.MAIL_UNACCOUNTED.labels("support").set(-1)
        await eventually(lambda: unaccounted() == 1, awaited="another walk")

    assert await is_published(platform, {1: 1, 2: 1, 3: 2, 4: 1, 5: 1, 6: 1})


class Watched:
    """A reconciler on a folder of its own making, looked at step by step."""

    def __init__(self, platform: Platform, folder: Path, settings: IngestSettings, memory: Memory) -> None:
        self.mailbox = MaildirMailbox("support", folder)
        self.uidvalidity = self.mailbox.open()
        self.asked: list[tuple[int, int]] = []
        self.reconciler = Reconciler(
            platform, settings, Place("support"), self.uidvalidity, self.mailbox, self._call, memory
        )

    async def _call(self, blocking: object, *args: int) -> object:
        assert blocking == self.mailbox.uids, "UIDs alone are asked for"
        self.asked.append((args[0], args[1]))
        return self.mailbox.uids(*args)


async def test_mail_on_its_way_to_the_ledger_is_given_its_time(platform: Platform, folder: Path) -> None:
    for number in range(3):
        deliver(folder, mail(f"{number}@x"))
    watched = Watched(platform, folder, PATIENT, Memory())
    watched.mailbox.new_uids(0, 10)

    assert [await watched.reconciler.step(3) for _ in range(4)] == [[], [], [], []]
    assert watched.asked == [(1, 3)]


async def test_a_lost_connection_starts_it_anew_but_not_at_once(platform: Platform, folder: Path) -> None:
    memory = Memory()
    asked = []
    for rested in (0.0, 1.0, reconcile.RESTED + 1):
        if memory.walked_at is not None:
            memory.walked_at -= rested
        watched = Watched(platform, folder, PATIENT, memory)
        for _ in range(3):
            await watched.reconciler.step(9)
        asked.append(len(watched.asked))

    assert asked == [1, 0, 1]


async def test_what_is_read_after_a_walk_began_is_left_to_the_next(platform: Platform, folder: Path) -> None:
    """A first import of a large mailbox is not fetched twice because intake comes after it."""
    watched = Watched(platform, folder, PATIENT, Memory())
    await watched.reconciler.step(5)
    while watched.reconciler.under_way:
        await watched.reconciler.step(90_000)

    assert watched.asked == [(1, 5)]


async def test_a_large_mailbox_is_asked_about_in_ranges(platform: Platform, folder: Path) -> None:
    watched = Watched(platform, folder, PATIENT, Memory())
    last = 2 * reconcile.SPAN + 7
    await watched.reconciler.step(last)
    while watched.reconciler.under_way:
        await watched.reconciler.step(last)

    assert watched.asked == [
        (1, reconcile.SPAN),
        (reconcile.SPAN + 1, 2 * reconcile.SPAN),
        (2 * reconcile.SPAN + 1, last),
    ]


async def test_the_ledger_is_asked_in_pages(platform: Platform) -> None:
    place, uids = Place("support", "Sales"), list(range(1, 2 * reconcile.PAGE + 8))
    now = platform.clock.now()
    for uid in (1, reconcile.PAGE, 2 * reconcile.PAGE + 7):
        entry = LedgerEntry(
            id=entry_id("support", 7, uid, "Sales"), mailbox="support", folder="Sales", uidvalidity=7,
            uid=uid, digest="d", fingerprint="f", outcome=Outcome.INGESTED, reason="", fetched_at=now, at=now,
        )  # fmt: skip
        await platform.stores.ledger.add(entry)
    found = await reconcile.entries_of(platform, place, 7, uids)

    assert sorted(found) == [1, reconcile.PAGE, 2 * reconcile.PAGE + 7]
    assert all(entry.uid == uid for uid, entry in found.items())


class Withholding(MaildirMailbox):
    """A mailbox that fails whenever the third mail is asked for."""

    asked = 0

    def fetch(self, uids: Sequence[int]) -> list[Fetched]:
        if 3 in uids:
            type(self).asked += 1
            raise MailboxFailed("support", "protocol", "not this one")
        return super().fetch(uids)


async def test_one_that_cannot_be_fetched_again_does_not_stop_the_mailbox(
    platform: Platform, folder: Path
) -> None:
    await collected(platform, folder)
    await forget(platform, 3)
    async with collecting(platform, folder, HASTY, lambda: Withholding("support", folder)):
        await eventually(lambda: Withholding.asked > 0)
        deliver(folder, mail("later@x"))
        await read_up_to(platform, 7)

    assert 3 not in await entries(platform)


async def test_under_a_new_uidvalidity_all_is_in_the_ledger_under_it(platform: Platform) -> None:
    async with ScriptedImap(uidvalidity=7) as server:
        own = HASTY.model_copy(update={"answer_seconds": 5.0})
        server.append(*(mail(f"{number}@x") for number in range(4)))
        connect = partial(ImapMailbox, "support", settings_of(server), own)
        async with collecting(platform, Path("unused"), own, connect):
            await read_up_to(platform, 4)
            await take_all_in(platform)
            server.renumber(8, first_uid=11)
            server.hang_up()
            await read_up_to(platform, 14)
            await take_all_in(platform)
            await eventually(lambda: unaccounted() == 0)
    found = (await platform.stores.ledger.find({}, limit=100)).items

    assert sorted((one.uidvalidity, one.uid) for one in found) == [
        *((7, uid) for uid in (1, 2, 3, 4)),
        *((8, uid) for uid in (11, 12, 13, 14)),
    ]
    assert len((await platform.stores.tickets.find({}, limit=100)).items) == 4
