"""Documents in the embedded file: what lies behind the port's contract, which has a suite of its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_documents import TOKENS_KEPT, SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.adapters.sqlite_query import words_of
from shared.adapters.sqlite_table import Table
from shared.adapters.sqlite_text import instant
from shared.domain.documents import Document, Envelope, Instant, Sleeper
from shared.domain.errors import Conflict, Duplicate, Invalid, NotFound, Refused, UndeclaredFilter, Unreadable
from shared.ports.documents import AnyOf, Index, Order, Range, Spec

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Parcel(Sleeper):
    colour: Colour = Colour.RED
    weight: int | None = None
    sent_at: Instant | None = None
    fragile: bool = False
    tags: list[str] = []
    label: str = ""
    note: str | None = None
    stops: dict[Colour, Instant] = {}
    code: str | None = None


INDEXES = (
    Index(("colour", "weight")),
    Index(("weight",)),
    Index(("sent_at",)),
    Index(("fragile",)),
    Index(("tags",)),
    Index(("code",), unique=True),
)
PARCELS = Spec("parcels", Parcel, indexes=INDEXES, text=("label", "note"), claimable=True)


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqliteFile]:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as opened:
        yield opened


@pytest.fixture
async def parcels(file: SqliteFile) -> SqliteCollection[Parcel]:
    documents = SqliteDocuments(file)
    await documents.prepare([PARCELS])
    return documents.collection(PARCELS)


def envelope(number: int) -> Envelope:
    return Envelope(id=f"evt_{number}", type="t", topic="x", key="k", time=START, data="{}")


def ids(documents: Sequence[Document]) -> list[str]:
    return [document.id for document in documents]


async def store(parcels: SqliteCollection[Parcel], *documents: Parcel) -> None:
    await asyncio.gather(*(parcels.insert(document) for document in documents))


async def plan(file: SqliteFile, sql: str) -> str:
    return " ".join(str(row[3]) for row in (await file.fetch(f"EXPLAIN QUERY PLAN {sql}")).rows)


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


async def test_text_behind_a_nul_can_be_searched_for(parcels: SqliteCollection[Parcel]) -> None:
    await parcels.insert(Parcel(id="p1", label="one\0two"))

    assert ids(await parcels.search("two")) == ["p1"]


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


async def test_due_documents_are_found_from_an_index(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    steps = await plan(file, "SELECT id FROM parcels WHERE wake_at <= 'x' ORDER BY wake_at, id LIMIT 5")

    assert "INDEX parcels__asleep" in steps
    assert "TEMP B-TREE" not in steps


async def test_a_claim_gives_each_due_document_to_one_caller_earliest_first(
    parcels: SqliteCollection[Parcel],
) -> None:
    await store(
        parcels,
        *(Parcel(id=f"p{number}", wake_at=START + timedelta(seconds=9 - number)) for number in range(10)),
        Parcel(id="asleep"),
        Parcel(id="later", wake_at=START + timedelta(seconds=10)),
    )
    now = START + timedelta(seconds=9, milliseconds=500)

    taken = await asyncio.gather(*(parcels.claim(now, 30, 4) for _ in range(4)))

    assert [ids(part) for part in taken] == [
        ["p9", "p8", "p7", "p6"],
        ["p5", "p4", "p3", "p2"],
        ["p1", "p0"],
        [],
    ]
    assert taken[0][0] == await parcels.get("p9")
    assert taken[0][0].wake_at == now + timedelta(seconds=30)
    assert taken[0][0].version == 1


async def test_a_claimed_document_comes_back_after_its_lease(parcels: SqliteCollection[Parcel]) -> None:
    await parcels.insert(Parcel(id="p1", wake_at=START))
    (first,) = await parcels.claim(START, 30, 1)

    assert await parcels.claim(START + timedelta(seconds=29), 30, 1) == []
    (second,) = await parcels.claim(START + timedelta(seconds=30), 30, 1)
    first.touch()
    with pytest.raises(Conflict):
        await parcels.replace(first, if_version=first.version - 1)
    second.wake_at = None
    second.touch()
    await parcels.replace(second, if_version=second.version - 1)
    assert await parcels.claim(START + timedelta(days=1), 30, 1) == []


async def test_a_claim_obeys_its_filter(parcels: SqliteCollection[Parcel]) -> None:
    await store(parcels, Parcel(id="p1", wake_at=START), Parcel(id="p2", wake_at=START, weight=3, tags=["a"]))

    assert ids(await parcels.claim(START, 1, 9, {"weight": 3, "tags": "a"})) == ["p2"]


async def test_only_a_collection_declared_claimable_can_be_claimed_from(file: SqliteFile) -> None:
    with pytest.raises(UndeclaredFilter):
        await SqliteDocuments(file).collection(Spec("parcels", Parcel)).claim(START, 1, 1)


async def test_published_events_leave_the_outbox_and_the_version_stays(
    parcels: SqliteCollection[Parcel],
) -> None:
    await parcels.insert(Parcel(id="p1", version=7, outbox=[envelope(1), envelope(2), envelope(3)]))

    await parcels.clear_outbox("p1", ["evt_1", "evt_3", "evt_9"])
    half = await parcels.get("p1")
    assert (half.outbox, half.version) == ([envelope(2)], 7)
    assert ids(await parcels.unpublished(-1, 10)) == ["p1"]

    await parcels.clear_outbox("p1", ["evt_2"])
    assert (await parcels.get("p1")).outbox == []
    assert await parcels.unpublished(-1, 10) == []
    await parcels.clear_outbox("nobody", ["evt_2"])


async def test_those_unpublished_longest_come_first_and_fresh_ones_not_yet(
    parcels: SqliteCollection[Parcel], file: SqliteFile
) -> None:
    for number in (2, 1, 3):
        await parcels.insert(Parcel(id=f"p{number}", outbox=[envelope(number)]))
    await file.execute("UPDATE parcels SET outbox_since = outbox_since - 60000 WHERE id = 'p3'")

    assert ids(await parcels.unpublished(-1, 10)) == ["p3", "p2", "p1"]
    assert ids(await parcels.unpublished(30, 10)) == ["p3"]


async def test_a_counters_token_counts_once_until_many_newer_ones_came(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    assert await documents.increment("c", {"a": 2, "b": 1}, once="t0") == {"a": 2, "b": 1}
    assert await documents.increment("c", {"a": 2, "b": 1}, once="t0") == {"a": 2, "b": 1}
    assert await documents.increment("other", {"a": 1}, once="t0") == {"a": 1}

    await asyncio.gather(*(documents.increment("c", {"a": 1}, once=f"t{n}") for n in range(1, TOKENS_KEPT)))
    assert await documents.increment("c", {"a": 1}, once="t0") == {"a": TOKENS_KEPT + 1}
    await documents.increment("c", {"a": 1}, once="one more")
    assert await documents.increment("c", {"a": 1}, once="t0") == {"a": TOKENS_KEPT + 3}
    assert (await file.fetch("SELECT count(*) FROM sys_tokens WHERE counter = 'c'")).rows == [(TOKENS_KEPT,)]


async def test_no_two_callers_get_the_same_number(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    async with SqliteFile.open(file.path) as other:
        there = SqliteDocuments(other)
        answers = await asyncio.gather(
            *(store.increment("tickets", {"last": 1}) for store in (documents, there) for _ in range(100))
        )

    assert sorted(answer["last"] for answer in answers) == list(range(1, 201))


async def test_a_set_counter_holds_these_numbers_and_no_others_and_keeps_its_tokens(file: SqliteFile) -> None:
    documents = SqliteDocuments(file)
    await documents.increment("c", {"a": 2, "b": 1}, once="t")
    await documents.set_counter("c", {"b": 7})
    await documents.increment("c", {"b": 1}, once="t")

    assert await documents.counters(["c", "nobody"]) == {"c": {"b": 7}}


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


@pytest.mark.parametrize(
    ("text", "query"), [("a b", '"a" "b"'), ('a"b', '"a" "b"'), ("a_b", '"a_b"'), ("-", None)]
)
def test_words_are_quoted(text: str, query: str | None) -> None:
    assert words_of(text) == query
