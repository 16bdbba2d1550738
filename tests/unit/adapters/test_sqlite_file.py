"""The embedded file: group commit, what is refused at opening, and what waits while it is in use."""

import asyncio
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_migrations import MIGRATIONS
from shared.domain.errors import Duplicate, Invalid, Refused, Unavailable

INSERT = "INSERT INTO words (word) VALUES (?)"
COUNT = "SELECT count(*) FROM words"


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite", patience=0.2) as opened:
        await opened.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")
        yield opened


def outside(path: Path) -> sqlite3.Connection:
    """A connection as another program would have it."""
    return sqlite3.connect(path, isolation_level=None, timeout=0)


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def count(file: SqliteFile) -> int:
    return int((await file.fetch(COUNT)).rows[0][0])


async def test_what_was_answered_is_seen_by_the_next_read(file: SqliteFile) -> None:
    await file.execute(INSERT, ("one",))

    assert await count(file) == 1


async def test_what_was_answered_is_seen_by_the_searcher_too(file: SqliteFile) -> None:
    await file.execute(INSERT, ("one",))

    assert await file.search(lambda connection: connection.execute(COUNT).fetchone()) == (1,)


async def test_writes_that_stand_waiting_share_one_transaction(file: SqliteFile) -> None:
    """Syncing to the disk once for all of them is what makes the embedded store fast."""
    seen: list[int] = []

    def note_changes(connection: sqlite3.Connection) -> None:
        with closing(outside(file.path)) as other:
            seen.append(other.execute(COUNT).fetchone()[0])

    await asyncio.gather(file.execute(INSERT, ("a",)), file.write(note_changes), file.execute(INSERT, ("b",)))

    assert seen == [0], "another connection saw half a batch"
    assert await count(file) == 2


async def test_one_callers_duplicate_is_not_anothers(file: SqliteFile) -> None:
    answers = await asyncio.gather(
        *(file.execute(INSERT, (word,)) for word in ("a", "a", "b")), return_exceptions=True
    )

    assert [type(answer).__name__ for answer in answers] == ["Outcome", "Duplicate", "Outcome"]
    assert await count(file) == 2


async def test_a_job_that_fails_half_way_leaves_nothing_behind(file: SqliteFile) -> None:
    def half(connection: sqlite3.Connection) -> None:
        connection.execute(INSERT, ("half",))
        raise Invalid("changed my mind")

    failed, other = await asyncio.gather(
        file.write(half), file.execute(INSERT, ("b",)), return_exceptions=True
    )

    assert isinstance(failed, Invalid)
    assert not isinstance(other, BaseException)
    assert await count(file) == 1


async def test_an_unforeseen_error_goes_to_its_caller_and_the_thread_lives_on(file: SqliteFile) -> None:
    with pytest.raises(ZeroDivisionError):
        await file.write(lambda _: 1 // 0)

    await file.execute(INSERT, ("after",))


@pytest.mark.parametrize("value", [2**70, "\ud800"])
async def test_a_value_that_sqlite_cannot_hold_is_invalid(file: SqliteFile, value: int | str) -> None:
    with pytest.raises(Invalid):
        await file.execute(INSERT, (value,))


async def test_a_cancelled_caller_disturbs_nobody(file: SqliteFile) -> None:
    first, second = file.execute(INSERT, ("a",)), file.execute(INSERT, ("b",))
    first.cancel()

    await second


async def test_more_calls_than_one_batch_takes_are_all_answered(file: SqliteFile) -> None:
    await asyncio.gather(*(file.execute(INSERT, (f"w{number}",)) for number in range(2_500)))

    assert await count(file) == 2_500


async def test_everything_asked_before_closing_is_answered(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "o.sqlite") as file:
        waiting = [file.execute(f"CREATE TABLE t{number} (a)") for number in range(50)]

    assert len(await asyncio.gather(*waiting)) == 50
    with pytest.raises(Unavailable):
        file.execute("CREATE TABLE late (a)")


async def test_closing_folds_the_log_into_the_file(tmp_path: Path) -> None:
    """So that the one file can be copied while nothing runs."""
    async with SqliteFile.open(tmp_path / "o.sqlite") as file:
        await file.execute("CREATE TABLE t (a)")

    assert names(tmp_path) == ["o.sqlite"]


async def test_a_lock_held_for_long_is_unavailable_and_nothing_is_lost_after_it(file: SqliteFile) -> None:
    with closing(outside(file.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="lock"):
            await file.execute(INSERT, ("a",))
        assert await count(file) == 0, "reading goes on while another writes"
        other.execute("COMMIT")

    await file.execute(INSERT, ("a",))
    assert await count(file) == 1


async def test_a_lock_let_go_in_time_is_waited_for(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "o.sqlite", patience=30) as file:
        with closing(outside(file.path)) as other:
            other.execute("BEGIN IMMEDIATE")
            waiting = file.execute("CREATE TABLE t (a)")
            assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
            other.execute("COMMIT")

        await waiting


async def test_a_full_disk_is_unavailable_and_spares_what_was_answered(tmp_path: Path) -> None:
    """The writers wait and try again: nothing is set aside because a disk is full."""
    path = tmp_path / "o.sqlite"
    async with SqliteFile.open(path, most_pages=60) as file:
        await file.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")
        answered = 0
        with pytest.raises(Unavailable, match="full"):  # noqa: PT012 (how many fit is not ours to know)
            for number in range(1_000):
                await file.execute(INSERT, (f"{number:>2000}",))
                answered += 1
        assert answered > 0
        assert await count(file) == answered

    async with SqliteFile.open(path) as file:  # as after room was made
        await file.execute(INSERT, ("more",))
        assert await count(file) == answered + 1


async def test_while_the_disk_is_full_a_ping_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    folder.mkdir()
    async with SqliteFile.open(folder / "o.sqlite") as file:
        await file.ping()
        used = sum(one.stat().st_size for one in folder.iterdir())
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (used // 4, before[1]))
        try:
            with pytest.raises(Unavailable):
                await file.ping()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, ignored)
        await file.ping()


async def test_a_full_disk_fails_its_whole_batch_or_only_whom_it_hit(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "o.sqlite", most_pages=60) as file:
        await file.execute("CREATE TABLE words (word TEXT PRIMARY KEY)")
        answers = await asyncio.gather(
            *(file.execute(INSERT, (f"{number:>2000}",)) for number in range(500)), return_exceptions=True
        )
        failed = [answer for answer in answers if isinstance(answer, BaseException)]

        assert failed
        assert {type(error) for error in failed} == {Unavailable}
        assert await count(file) == 500 - len(failed)


async def test_a_file_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    async with SqliteFile.open(path) as file:
        await file.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")

    with pytest.raises(Refused, match=r"o\.sqlite was written by a newer version.*start that version"):
        async with SqliteFile.open(path):
            pass


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("my notes\n" * 200)

    with pytest.raises(Refused, match=r"notes\.txt.*not a database"):
        async with SqliteFile.open(path):
            pass
    assert path.read_text() == "my notes\n" * 200


async def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(outside(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
    before = path.read_bytes()

    with pytest.raises(Refused, match="another program"):
        async with SqliteFile.open(path):
            pass
    assert path.read_bytes() == before


async def test_a_file_locked_at_opening_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    with closing(outside(path)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(Refused, match="another program holds its lock"):
            async with SqliteFile.open(path, patience=0.1):
                pass


async def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")

    with pytest.raises(Refused, match="plain"):
        async with SqliteFile.open(tmp_path / "plain" / "o.sqlite"):
            pass


async def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="cannot be opened"):
        async with SqliteFile.open(tmp_path):
            pass


async def test_missing_folders_are_made(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "a" / "b" / "o.sqlite"):
        assert names(tmp_path / "a") == ["b"]


async def test_two_may_open_a_new_file_at_the_same_moment(tmp_path: Path) -> None:
    async def open_and_write(number: int) -> None:
        async with SqliteFile.open(tmp_path / "o.sqlite") as file:
            await file.execute("INSERT INTO sys_counters VALUES ('c', ?, 1)", (str(number),))

    await asyncio.gather(*(open_and_write(number) for number in range(6)))

    async with SqliteFile.open(tmp_path / "o.sqlite") as file:
        assert (await file.fetch("SELECT count(*) FROM sys_counters")).rows == [(6,)]


KILLED_WRITER = """
import asyncio, os, sys
from pathlib import Path
from shared.adapters.sqlite_file import SqliteFile

async def main():
    async with SqliteFile.open(Path(sys.argv[1])) as file:
        async def write(first):
            for number in range(first, 100_000, 20):
                await file.execute("INSERT INTO sys_counters VALUES ('c', ?, 1)", (str(number),))
                os.write(1, f"{number}\\n".encode())
        await asyncio.gather(*(write(first) for first in range(20)))

asyncio.run(main())
"""


def answered_before_the_kill(path: Path) -> set[int]:
    """The writes that a process had been answered when it was killed in the middle of many."""
    with subprocess.Popen(
        [sys.executable, "-c", KILLED_WRITER, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(300)]
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    return {int(line) for line in lines if line.endswith(b"\n")}


async def test_what_was_answered_outlives_a_killed_process(tmp_path: Path) -> None:
    path = tmp_path / "o.sqlite"
    answered = await asyncio.to_thread(answered_before_the_kill, path)

    async with SqliteFile.open(path) as file:
        rows = (await file.fetch("SELECT name FROM sys_counters")).rows
        assert (await file.fetch("PRAGMA integrity_check")).rows == [("ok",)]
    assert len(answered) >= 300
    assert answered <= {int(name) for (name,) in rows}


async def test_a_failed_batch_is_logged(file: SqliteFile) -> None:
    with closing(outside(file.path)) as other, capture_logs() as lines:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable):
            await file.execute(INSERT, ("a",))

    assert [(line["event"], line["calls"]) for line in lines] == [("sqlite.batch_failed", 1)]


async def test_errors_of_use_keep_their_meaning(file: SqliteFile) -> None:
    await file.execute(INSERT, ("a",))

    with pytest.raises(Duplicate):
        await file.execute(INSERT, ("a",))
    with pytest.raises(Refused, match="no such table"):
        await file.execute("INSERT INTO nowhere VALUES (1)")
    with pytest.raises(Unavailable, match="read-only"):
        await file.fetch(INSERT, ("b",))
