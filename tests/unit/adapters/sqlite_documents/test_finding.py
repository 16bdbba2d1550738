"""Filters, orders and pages of the embedded file."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_text import instant
from shared.domain.errors import Invalid, UndeclaredFilter
from shared.ports.documents import AnyOf, Order, Range
from tests.unit.adapters.sqlite_documents.parcels import START, Colour, Parcel, envelope, ids, store


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"colour": Colour.RED}, ["p1", "p3"]),
        ({"colour": AnyOf([Colour.BLUE, "green"])}, ["p2"]),
        ({"colour": AnyOf([])}, []),
        ({"weight": None}, ["p3"]),
        ({"weight": AnyOf([None, 2])}, ["p2", "p3"]),
        ({"weight": Range(at_least=1, below=2)}, ["p1"]),
        ({"weight": Range(at_least=2)}, ["p2"]),
        ({"weight": Range()}, ["p1", "p2", "p3"]),
        ({"fragile": True}, ["p2"]),
        ({"fragile": AnyOf([False])}, ["p1", "p3"]),
        ({"sent_at": START}, ["p1"]),
        ({"sent_at": Range(below=START + timedelta(hours=1))}, ["p1"]),
        ({"sent_at": START.astimezone(timezone(timedelta(hours=5)))}, ["p1"]),
        ({"tags": "a"}, ["p1", "p2"]),
        ({"tags": AnyOf(["b", "c"])}, ["p1", "p2"]),
        ({"tags": Range(at_least="b", below="c")}, ["p1"]),
        ({"tags": "a", "colour": Colour.BLUE}, ["p2"]),
        ({"id": Range(at_least="p2")}, ["p2", "p3"]),
        ({"colour": "' OR 1=1 --"}, []),
    ],
)
async def test_a_filter_finds_what_it_says(
    parcels: SqliteCollection[Parcel], where: dict[str, Any], expected: list[str]
) -> None:
    await store(
        parcels,
        Parcel(id="p1", weight=1, sent_at=START, tags=["a", "b"]),
        Parcel(
            id="p2",
            weight=2,
            sent_at=START + timedelta(days=1),
            tags=["c", "a"],
            fragile=True,
            colour=Colour.BLUE,
        ),
        Parcel(id="p3"),
    )

    assert ids((await parcels.find(where)).items) == expected


@pytest.mark.parametrize("where", [{"label": "x"}, {"weight": 1, "nothing": 1}, {"id; --": 1}])
async def test_a_filter_on_an_undeclared_field_is_refused(
    parcels: SqliteCollection[Parcel], where: dict[str, Any]
) -> None:
    with pytest.raises(UndeclaredFilter):
        await parcels.find(where)
    with pytest.raises(UndeclaredFilter):
        await parcels.search("x", where)
    with pytest.raises(UndeclaredFilter):
        await parcels.claim(START, 1, 1, where)


@pytest.mark.parametrize("by", ["label", "tags"])
async def test_an_order_without_an_index_is_refused(parcels: SqliteCollection[Parcel], by: str) -> None:
    with pytest.raises(UndeclaredFilter):
        await parcels.find({}, Order(by))


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("by", ["id", "weight", "sent_at", "colour", "fragile"])
@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_hold_every_document_once_and_in_order(
    parcels: SqliteCollection[Parcel], by: str, descending: bool, limit: int
) -> None:
    stored = [
        Parcel(
            id=f"p{number}",
            weight=number // 3 if number % 2 else None,
            sent_at=START + timedelta(milliseconds=number // 2) if number % 3 else None,
            colour=Colour.RED if number % 4 else Colour.BLUE,
            fragile=bool(number % 2),
        )
        for number in range(9)
    ]
    await store(parcels, *stored)

    def key(parcel: Parcel) -> tuple[bool, Any, str]:
        value = getattr(parcel, by)
        return value is not None, value, parcel.id

    found: list[Parcel] = []
    after = None
    while True:
        page = await parcels.find({}, Order(by, descending), limit, after)
        found += page.items
        after = page.after
        if after is None:
            break

    present = [parcel for parcel in stored if getattr(parcel, by) is not None]
    missing = [parcel for parcel in stored if getattr(parcel, by) is None]
    ascending = sorted(missing, key=lambda parcel: parcel.id) + sorted(present, key=key)
    assert ids(found) == ids(ascending[::-1] if descending else ascending)


@pytest.mark.parametrize("after", ["", "nonsense", "WzFd", "ÿ", "e30=", "WyJpZCIsZmFsc2UsW10sImEiXQ=="])
async def test_a_cursor_that_is_not_ours_is_invalid(parcels: SqliteCollection[Parcel], after: str) -> None:
    with pytest.raises(Invalid) as caught:
        await parcels.find({}, after=after)
    assert "after" in caught.value.fields


async def test_a_cursor_of_another_order_is_invalid(parcels: SqliteCollection[Parcel]) -> None:
    await store(parcels, Parcel(id="p1"), Parcel(id="p2"))
    page = await parcels.find({}, Order("weight"), limit=1)

    with pytest.raises(Invalid):
        await parcels.find({}, Order("weight", descending=True), limit=1, after=page.after)


@pytest.mark.parametrize("limit", [0, -1])
async def test_a_limit_below_one_finds_nothing(parcels: SqliteCollection[Parcel], limit: int) -> None:
    """SQLite takes a negative limit for none at all."""
    await parcels.insert(Parcel(id="p1", wake_at=START, label="x", outbox=[envelope(1)]))

    assert (await parcels.find({}, limit=limit)).items == []
    assert await parcels.search("x", limit=limit) == []
    assert await parcels.claim(START, 10, limit) == []
    assert await parcels.unpublished(-1, limit) == []


def test_instants_sort_as_text_the_way_they_sort_in_time() -> None:
    instants = [
        datetime(1, 1, 1, tzinfo=UTC),
        START,
        START + timedelta(milliseconds=1),
        datetime.max.replace(tzinfo=UTC),
    ]

    assert sorted(map(instant, reversed(instants))) == [instant(at) for at in instants]
    assert len({len(instant(at)) for at in instants}) == 1


def test_an_instant_without_its_timezone_is_invalid() -> None:
    with pytest.raises(Invalid):
        instant(datetime(2026, 1, 1))  # noqa: DTZ001 (that is what is refused)
