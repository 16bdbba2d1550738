"""What is put into the embedded file comes back whole; the port's contract has a suite of its own."""

import asyncio
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Conflict, Duplicate, Invalid, NotFound, Unreadable
from shared.ports.documents import AnyOf, Index, Order, Spec
from tests.unit.adapters.sqlite_documents.parcels import (
    PARCELS,
    Colour,
    Parcel,
    envelope,
    ids,
    store,
)


async def test_a_document_comes_back_as_it_was_with_instants_cut_to_milliseconds(
    parcels: SqliteCollection[Parcel],
) -> None:
    sent = datetime(2026, 3, 1, 14, 0, 0, 123_999, timezone(timedelta(hours=2)))
    parcel = Parcel(
        id="p1",
        version=3,
        outbox=[envelope(1)],
        wake_at=sent,
        colour=Colour.BLUE,
        sent_at=sent,
        tags=["a", "b"],
        label='quotes " \\ and \0 nul',
        stops={Colour.RED: sent},
    )
    await parcels.insert(parcel)

    cut = datetime(2026, 3, 1, 12, 0, 0, 123_000, UTC)
    expected = parcel.model_copy(update={"wake_at": cut, "sent_at": cut, "stops": {Colour.RED: cut}})
    assert await parcels.get("p1") == expected


@pytest.mark.parametrize(
    "code", ["a\0b", "\0", "a\\u0000b", "\\\0", "\\\\\0\0", "\ufffe", "\0\ufffe\uffff\ufffe\0\0"]
)
async def test_any_string_is_kept_and_found_whole(parcels: SqliteCollection[Parcel], code: str) -> None:
    """SQLite's JSON functions cut a string at NUL: "a" would be taken for equal."""
    await store(
        parcels, Parcel(id="p1", code=code, tags=[code], label=f"one{code}two"), Parcel(id="p2", code="a")
    )

    assert (await parcels.get("p1")).code == code
    assert ids((await parcels.find({"code": code})).items) == ["p1"]
    assert ids((await parcels.find({"tags": AnyOf([code])})).items) == ["p1"]
    assert (
        ids(
            (await parcels.find({}, Order("code"), 1, (await parcels.find({}, Order("code"), 1)).after)).items
        )
        != []
    )


async def test_fields_of_a_newer_version_survive_a_save_by_an_older_one(file: SqliteFile) -> None:
    class Newer(Parcel):
        insured: dict[str, int] = {}

    documents = SqliteDocuments(file)
    await documents.prepare([PARCELS])
    newer = documents.collection(Spec("parcels", Newer))
    await newer.insert(Newer(id="p1", insured={"eur": 5}))

    older = documents.collection(PARCELS)
    parcel = await older.get("p1")
    parcel.touch()
    await older.replace(parcel, if_version=0)

    assert (await newer.get("p1")).insured == {"eur": 5}


async def test_a_document_that_json_cannot_hold_is_invalid(parcels: SqliteCollection[Parcel]) -> None:
    parcel = Parcel(id="p1")
    parcel.label = "half a character: \ud83d"

    with pytest.raises(Invalid, match="p1"):
        await parcels.insert(parcel)


async def test_a_row_that_its_model_does_not_accept_is_unreadable_and_tells_no_contents(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    await parcels.insert(Parcel(id="p1"))
    await file.execute("UPDATE parcels SET body = json_set(body, '$.weight', 'secret')")

    with pytest.raises(Unreadable, match="weight") as caught:
        await parcels.get("p1")
    assert "secret" not in str(caught.value)


async def test_of_two_replaces_of_one_version_one_gets_a_conflict(parcels: SqliteCollection[Parcel]) -> None:
    await parcels.insert(Parcel(id="p1"))

    answers = await asyncio.gather(
        *(parcels.replace(Parcel(id="p1", version=1, weight=n), if_version=0) for n in range(5)),
        return_exceptions=True,
    )

    assert [type(answer) for answer in answers if answer is not None] == [Conflict] * 4


async def test_replacing_what_is_not_there_is_not_found(parcels: SqliteCollection[Parcel]) -> None:
    with pytest.raises(NotFound):
        await parcels.replace(Parcel(id="p1", version=1), if_version=0)


async def test_a_replace_that_does_not_raise_the_version_is_a_fault_of_ours(
    parcels: SqliteCollection[Parcel],
) -> None:
    with pytest.raises(ValueError, match="does not follow"):
        await parcels.replace(Parcel(id="p1", version=1), if_version=1)


async def test_a_unique_value_is_taken_once_and_none_is_no_value(parcels: SqliteCollection[Parcel]) -> None:
    await store(parcels, Parcel(id="p1", code="x"), Parcel(id="p2"), Parcel(id="p3"))

    with pytest.raises(Duplicate):
        await parcels.insert(Parcel(id="p4", code="x"))
    with pytest.raises(Duplicate):
        await parcels.replace(Parcel(id="p2", version=1, code="x"), if_version=0)
    assert (await parcels.get("p2")).version == 0


async def test_a_unique_list_gives_each_of_its_values_to_one_document_alone(file: SqliteFile) -> None:
    spec = Spec("parcels", Parcel, indexes=(Index(("tags",), unique=True),))
    documents = SqliteDocuments(file)
    await documents.prepare([spec])
    parcels = documents.collection(spec)
    await parcels.insert(Parcel(id="p1", tags=["a", "b", "b"]))

    with pytest.raises(Duplicate):
        await parcels.insert(Parcel(id="p2", tags=["c", "b"]))
    await parcels.insert(Parcel(id="p2", tags=["c"]))
    assert ids((await parcels.find({"tags": "c"})).items) == ["p2"]


async def test_a_ping_needs_the_write_lock(tmp_path: Path) -> None:
    async with SqliteFile.open(tmp_path / "o.sqlite", patience=0.1) as file:
        documents = SqliteDocuments(file)
        await documents.ping()
        with closing(sqlite3.connect(file.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(Exception, match="lock"):
                await documents.ping()


async def test_two_processes_files_see_each_others_documents(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    await documents.prepare([PARCELS])
    async with SqliteFile.open(file.path) as other:
        await documents.collection(PARCELS).insert(Parcel(id="p1"))
        there = SqliteDocuments(other).collection(PARCELS)
        assert (await there.get("p1")).id == "p1"
        with pytest.raises(Duplicate):
            await there.insert(Parcel(id="p1"))
