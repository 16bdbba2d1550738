"""Two processes and one mailbox: one reads, and whatever they do each mail is taken in once."""

import contextlib
from contextlib import AsyncExitStack
from pathlib import Path

from services.ingest.lease import lease_id
from services.sandbox.maildrop import deliver
from shared.domain.errors import Conflict
from shared.runtime.service import Platform
from tests.helpers import eventually
from tests.unit.ingest.collecting import QUICK, collecting, published, read_up_to, take_all_in
from tests.unit.ingest.conftest import open_test_platform
from tests.unit.ingest.mails import mail


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
