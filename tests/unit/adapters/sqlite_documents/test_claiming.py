"""Claims, outboxes and counters of the embedded file: each goes to one caller, and counts once."""

import asyncio
from datetime import timedelta

import pytest

from shared.adapters.sqlite_collection import SqliteCollection
from shared.adapters.sqlite_counters import TOKENS_KEPT
from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Conflict, UndeclaredFilter
from shared.ports.documents import Spec
from tests.unit.adapters.sqlite_documents.parcels import (
    START,
    Parcel,
    envelope,
    ids,
    store,
)


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
