"""The lease and the cursor of a mailbox, on the embedded store."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.cursor import MailboxCursor, cursor_id
from services.ingest.lease import MailboxLease, lease_id
from shared.domain.errors import Conflict
from shared.runtime.service import Platform
from tests.fakes.clock import FakeClock
from tests.helpers import eventually

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


async def prolonged(platform: Platform, clock: FakeClock) -> None:
    """Return when the holder has prolonged its lease as of now, and sleeps until the next time."""
    end = clock.now() + timedelta(seconds=30)

    async def is_prolonged() -> object:
        return (await platform.stores.leases.get(lease_id("support"))).wake_at == end and clock.sleeping

    await eventually(is_prolonged)


def lease(platform: Platform, clock: FakeClock, owner: str) -> MailboxLease:
    return MailboxLease(platform.stores.leases, clock, "support", owner, seconds=30.0)


async def test_of_many_that_claim_a_lease_at_once_one_gets_it(platform: Platform, clock: FakeClock) -> None:
    claims = [lease(platform, clock, f"process {number}").claim() for number in range(10)]

    assert sorted(await asyncio.gather(*claims)) == [False] * 9 + [True]


async def test_a_lease_says_who_holds_it(platform: Platform, clock: FakeClock) -> None:
    await lease(platform, clock, "process 1").claim()

    assert (await platform.stores.leases.get(lease_id("support"))).owner == "process 1"


async def test_a_dead_holder_s_lease_is_free_when_it_ends_and_not_before(
    platform: Platform, clock: FakeClock
) -> None:
    await lease(platform, clock, "dead").claim()
    heir = lease(platform, clock, "heir")
    await clock.advance(29)
    assert not await heir.claim()
    await clock.advance(2)

    assert await heir.claim()


async def test_a_process_started_again_under_its_name_takes_its_lease_back_at_once_and_fences_its_former_life(
    platform: Platform, clock: FakeClock
) -> None:
    before, after = lease(platform, clock, "ingest-1"), lease(platform, clock, "ingest-1")
    await before.claim()
    assert await after.claim()
    keeping = asyncio.create_task(before.keep())
    await clock.advance(10)

    await asyncio.wait_for(keeping, 5)
    assert (await platform.stores.leases.get(lease_id("support"))).owner == "ingest-1"


async def test_a_released_lease_is_free_at_once(platform: Platform, clock: FakeClock) -> None:
    held = lease(platform, clock, "first")
    await held.claim()
    await held.release()

    assert await lease(platform, clock, "second").claim()


async def test_a_lease_that_is_kept_does_not_end(platform: Platform, clock: FakeClock) -> None:
    held = lease(platform, clock, "holder")
    await held.claim()
    keeping = asyncio.create_task(held.keep())
    for _ in range(10):
        await clock.advance(7.5)
        await prolonged(platform, clock)

    assert not await lease(platform, clock, "other").claim()
    assert not keeping.done()
    keeping.cancel()


async def test_a_holder_that_slept_past_its_lease_learns_that_it_was_taken(
    platform: Platform, clock: FakeClock
) -> None:
    held = lease(platform, clock, "sleeper")
    await held.claim()
    keeping = asyncio.create_task(held.keep())
    await clock.advance(7.5)
    await prolonged(platform, clock)
    clock.jump(clock.now() + timedelta(seconds=31))  # the whole process stood still: nobody was woken
    assert await lease(platform, clock, "heir").claim()
    await clock.advance(7.5)
    async with asyncio.timeout(10):
        await keeping
    await held.release()

    assert (await platform.stores.leases.get(lease_id("support"))).owner == "heir"


async def test_a_cursor_moves_on_and_is_found_there(platform: Platform) -> None:
    cursor = await MailboxCursor.take(platform.stores.cursors, "support", 7)
    await cursor.move(12, 1, NOW)
    await cursor.move(15, 1, NOW)

    assert (await MailboxCursor.take(platform.stores.cursors, "support", 7)).uid == 15


async def test_whoever_takes_the_cursor_shuts_out_the_one_before(platform: Platform) -> None:
    before = await MailboxCursor.take(platform.stores.cursors, "support", 7)
    after = await MailboxCursor.take(platform.stores.cursors, "support", 7)
    with pytest.raises(Conflict):
        await before.move(99, 1, NOW)
    await after.move(12, 1, NOW)

    assert (await platform.stores.cursors.get(cursor_id("support"))).uid == 12


async def test_under_another_uidvalidity_reading_begins_anew(platform: Platform) -> None:
    cursor = await MailboxCursor.take(platform.stores.cursors, "support", 7)
    await cursor.move(12, 1, NOW)

    assert (await MailboxCursor.take(platform.stores.cursors, "support", 8)).uid == 0
    assert (await platform.stores.cursors.get(cursor_id("support"))).uidvalidity == 8
