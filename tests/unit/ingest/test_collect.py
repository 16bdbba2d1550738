"""Collecting: what stands in a mailbox gets onto the bus, all of it, once noted."""

from pathlib import Path

from services.ingest.cursor import cursor_id
from services.ingest.maildir_mailbox import UIDLIST
from services.sandbox.maildrop import deliver
from shared.domain.events import MAIL_TOPIC
from shared.runtime.service import Platform
from tests.helpers import eventually
from tests.unit.ingest.collecting import collecting, entries, published, read_up_to, take_all_in
from tests.unit.ingest.mails import answer, mail


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
