"""Collecting from mailboxes that fail, lose mails or do not give them: nothing goes by unnoted."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from services.ingest.maildir_mailbox import MaildirMailbox
from services.ingest.ports import Fetched, Waiting
from services.sandbox.maildrop import deliver, make_maildir
from shared.domain.errors import Unavailable
from shared.domain.ledger import Outcome
from shared.runtime.service import Platform
from tests.helpers import eventually
from tests.unit.ingest.collecting import (
    QUICK,
    collecting,
    entries,
    published,
    read_up_to,
)
from tests.unit.ingest.mails import mail


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
