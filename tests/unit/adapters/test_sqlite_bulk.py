"""Many rows by one statement: each gets its own answer, whatever becomes of the others."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from shared.adapters.sqlite_bulk import BulkWrite, found
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Duplicate, Invalid

INSERT = BulkWrite("INSERT INTO words (word, count) {rows}", width=2)
SET = BulkWrite(
    "UPDATE words SET count = new.column2 FROM ({rows}) AS new WHERE words.word = new.column1", width=2
)
MANY = 333
"""More than the largest statement takes, and no multiple of any."""


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite", patience=0.2) as opened:
        await opened.execute("CREATE TABLE words (word TEXT PRIMARY KEY, count INTEGER CHECK (count < 1000))")
        yield opened


async def insert(file: SqliteFile, rows: Sequence[tuple[str, int]]) -> list[int | BaseException]:
    return await asyncio.gather(*(file.together(INSERT, row) for row in rows), return_exceptions=True)


async def stored(file: SqliteFile) -> dict[str, int]:
    return dict((await file.fetch("SELECT word, count FROM words")).rows)


async def test_any_number_of_rows_is_written_and_each_is_answered(file: SqliteFile) -> None:
    rows = [(f"w{number}", number) for number in range(MANY)]

    assert await insert(file, rows) == [1] * MANY
    assert await stored(file) == dict(rows)


@pytest.mark.parametrize("at", [0, 127, 128, 200, MANY - 1])
async def test_a_value_that_is_taken_is_one_callers_error_and_all_the_others_are_written(
    file: SqliteFile, at: int
) -> None:
    rows = [(f"w{number}", number) for number in range(MANY)]
    await insert(file, [rows[at]])

    answers = await insert(file, rows)

    assert isinstance(answers.pop(at), Duplicate)
    assert answers == [1] * (MANY - 1)
    assert await stored(file) == dict(rows)


async def test_of_two_that_want_one_value_in_one_batch_one_gets_it(file: SqliteFile) -> None:
    first, second = await insert(file, [("same", 1), ("same", 2)])

    assert first == 1
    assert isinstance(second, Duplicate)
    assert await stored(file) == {"same": 1}


async def test_values_that_cannot_be_stored_are_their_callers_errors_alone(file: SqliteFile) -> None:
    rows = [("a", 1), ("b", 1 << 70), ("\ud800", 2), ("c", 5_000), ("d", 3)]

    answers = await insert(file, rows)

    assert [type(answer) for answer in answers] == [int, Invalid, Invalid, Duplicate, int]
    assert await stored(file) == {"a": 1, "d": 3}


async def test_each_row_is_told_whether_it_changed_something(file: SqliteFile) -> None:
    await insert(file, [(f"w{number}", 0) for number in range(0, MANY, 3)])

    answers = await asyncio.gather(*(file.together(SET, (f"w{number}", 7)) for number in range(MANY)))

    assert answers == [1 if number % 3 == 0 else 0 for number in range(MANY)]
    assert set((await stored(file)).values()) == {7}


async def test_a_cancelled_caller_disturbs_no_other_of_its_statement(file: SqliteFile) -> None:
    asked = [file.together(INSERT, (f"w{number}", number)) for number in range(20)]
    asked[3].cancel()

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert isinstance(answers.pop(3), asyncio.CancelledError)
    assert answers == [1] * 19


async def test_a_bulk_that_always_fails_fails_for_each_and_leaves_nothing(file: SqliteFile) -> None:
    def half_done(connection: sqlite3.Connection, words: Sequence[str]) -> list[int]:
        INSERT(connection, [(word, 1) for word in words])
        raise RuntimeError("no further")

    answers = await asyncio.gather(
        *(file.together(half_done, word) for word in "abc"),
        file.together(INSERT, ("d", 4)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers] == [RuntimeError, RuntimeError, RuntimeError, int]
    assert await stored(file) == {"d": 4}


async def test_what_is_found_for_a_list_of_values_comes_as_one(file: SqliteFile) -> None:
    await insert(file, [("a", 1), ("b", 2), ("ü\"'", 3)])
    sql = """SELECT json_group_array(json_array(word, count)) FROM words
        WHERE word IN (SELECT value FROM json_each(?))"""

    rows = await file.read(lambda connection: found(connection, sql, ["b", "ü\"'", "nobody"]))
    none = await file.read(lambda connection: found(connection, sql, []))

    assert sorted(rows) == [["b", 2], ["ü\"'", 3]]
    assert none == []
