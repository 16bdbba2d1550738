"""The contract of the documents port: single documents, kept whole, changed by one writer at a time."""

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from shared.domain.errors import Conflict, Duplicate, NotFound
from shared.ports.documents import Collection, Documents
from tests.contract.conftest import Store
from tests.contract.documents_sample import NOON, OLD_TASKS, TASKS, Line, Status, Task, event, task


async def outcomes(calls: Iterable[Awaitable[Any]]) -> list[Any]:
    """What each of the calls, made at the same moment, returned or raised."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_a_document_comes_back_as_it_was_stored(tasks: Collection[Task]) -> None:
    stored = task(
        1,
        title="Grüße, \N{SNOWMAN} and \0 and \U0001f600",
        status=Status.WAITING,
        tags=["a", "b"],
        owner="anna",
        code="x-1",
        done=True,
        due_at=NOON,
        day=date(2026, 3, 1),
        took=timedelta(minutes=5, milliseconds=1),
        share=0.1,
        labels={"red", "blue"},
        headers={"a.b": "1", "$set": "2", "": "3", "Ünï": "4"},
        lines=[Line(at=NOON, text="first"), Line(at=NOON, text="")],
        wake_at=NOON,
        outbox=[event(1), event(2)],
        version=7,
    )

    await tasks.insert(stored)

    assert await tasks.get(stored.id) == stored


async def test_instants_are_kept_to_the_millisecond_in_utc(tasks: Collection[Task]) -> None:
    """What is finer is cut off, not rounded: a document is never due earlier than another store would say."""
    instant = datetime(2026, 3, 1, 14, 0, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    kept = datetime(2026, 3, 1, 12, 0, 0, 123_000, tzinfo=UTC)

    await tasks.insert(task(1, due_at=instant, wake_at=instant, lines=[Line(at=instant, text="")]))

    found = await tasks.get("task_00001")
    assert (kept, kept, kept) == (found.due_at, found.wake_at, found.lines[0].at)
    assert found.due_at is not None
    assert found.due_at.tzinfo is UTC


async def test_a_missing_document_is_not_found(tasks: Collection[Task]) -> None:
    with pytest.raises(NotFound):
        await tasks.get("nobody")


async def test_get_many_gives_those_that_exist(tasks: Collection[Task]) -> None:
    await outcomes(tasks.insert(task(number)) for number in range(3))

    found = await tasks.get_many(["task_00002", "nobody", "task_00000", "task_00002"])

    assert {"task_00000": task(0), "task_00002": task(2)} == found
    assert await tasks.get_many([]) == {}


async def test_each_of_many_readers_at_once_gets_its_own_document(tasks: Collection[Task]) -> None:
    await outcomes(tasks.insert(task(number)) for number in range(50))

    found = await asyncio.gather(*(tasks.get(f"task_{number:05}") for number in range(50)))

    assert list(range(50)) == [one.number for one in found]


async def test_two_readers_of_one_document_do_not_share_it(tasks: Collection[Task]) -> None:
    await tasks.insert(Task.model_validate({"id": "t", "tags": ["a"], "later": {"deep": ["a"]}}))

    one, other = await asyncio.gather(tasks.get("t"), tasks.get("t"))
    one.tags.append("b")
    (one.model_extra or {})["later"]["deep"].append("b")

    assert other.tags == ["a"]
    assert other.model_extra == {"later": {"deep": ["a"]}}


async def test_a_second_document_with_the_same_id_is_a_duplicate(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, title="first"))

    with pytest.raises(Duplicate):
        await tasks.insert(task(1, title="second"))

    assert (await tasks.get("task_00001")).title == "first"


async def test_of_many_who_insert_one_id_at_once_one_wins(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    told = await outcomes(
        collection.insert(task(1, title=f"writer {number}"))
        for number in range(20)
        for collection in (tasks, others_tasks)
    )

    assert told.count(None) == 1
    assert sum(isinstance(one, Duplicate) for one in told) == 39


async def test_a_taken_unique_value_is_a_duplicate(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, code="x"))
    await tasks.insert(task(2, code="y"))

    with pytest.raises(Duplicate):
        await tasks.insert(task(3, code="x"))
    with pytest.raises(Duplicate):
        await tasks.replace(task(2, code="x", version=1), if_version=0)

    assert (await tasks.get("task_00002")).code == "y"


async def test_none_is_no_unique_value(tasks: Collection[Task]) -> None:
    assert await outcomes(tasks.insert(task(number, code=None)) for number in range(3)) == [None] * 3


async def test_one_duplicate_among_fifty_inserts_fails_alone(tasks: Collection[Task]) -> None:
    await tasks.insert(task(17))

    told = await outcomes(tasks.insert(task(number)) for number in range(50))

    failed = [number for number, answer in enumerate(told) if isinstance(answer, Duplicate)]
    assert failed == [17]
    assert told.count(None) == 49
    assert len(await tasks.get_many([f"task_{number:05}" for number in range(50)])) == 50


async def test_a_replaced_document_is_the_new_one(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, title="old", tags=["a"], owner="anna", wake_at=NOON))
    changed = task(1, title="new", status=Status.DONE, version=3, outbox=[event(1)])

    await tasks.replace(changed, if_version=0)

    assert await tasks.get(changed.id) == changed


async def test_replacing_another_version_is_a_conflict(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, version=5))

    for stale in (4, 6):
        with pytest.raises(Conflict):
            await tasks.replace(task(1, title="stale", version=9), if_version=stale)

    assert await tasks.get("task_00001") == task(1, version=5)


async def test_replacing_a_missing_document_is_not_found_and_makes_none(tasks: Collection[Task]) -> None:
    with pytest.raises(NotFound):
        await tasks.replace(task(1, version=1), if_version=0)

    assert await tasks.get_many(["task_00001"]) == {}


async def test_of_many_who_replace_one_version_at_once_one_wins(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    await tasks.insert(task(1))

    told = await outcomes(
        collection.replace(task(1, title=f"{number}{name}", version=1), if_version=0)
        for number in range(20)
        for name, collection in (("a", tasks), ("b", others_tasks))
    )

    winners = [f"{place // 2}{'ab'[place % 2]}" for place, answer in enumerate(told) if answer is None]
    assert [(await tasks.get("task_00001")).title] == winners
    assert sum(isinstance(one, Conflict) for one in told) == 39


async def test_no_change_is_lost_when_many_writers_read_decide_and_save(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    """Each answer must be the truth: a save that happened but was called a conflict would count twice."""
    await tasks.insert(task(1))

    async def add_one(collection: Collection[Task]) -> None:
        while True:
            found = await collection.get("task_00001")
            found.share += 1
            found.version += 1
            try:
                return await collection.replace(found, if_version=found.version - 1)
            except Conflict:
                continue

    await asyncio.gather(*(add_one(collection) for collection in (tasks, others_tasks) for _ in range(15)))

    assert (await tasks.get("task_00001")).share == 30


async def test_a_conflict_among_fifty_replaces_fails_alone(tasks: Collection[Task]) -> None:
    await outcomes(tasks.insert(task(number, version=1 if number == 17 else 0)) for number in range(49))

    told = await outcomes(
        tasks.replace(task(number, title="new", version=2), if_version=0) for number in range(50)
    )

    errors = {number: type(answer) for number, answer in enumerate(told) if answer is not None}
    assert {17: Conflict, 49: NotFound} == errors
    found = await tasks.get_many([f"task_{number:05}" for number in range(49)])
    assert {17} == {one.number for one in found.values() if one.title != "new"}


async def test_a_deleted_document_is_gone_and_deleting_it_again_is_no_error(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, code="x", tags=["a"]))
    await tasks.insert(task(2, tags=["a"]))

    await tasks.delete("task_00001")
    await tasks.delete("task_00001")

    assert await tasks.get_many(["task_00001", "task_00002"]) == {"task_00002": task(2, tags=["a"])}
    assert (await tasks.find({"tags": "a"})).items == [task(2, tags=["a"])]
    await tasks.insert(task(3, code="x"))


async def test_what_an_older_process_does_not_know_survives_its_save(
    store: Store, tasks: Collection[Task]
) -> None:
    stored = task(1, title="old", tags=["a"], due_at=NOON, lines=[Line(at=NOON, text="x")], wake_at=NOON)
    await tasks.insert(stored)
    old_tasks = (await store.documents()).collection(OLD_TASKS)

    known = await old_tasks.get(stored.id)
    known.title = "new"
    known.touch()
    await old_tasks.replace(known, if_version=0)

    assert await tasks.get(stored.id) == stored.model_copy(update={"title": "new", "version": 1})
    assert len((await tasks.find({"tags": "a"})).items) == 1
    assert len(await tasks.claim(NOON, lease=60, limit=10)) == 1


async def test_many_processes_may_prepare_at_once_and_again(store: Store) -> None:
    several = [await store.documents() for _ in range(4)]

    await asyncio.gather(*(documents.prepare([TASKS]) for documents in several))
    await several[0].prepare([TASKS])

    await several[1].collection(TASKS).insert(task(1, code="x"))
    with pytest.raises(Duplicate):
        await several[2].collection(TASKS).insert(task(2, code="x"))


async def test_what_was_stored_is_there_for_another_process(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    await tasks.insert(task(1, title="here"))

    assert await others_tasks.get("task_00001") == task(1, title="here")


async def test_a_cancelled_caller_harms_no_other(tasks: Collection[Task]) -> None:
    inserts = [asyncio.ensure_future(tasks.insert(task(number))) for number in range(50)]
    await asyncio.sleep(0)  # all have asked, none is answered
    for insert in inserts[::7]:
        insert.cancel()

    told = await asyncio.gather(*inserts, return_exceptions=True)

    kept = [number for number in range(50) if number % 7]
    assert [told[number] for number in kept] == [None] * len(kept)
    assert len(await tasks.get_many([f"task_{number:05}" for number in kept])) == len(kept)


async def test_a_store_that_takes_writes_answers_the_ping(documents: Documents) -> None:
    await documents.ping()
    await documents.ping()
