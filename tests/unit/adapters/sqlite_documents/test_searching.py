"""Full text in the embedded file: words are words, and what changes is found as it is now."""

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_query import words_of
from tests.unit.adapters.sqlite_documents.parcels import Parcel, ids, store


async def test_text_behind_a_nul_can_be_searched_for(parcels: SqliteCollection[Parcel]) -> None:
    await parcels.insert(Parcel(id="p1", label="one\0two"))

    assert ids(await parcels.search("two")) == ["p1"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("blue", ["p1", "p2"]),
        ("BLUE vase", ["p1"]),
        ("vase blue", ["p1"]),
        ("blu", []),
        ("blue OR vase", []),
        ("blue NOT vase", []),
        ("bl*", []),
        ('"blue', ["p1", "p2"]),
        ("label:blue", []),
        ("blue^2 -vase", []),
        ("(blue)", ["p1", "p2"]),
        ("cafe", ["p3"]),
        ("CAFÉ", ["p3"]),
        ("blue near", []),
        ("", []),
        ("  -- ** ", []),
        ("\u0301", []),
    ],
)
async def test_search_takes_words_as_words(
    parcels: SqliteCollection[Parcel], text: str, expected: list[str]
) -> None:
    await store(
        parcels,
        Parcel(id="p1", label="a blue vase"),
        Parcel(id="p2", label="one", note="Blue sky, blue sea"),
        Parcel(id="p3", label="Café"),
    )

    assert sorted(ids(await parcels.search(text))) == expected


async def test_search_follows_changes_and_removals(parcels: SqliteCollection[Parcel]) -> None:
    await store(
        parcels, Parcel(id="p1", label="blue"), Parcel(id="p2", label="blue"), Parcel(id="p3", label="blue")
    )
    await parcels.replace(Parcel(id="p1", version=1, label="green"), if_version=0)
    await parcels.delete("p2")

    assert ids(await parcels.search("blue")) == ["p3"]
    assert ids(await parcels.search("green")) == ["p1"]


async def test_search_gives_the_best_first_and_obeys_its_filter(parcels: SqliteCollection[Parcel]) -> None:
    await store(
        parcels,
        Parcel(id="p1", label="a vase among many other things that are not blue at all", weight=1),
        Parcel(id="p2", label="vase vase", weight=1),
        Parcel(id="p3", label="vase", weight=2),
    )

    assert ids(await parcels.search("vase", {"weight": 1})) == ["p2", "p1"]


@pytest.mark.parametrize(
    ("text", "query"), [("a b", '"a" "b"'), ('a"b', '"a" "b"'), ("a_b", '"a_b"'), ("-", None)]
)
def test_words_are_quoted(text: str, query: str | None) -> None:
    assert words_of(text) == query
