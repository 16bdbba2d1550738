"""Tables and indexes of the embedded file: made when they are missing, kept in step, and used."""

import asyncio
from dataclasses import replace

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_query import branches, counting, in_order, segments
from shared.adapters.sqlite_table import Table
from shared.domain.errors import Refused
from shared.ports.documents import Either, Index, Order, Spec
from tests.unit.adapters.sqlite_documents.parcels import (
    PARCELS,
    Parcel,
    ids,
    plan,
    store,
)


async def test_list_values_follow_changes_and_removals(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    await store(parcels, Parcel(id="p1", tags=["a", "b"]), Parcel(id="p2", tags=["a"]))
    await parcels.replace(Parcel(id="p1", version=1, tags=["b", "c"]), if_version=0)
    await parcels.delete("p2")

    assert ids((await parcels.find({"tags": "a"})).items) == []
    assert ids((await parcels.find({"tags": "c"})).items) == ["p1"]
    assert (await file.fetch("SELECT value FROM parcels__tags ORDER BY value")).rows == [("b",), ("c",)]


async def test_indexes_added_later_hold_the_documents_stored_before(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    bare = Spec("parcels", Parcel)
    await documents.prepare([bare])
    await documents.collection(bare).insert(Parcel(id="p1", weight=4, tags=["a"], label="blue"))

    await documents.prepare([PARCELS])
    parcels = documents.collection(PARCELS)

    assert ids((await parcels.find({"weight": 4})).items) == ["p1"]
    assert ids((await parcels.find({"tags": "a"})).items) == ["p1"]
    assert ids(await parcels.search("blue")) == ["p1"]


async def test_an_older_process_keeps_the_indexes_it_does_not_know_of(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    await documents.prepare([PARCELS])
    await documents.collection(Spec("parcels", Parcel)).insert(
        Parcel(id="p1", weight=4, tags=["a"], label="blue")
    )

    parcels = documents.collection(PARCELS)
    assert ids((await parcels.find({"weight": 4, "tags": "a"})).items) == ["p1"]
    assert ids(await parcels.search("blue")) == ["p1"]


async def test_preparing_twice_changes_nothing_and_two_may_do_it_at_once(file: SqliteFile) -> None:
    async with SqliteFile.open(file.path) as other:
        await asyncio.gather(*(SqliteDocuments(one).prepare([PARCELS]) for one in (file, other, file)))
    before = (await file.fetch("SELECT sql FROM sqlite_schema ORDER BY name")).rows
    await SqliteDocuments(file).prepare([PARCELS])

    assert (await file.fetch("SELECT sql FROM sqlite_schema ORDER BY name")).rows == before


async def test_an_index_that_is_retired_is_dropped_and_no_other(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    old = Spec("parcels", Parcel, indexes=(Index(("weight",)), Index(("label",)), Index(("weight", "tags"))))
    await documents.prepare([old])
    await file.execute("CREATE INDEX of_the_operator ON parcels (version)")

    async def there() -> set[str]:
        found = await file.fetch("SELECT name FROM sqlite_schema WHERE type = 'index'")
        return {name for (name,) in found.rows}

    before = await there()
    await documents.prepare([replace(old, indexes=old.indexes[:1], retired=old.indexes[1:])])

    assert before - await there() == {"parcels__by__label"}


async def test_a_unique_index_over_values_that_stand_twice_is_refused(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    bare = Spec("parcels", Parcel)
    await documents.prepare([bare])
    await store(documents.collection(bare), Parcel(id="p1", code="x"), Parcel(id="p2", code="x"))

    with pytest.raises(Refused, match="parcels holds a value twice"):
        await documents.prepare([PARCELS])


@pytest.mark.parametrize(
    "spec", [Spec("sys_x", Parcel), Spec("a b", Parcel), Spec("p", Parcel, (Index(("a'b",)),))]
)
def test_a_name_that_is_not_plain_never_becomes_sql(spec: Spec[Parcel]) -> None:
    with pytest.raises(ValueError, match="cannot name"):
        Table(spec)


def test_a_unique_index_of_a_list_and_something_else_is_no_spec_we_can_keep() -> None:
    with pytest.raises(ValueError, match="only by itself"):
        Table(Spec("parcels", Parcel, (Index(("tags", "weight"), unique=True),)))


async def test_filters_orders_and_pages_are_answered_from_indexes(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    page = "SELECT id FROM parcels WHERE f_colour = 'red' AND (f_weight, id) > (1, 'p')"

    steps = await plan(file, f"{page} ORDER BY f_weight, id")

    assert "INDEX parcels__by__colour__weight (f_colour=? AND (f_weight,id)>(?,?))" in steps
    assert "TEMP B-TREE" not in steps, "SQLite would read and sort them all"


@pytest.mark.parametrize("descending", [False, True])
async def test_a_page_by_either_of_two_fields_is_merged_and_what_one_of_them_has_is_not_sorted(
    parcels: SqliteCollection[Parcel], file: SqliteFile, descending: bool
) -> None:
    """Only what the list holds is, which is what lists are short of."""
    table, order = Table(PARCELS), Order("weight", descending)
    (*_, last) = segments(table, order, None)
    page = in_order(table, branches(table, {"colour": Either("red", also="tags")}), last, order)

    steps = await plan(file, page.sql, (*page.values, 5))

    merged, listed = steps.split("RIGHT", 1)
    assert merged.startswith("MERGE (UNION ALL) LEFT")
    assert "INDEX parcels__by__colour__weight (f_colour=?" in merged
    assert "TEMP B-TREE" not in merged, "SQLite would read and sort all that are red"
    assert "INDEX parcels__tags__value" in listed


async def test_documents_are_counted_from_an_index(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    steps = await plan(file, *counting(Table(PARCELS), {"colour": "red", "weight": 4}))

    assert steps == "SEARCH parcels USING INDEX parcels__by__colour__weight (f_colour=? AND f_weight=?)"


async def test_due_documents_are_found_from_an_index(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    steps = await plan(file, "SELECT id FROM parcels WHERE wake_at <= 'x' ORDER BY wake_at, id LIMIT 5")

    assert "INDEX parcels__asleep" in steps
    assert "TEMP B-TREE" not in steps
