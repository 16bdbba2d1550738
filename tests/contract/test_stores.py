"""What the stores promise on every adapter: of many who change one document at once, each gets through."""

import asyncio

from shared.stores.store import Store
from tests.contract.conftest import Store as Adapter
from tests.contract.documents_sample import TASKS, Task, task


async def test_a_hundred_who_change_one_document_at_once_all_get_through(store: Adapter) -> None:
    """In two processes, and each knowing nothing of the others."""
    opened = [await store.documents() for _ in range(2)]
    await opened[0].prepare([TASKS])
    await Store(opened[0], TASKS).add(task(1))

    def one_more(found: Task) -> None:
        found.number += 1
        found.touch()

    writers = [Store(opened[number % 2], TASKS) for number in range(100)]
    await asyncio.gather(*(writer.change("task_00001", one_more) for writer in writers))

    assert (await writers[0].get("task_00001")).number == 101
