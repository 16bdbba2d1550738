"""The contract of the documents port: the outbox, and counters."""

import asyncio

from shared.domain.errors import Conflict
from shared.ports.documents import Collection, Documents
from tests.contract.conftest import Store
from tests.contract.documents_sample import Task, event, task
from tests.helpers import eventually


async def test_cleared_events_are_gone_and_the_version_stays(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, version=4, title="kept", outbox=[event(1), event(2), event(3)]))

    await tasks.clear_outbox("task_00001", ["e1", "e3", "never-there"])

    assert await tasks.get("task_00001") == task(1, version=4, title="kept", outbox=[event(2)])


async def test_clearing_loses_no_concurrent_save(
    tasks: Collection[Task], others_tasks: Collection[Task]
) -> None:
    """The relay clears while writers save: every event ends up cleared, and every save is there."""
    await tasks.insert(task(1))

    async def relay(number: int) -> None:
        await eventually(lambda: _holds(tasks, number), awaited=f"event {number} saved")
        await others_tasks.clear_outbox("task_00001", [f"e{number}"])

    async def save(number: int) -> None:
        while True:
            found = await tasks.get("task_00001")
            found.tags.append(str(number))
            found.outbox.append(event(number))
            found.touch()
            try:
                return await tasks.replace(found, if_version=found.version - 1)
            except Conflict:
                continue

    await asyncio.gather(*(save(number) for number in range(10)), *(relay(number) for number in range(10)))

    found = await tasks.get("task_00001")
    assert {str(number) for number in range(10)} == set(found.tags)
    assert found.version == 10


async def _holds(tasks: Collection[Task], number: int) -> bool:
    return str(number) in (await tasks.get("task_00001")).tags


async def test_many_cleared_at_once_each_keep_what_was_not_named(tasks: Collection[Task]) -> None:
    """Every other one holds an event more than is cleared, and every third has none any more."""
    for number in range(1, 13):
        outbox = [event(2 * number), event(2 * number + 1)][: number % 2 + 1]
        await tasks.insert(task(number, outbox=[] if number % 3 == 0 else outbox))

    await asyncio.gather(
        *(tasks.clear_outbox(f"task_{number:05}", [f"e{2 * number}"]) for number in range(1, 13))
    )
    await _a_millisecond_passes()

    left = await tasks.get_many([f"task_{number:05}" for number in range(1, 13)])
    waiting = {one.number: [held.id for held in one.outbox] for one in left.values() if one.outbox}
    assert waiting == {number: [f"e{2 * number + 1}"] for number in (1, 5, 7, 11)}
    assert {one.number for one in await tasks.unpublished(older_than=0, limit=20)} == set(waiting)


async def test_clearing_does_not_make_a_reader_stale(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, outbox=[event(1)]))
    found = await tasks.get("task_00001")

    await tasks.clear_outbox("task_00001", ["e1"])
    found.touch()
    await tasks.replace(found, if_version=0)

    assert (await tasks.get("task_00001")).version == 1


async def test_clearing_a_missing_document_is_no_error(tasks: Collection[Task]) -> None:
    await tasks.clear_outbox("nobody", ["e1"])

    assert await tasks.get_many(["nobody"]) == {}


async def test_callers_who_clear_one_outbox_at_once_clear_it_together(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1, outbox=[event(number) for number in range(20)]))

    await asyncio.gather(*(tasks.clear_outbox("task_00001", [f"e{number}"]) for number in range(19)))

    assert [event(19)] == (await tasks.get("task_00001")).outbox


async def test_unpublished_lists_those_with_events_longest_waiting_first(tasks: Collection[Task]) -> None:
    for number in (3, 1, 2):
        await tasks.insert(task(number, outbox=[event(number)]))
        await _a_millisecond_passes()
    await tasks.insert(task(4))

    assert [one.number for one in await tasks.unpublished(older_than=0, limit=10)] == [3, 1, 2]
    assert [one.number for one in await tasks.unpublished(older_than=0, limit=2)] == [3, 1]
    assert await tasks.unpublished(older_than=60, limit=10) == []


async def test_a_save_with_events_begins_the_wait_anew(tasks: Collection[Task]) -> None:
    for number in (1, 2):
        await tasks.insert(task(number, outbox=[event(number)]))
        await _a_millisecond_passes()

    await tasks.replace(task(1, version=1, outbox=[event(1), event(3)]), if_version=0)
    await _a_millisecond_passes()

    assert [one.number for one in await tasks.unpublished(older_than=0, limit=10)] == [2, 1]


async def test_an_emptied_outbox_is_no_longer_unpublished(tasks: Collection[Task]) -> None:
    for number in (1, 2, 3):
        await tasks.insert(task(number, outbox=[event(1), event(2)]))

    await tasks.clear_outbox("task_00001", ["e1", "e2"])
    await tasks.clear_outbox("task_00002", ["e2"])
    await tasks.replace(task(3, version=1), if_version=0)
    await _a_millisecond_passes()

    assert [one.number for one in await tasks.unpublished(older_than=0, limit=10)] == [2]


async def _a_millisecond_passes() -> None:
    start = asyncio.get_running_loop().time()
    await eventually(lambda: asyncio.get_running_loop().time() - start > 0.003, awaited="the clock to move")


async def test_an_increment_answers_with_the_numbers_after_it(documents: Documents) -> None:
    assert await documents.increment("tickets", {"opened": 1}) == {"opened": 1}
    assert await documents.increment("tickets", {"opened": 2, "closed": 5}) == {"opened": 3, "closed": 5}
    assert await documents.increment("tickets", {"closed": -1}) == {"closed": 4}
    assert await documents.counters(["tickets", "nobody"]) == {"tickets": {"opened": 3, "closed": 4}}


async def test_any_text_names_a_counter_and_its_numbers(documents: Documents) -> None:
    names = {"a.b@c.d": 1, "$inc": 2, "%2E": 3, "Ü": 4}

    await documents.increment("x.$y", names)

    assert await documents.increment("x.$y", names) == {name: 2 * number for name, number in names.items()}
    assert await documents.counters(["x.$y"]) == {"x.$y": {name: 2 * n for name, n in names.items()}}


async def test_of_many_who_add_at_once_no_two_get_the_same_answer(store: Store, documents: Documents) -> None:
    other = await store.documents()

    answers = await asyncio.gather(
        *(one.increment("numbers", {"next": 1}) for one in (documents, other) for _ in range(50))
    )

    assert list(range(1, 101)) == sorted(answer["next"] for answer in answers)


async def test_ranges_handed_out_at_once_do_not_overlap(documents: Documents) -> None:
    """Who adds 10 owns the ten numbers up to the answer."""
    answers = await asyncio.gather(*(documents.increment("numbers", {"next": 10}) for _ in range(30)))

    assert list(range(10, 301, 10)) == sorted(answer["next"] for answer in answers)


async def test_a_token_given_again_adds_nothing(documents: Documents) -> None:
    for _ in range(3):
        assert await documents.increment("seen", {"mails": 1}, once="event-1") == {"mails": 1}

    assert await documents.increment("seen", {"mails": 1}, once="event-2") == {"mails": 2}


async def test_tokens_given_by_many_at_once_add_once_each(store: Store, documents: Documents) -> None:
    other = await store.documents()
    await documents.increment("seen", {"mails": 1}, once="event-3")

    await asyncio.gather(
        *(
            one.increment("seen", {"mails": 1}, once=f"event-{number % 10}")
            for number in range(40)
            for one in (documents, other)
        ),
        *(documents.increment("seen", {"others": 1}) for _ in range(5)),
    )

    assert await documents.counters(["seen"]) == {"seen": {"mails": 10, "others": 5}}


async def test_the_same_token_counts_for_each_counter_by_itself(documents: Documents) -> None:
    await documents.increment("one", {"mails": 1}, once="event-1")
    await documents.increment("other", {"mails": 1}, once="event-1")

    assert await documents.counters(["one", "other"]) == {"one": {"mails": 1}, "other": {"mails": 1}}


async def test_many_counters_at_once_each_count_their_own_and_a_known_token_disturbs_none(
    store: Store, documents: Documents
) -> None:
    other = await store.documents()
    await asyncio.gather(
        *(other.increment(f"seen-{n}", {"mails": 1}, once="event-0") for n in range(0, 40, 2))
    )

    answers = await asyncio.gather(
        *(
            documents.increment(f"seen-{n}", {"mails": 1}, once=f"event-{event}")
            for n in range(40)
            for event in range(3)
        )
    )

    assert [answer["mails"] for answer in answers[3:6]] == [1, 2, 3]
    assert [answer["mails"] for answer in answers[:3]] == [1, 2, 3]
    assert await documents.counters([f"seen-{n}" for n in range(40)]) == {
        f"seen-{n}": {"mails": 3} for n in range(40)
    }


async def test_answers_under_tokens_differ_within_one_process(documents: Documents) -> None:
    answers = await asyncio.gather(
        *(documents.increment("seen", {"mails": 1}, once=f"event-{number}") for number in range(50))
    )

    assert list(range(1, 51)) == sorted(answer["mails"] for answer in answers)


async def test_two_thousand_tokens_are_remembered(documents: Documents) -> None:
    async def count_all() -> None:
        await asyncio.gather(
            *(documents.increment("seen", {"mails": 1}, once=f"event-{number}") for number in range(2000))
        )

    await count_all()
    await count_all()

    assert await documents.counters(["seen"]) == {"seen": {"mails": 2000}}


async def test_tokens_are_remembered_while_thousands_more_come_in_turn(documents: Documents) -> None:
    """Whatever a store does with its lists, the last 2,000 are known at each moment."""
    for start in range(0, 4500, 500):
        await _count(documents, range(start, start + 500))
        await _count(documents, range(max(0, start - 1500), start + 500))

    assert await documents.counters(["seen"]) == {"seen": {"mails": 4500}}


async def _count(documents: Documents, numbers: range) -> None:
    await asyncio.gather(
        *(documents.increment("seen", {"mails": 1}, once=f"event-{number}") for number in numbers)
    )


async def test_a_counter_is_forgotten_with_its_tokens_when_its_time_is_over_and_no_other_is(
    documents: Documents, expiring: None
) -> None:
    await documents.increment("for ever", {"mails": 1}, once="event-1")
    await documents.increment("long", {"mails": 1}, once="event-1", kept_for=3600)
    await documents.increment("short", {"mails": 1}, once="event-1", kept_for=0.001)
    names = ["for ever", "long", "short"]

    await _remain(documents, names, {"for ever", "long"})

    answers = [await documents.increment(name, {"mails": 1}, once="event-1", kept_for=3600) for name in names]
    assert answers == [{"mails": 1}] * 3
    assert set(await documents.counters(names)) == set(names)


async def test_a_counter_stays_for_the_longest_time_that_was_asked(
    documents: Documents, expiring: None
) -> None:
    await documents.increment("long", {"mails": 1}, kept_for=3600)
    await documents.increment("long", {"mails": 1}, kept_for=0.001)
    await documents.increment("short", {"mails": 1}, kept_for=0.001)

    await _remain(documents, ["long", "short"], {"long"})


async def _remain(documents: Documents, names: list[str], expected: set[str]) -> None:
    """Wait until of these counters only the expected are left; others are counted meanwhile."""

    async def only_those() -> bool:
        await documents.increment("another", {"mails": 1}, kept_for=3600)
        return set(await documents.counters(names)) == expected

    await eventually(only_those, awaited=f"{expected} to be left of {names}", within=90)


async def test_a_counter_that_is_set_holds_these_numbers_alone_and_keeps_its_tokens(
    documents: Documents,
) -> None:
    await documents.increment("seen", {"mails": 3, "gone": 1}, once="event-1")

    await documents.set_counter("seen", {"mails": 10})
    await documents.set_counter("new", {"a.b": 1})
    await documents.increment("seen", {"mails": 1}, once="event-1")

    assert await documents.counters(["seen", "new"]) == {"seen": {"mails": 10}, "new": {"a.b": 1}}
