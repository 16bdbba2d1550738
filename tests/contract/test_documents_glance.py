"""The contract of the documents port: a glance at a few fields of many documents."""

import pytest
from pydantic import BaseModel

from shared.domain.errors import UndeclaredFilter
from shared.ports.documents import AnyOf, Collection, Documents
from tests.contract.documents_sample import OLD_TASKS, OldTask, Status, Task, fill, task


class Part(BaseModel):
    """Of a task, what a count of many looks at."""

    id: str
    version: int
    status: str
    owner: str | None = None
    headers: dict[str, str] = {}


async def test_a_glance_gives_the_named_fields_in_the_order_of_ids_behind_an_id(
    tasks: Collection[Task],
) -> None:
    await fill(
        tasks, task(3, owner="anna"), task(1, headers={"a": "b"}, version=4), task(2, status=Status.DONE)
    )

    first = await tasks.glance(Part, {}, limit=2)
    rest = await tasks.glance(Part, {}, limit=2, after=first[-1].id)

    assert first == [
        Part(id="task_00001", version=4, status="open", headers={"a": "b"}),
        Part(id="task_00002", version=0, status="done"),
    ]
    assert rest == [Part(id="task_00003", version=0, status="open", owner="anna")]
    assert await tasks.glance(Part, {}, limit=2, after=rest[-1].id) == []
    assert await tasks.glance(Part, {}, limit=0) == []


async def test_a_glance_takes_the_filters_of_a_list(tasks: Collection[Task]) -> None:
    await fill(tasks, task(1), task(2, done=True), task(3, done=True))

    assert [one.id for one in await tasks.glance(Part, {"done": True}, 9)] == ["task_00002", "task_00003"]
    some = AnyOf(["task_00003", "task_00001", "task_00007"])
    assert [one.id for one in await tasks.glance(Part, {"id": some}, 9)] == ["task_00001", "task_00003"]
    with pytest.raises(UndeclaredFilter):
        await tasks.glance(Part, {"title": "x"}, 1)


async def test_a_glance_has_the_parts_defaults_for_documents_that_are_older_than_a_field(
    documents: Documents, tasks: Collection[Task]
) -> None:
    await documents.collection(OLD_TASKS).insert(OldTask(id="old", title="old"))

    class Later(BaseModel):
        id: str
        title: str
        invented: str = "by a later version"

    assert await tasks.glance(Later, {}, 1) == [Later(id="old", title="old")]
