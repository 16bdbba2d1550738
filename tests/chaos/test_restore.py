"""Row 27: the store is lost, the backup is older, and the mailbox still has everything.

After a restore the cursor is the backup's, so what came since is fetched again, and opens the same tickets
under the same ids. What no restore can know is what people were told in between: acknowledgements of those
mails go out once more, with the same Message-ID.
"""

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from pymongo import MongoClient

from tests.chaos.harness import on_cluster, on_embedded, size
from tests.chaos.oracle import handed

REPEATED = ("I4",)
"""Letters between the backup and the loss may go twice; each bears one Message-ID, which is asserted here."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


def backed_up(url: str, data: Path, backup: Path) -> None:
    """A copy of mongod's files while its writes are held back (`fsyncLock`)."""
    with MongoClient[dict[str, object]](url) as client:
        client.admin.command("fsync", lock=True)
        try:
            shutil.copytree(data, backup, ignore=shutil.ignore_patterns("mongod.lock"))
        finally:
            client.admin.command("fsyncUnlock")


def restore(backup: Path, file: Path) -> None:
    """Put the backup in the place of the file and of what belongs to it (`-wal`, `-shm`)."""
    for one in file.parent.glob(f"{file.name}*"):
        one.unlink()
    backup.rename(file)


async def test_mongodb_restored_from_an_older_backup_ends_with_every_mail_once(tmp_path: Path) -> None:
    mails = size(60, 1_000)
    folder, backup = tmp_path / "mongo" / "data", tmp_path / "backup"
    async with on_cluster("MongoDB restored from a backup", tmp_path) as trial:
        await trial.deliver(mails)
        await trial.drained()
        await asyncio.to_thread(backed_up, trial.program.ready["mongo"], folder, backup)
        await trial.deliver(mails)
        await trial.drained()
        tickets = {one["id"] for one in trial.store.documents("tickets")}
        await trial.program.stop()
        await asyncio.to_thread(shutil.rmtree, folder)
        await asyncio.to_thread(shutil.copytree, backup, folder)
        await trial.reborn()
        trial.outage = 60.0
        await trial.judge(without=REPEATED)

        assert {one["id"] for one in trial.store.documents("tickets")} == tickets
        ids = {letter["message_id"] for letter in trial.store.documents("letters")}
        assert {one.message_id for one in handed(tmp_path / "outbox")} <= ids


async def test_an_embedded_file_restored_from_an_older_backup_has_every_mail_once(tmp_path: Path) -> None:
    mails = size(60, 1_000)
    file, backup = tmp_path / "ombud.sqlite", tmp_path / "backup.sqlite"
    async with on_embedded("embedded file restored from a backup", tmp_path) as trial:
        await trial.deliver(mails)
        await trial.drained()
        with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(backup)) as copy:
            source.backup(copy)
        await trial.deliver(mails)
        await trial.drained()
        tickets = {one["id"] for one in trial.store.documents("tickets")}
        await trial.program.stop()
        restore(backup, file)
        await trial.reborn()
        trial.outage = 60.0
        await trial.judge(without=REPEATED)

        assert {one["id"] for one in trial.store.documents("tickets")} == tickets
