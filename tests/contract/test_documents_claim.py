"""The contract of the documents port: a due document is given to one caller until the lease ends."""

import asyncio
from datetime import timedelta

import pytest

from shared.domain.errors import Conflict
from shared.ports.documents import Collection
from tests.contract.conftest import Store
from tests.contract.documents_sample import NOON, TASKS, Status, Task, task

SECOND = timedelta(seconds=1)


async def test_a_document_claimed_by_one_caller_is_not_given_to_another(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    await tasks.insert(task(1, wake_at=NOON))

    first = await tasks.claim(NOON, lease=60, limit=10)

    assert [one.number for one in first] == [1]
    assert await tasks.claim(NOON + 59 * SECOND, lease=60, limit=10) == []
    assert await others_tasks.claim(NOON + 59 * SECOND, lease=60, limit=10) == []


async def test_of_twenty_callers_at_once_one_gets_the_document(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    await tasks.insert(task(1, wake_at=NOON))

    claims = await asyncio.gather(
        *(one.claim(NOON, lease=60, limit=5) for one in (tasks, others_tasks) for _ in range(10))
    )

    assert sorted(len(claimed) for claimed in claims) == [0] * 19 + [1]


async def test_callers_at_once_share_the_due_documents_out_without_overlap(
    store: Store, tasks: Collection[Task]
) -> None:
    await asyncio.gather(*(tasks.insert(task(number, wake_at=NOON)) for number in range(60)))
    several = [(await store.documents()).collection(TASKS) for _ in range(4)]
    taken: list[int] = []

    async def take_all(collection: Collection[Task]) -> None:
        while claimed := await collection.claim(NOON, lease=60, limit=4):
            taken.extend(one.number for one in claimed)

    await asyncio.gather(*(take_all(collection) for collection in several))

    assert sorted(taken) == list(range(60))


async def test_a_claimed_document_has_its_lease_and_a_raised_version(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON - SECOND, version=4, title="kept"))

    claimed = await tasks.claim(NOON, lease=1.5, limit=10)

    assert claimed == [task(1, wake_at=NOON + 1.5 * SECOND, version=5, title="kept")]
    assert await tasks.get("task_00001") == claimed[0]


async def test_a_document_whose_lease_ended_comes_back(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    await tasks.insert(task(1, wake_at=NOON))
    await tasks.claim(NOON, lease=60, limit=10)

    again = await others_tasks.claim(NOON + 60 * SECOND, lease=60, limit=10)

    assert [(one.number, one.version) for one in again] == [(1, 2)]


async def test_who_outlived_the_lease_cannot_save(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON))
    (stale,) = await tasks.claim(NOON, lease=60, limit=1)
    (holder,) = await tasks.claim(NOON + 61 * SECOND, lease=60, limit=1)

    stale.touch()
    with pytest.raises(Conflict):
        await tasks.replace(stale, if_version=stale.version - 1)
    holder.touch()
    await tasks.replace(holder, if_version=holder.version - 1)


async def test_who_holds_the_lease_may_save_and_put_to_sleep(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON))
    (holder,) = await tasks.claim(NOON, lease=60, limit=1)

    holder.wake_at = None
    holder.touch()
    await tasks.replace(holder, if_version=holder.version - 1)

    assert await tasks.claim(NOON + timedelta(days=999), lease=60, limit=10) == []


async def test_a_reader_from_before_the_claim_cannot_save(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON))
    reader = await tasks.get("task_00001")
    await tasks.claim(NOON, lease=60, limit=1)

    reader.touch()
    with pytest.raises(Conflict):
        await tasks.replace(reader, if_version=0)


async def test_only_what_is_due_is_claimed_earliest_first(tasks: Collection[Task]) -> None:
    waking = {1: 5, 2: -3, 3: -1, 4: 0, 5: None, 6: -2}
    for number, seconds in waking.items():
        await tasks.insert(task(number, wake_at=None if seconds is None else NOON + seconds * SECOND))

    first = await tasks.claim(NOON, lease=60, limit=2)
    rest = await tasks.claim(NOON, lease=60, limit=10)

    assert [one.number for one in first] == [2, 6]
    assert [one.number for one in rest] == [3, 4]


async def test_a_document_is_due_at_the_very_millisecond(tasks: Collection[Task]) -> None:
    millisecond = timedelta(milliseconds=1)
    await tasks.insert(task(1, wake_at=NOON))

    assert await tasks.claim(NOON - millisecond, lease=60, limit=10) == []
    assert len(await tasks.claim(NOON, lease=60, limit=10)) == 1


async def test_a_claim_takes_only_what_the_filter_says(tasks: Collection[Task]) -> None:
    for number, status in enumerate([Status.OPEN, Status.DONE, Status.OPEN]):
        await tasks.insert(task(number, status=status, wake_at=NOON))

    done = await tasks.claim(NOON, lease=60, limit=10, where={"status": "done"})
    one = await tasks.claim(NOON, lease=60, limit=10, where={"id": "task_00002"})

    assert [claimed.number for claimed in done] == [1]
    assert [claimed.number for claimed in one] == [2]
    assert [claimed.number for claimed in await tasks.claim(NOON, lease=60, limit=10)] == [0]


async def test_a_claim_for_none_takes_none(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON))

    assert await tasks.claim(NOON, lease=60, limit=0) == []
    assert (await tasks.get("task_00001")).version == 0


async def test_a_document_may_be_woken_earlier_and_later(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, wake_at=NOON + 60 * SECOND))
    await tasks.insert(task(2, wake_at=NOON))

    await tasks.replace(task(1, wake_at=NOON, version=1), if_version=0)
    await tasks.replace(task(2, wake_at=NOON + 60 * SECOND, version=1), if_version=0)

    assert [one.number for one in await tasks.claim(NOON, lease=60, limit=10)] == [1]
