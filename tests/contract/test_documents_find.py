"""The contract of the documents port: lists by declared fields, page by page, and search."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from shared.domain.errors import Invalid, UndeclaredFilter
from shared.ports.documents import AnyOf, Collection, Documents, Either, Filter, Order, Range
from tests.contract.documents_sample import NOON, TASKS, Status, Task, event, fill, task

BY_NUMBER = Order("number")


async def numbers(tasks: Collection[Task], where: Filter, order: Order = BY_NUMBER) -> list[int]:
    return [one.number for one in (await tasks.find(where, order, limit=100)).items]


async def pages(tasks: Collection[Task], where: Filter, order: Order, limit: int) -> list[list[int]]:
    """All pages, as the numbers on them."""
    found: list[list[int]] = []
    after: str | None = None
    while True:
        page = await tasks.find(where, order, limit, after)
        found.append([one.number for one in page.items])
        after = page.after
        if after is None:
            return found


async def test_an_empty_filter_finds_all_by_id(tasks: Collection[Task]) -> None:
    await fill(tasks, task(2), task(1, title="x", outbox=[event(1)]), task(3))

    page = await tasks.find({})

    assert page.items == [task(1, title="x", outbox=[event(1)]), task(2), task(3)]
    assert page.after is None


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"number": 2}, [2]),
        ({"status": Status.DONE}, [3, 4]),
        ({"status": "done", "number": 4}, [4]),
        ({"status": "done", "number": 1}, []),
        ({"owner": None}, [3, 4]),
        ({"owner": "anna"}, [1]),
        ({"done": True}, [1]),
        ({"done": False}, [2, 3, 4]),
        ({"due_at": NOON}, [1]),
        ({"id": "task_00003"}, [3]),
        ({"tags": "red"}, [1, 2]),
        ({"tags": "re"}, []),
        ({"tags": "red, blue"}, []),
        ({"code": "c-2"}, [2]),
        ({"number": AnyOf([1, 4, 9])}, [1, 4]),
        ({"number": AnyOf([])}, []),
        ({"owner": AnyOf(["bob", None])}, [2, 3, 4]),
        ({"tags": AnyOf(["blue", "green"])}, [1, 3]),
        ({"due_at": AnyOf([NOON, NOON + timedelta(hours=1)])}, [1, 2]),
        ({"id": AnyOf(["task_00001", "task_00004"])}, [1, 4]),
        ({"number": Range(2, 4)}, [2, 3]),
        ({"number": Range(at_least=3)}, [3, 4]),
        ({"number": Range(below=2)}, [1]),
        ({"number": Range()}, [1, 2, 3, 4]),
        ({"owner": Range("anna", "bob")}, [1]),
        ({"due_at": Range(NOON, NOON + timedelta(hours=1))}, [1]),
        ({"due_at": Range(below=NOON + timedelta(days=9))}, [1, 2]),
        ({"due_at": Range(at_least=NOON + timedelta(microseconds=1))}, [1, 2]),
        ({"status": AnyOf(["open", "done"]), "number": Range(at_least=2), "done": False}, [2, 3, 4]),
        ({"owner": Either("bob", also="tags")}, [2]),
        ({"owner": Either("red", also="tags")}, [1, 2]),
        ({"owner": Either("c-2", also="code")}, [2]),
        ({"owner": Either("red", also="tags"), "done": False}, [2]),
        ({"owner": Either("nobody", also="tags")}, []),
    ],
    ids=str,
)
async def test_a_filter_finds_what_it_says_and_nothing_else(
    tasks: Collection[Task], where: Filter, expected: list[int]
) -> None:
    await fill(
        tasks,
        task(1, owner="anna", done=True, due_at=NOON, tags=["red", "blue"], code="c-1"),
        task(2, owner="bob", due_at=NOON + timedelta(hours=1), tags=["red"], code="c-2"),
        task(3, status=Status.DONE, tags=["green"]),
        task(4, status=Status.DONE),
    )

    assert await numbers(tasks, where) == expected
    assert await tasks.count(where) == len(expected)


@pytest.mark.parametrize(
    "value", ["'; DROP TABLE tasks; --", '{"$gt": ""}', "$where", "%", "*", "a\0b", "\u2028", "🙂"]
)
async def test_no_value_has_a_meaning_of_its_own(tasks: Collection[Task], value: str) -> None:
    await fill(tasks, task(1, owner="x", tags=["x"]), task(2, owner=value, tags=["x", value]))

    assert await numbers(tasks, {"owner": value}) == [2]
    assert await numbers(tasks, {"tags": value}) == [2]
    assert await numbers(tasks, {"owner": AnyOf([value])}) == [2]


async def test_an_undeclared_field_is_refused_everywhere(tasks: Collection[Task]) -> None:
    for undeclared in ("title", "lines", "lines.text", "$where", "nothing"):
        with pytest.raises(UndeclaredFilter):
            await tasks.find({undeclared: "x"})
        with pytest.raises(UndeclaredFilter):
            await tasks.find({"owner": Either("x", also=undeclared)})
        with pytest.raises(UndeclaredFilter):
            await tasks.find({}, Order(undeclared))
        with pytest.raises(UndeclaredFilter):
            await tasks.count({undeclared: "x"})
        with pytest.raises(UndeclaredFilter):
            await tasks.search("x", {undeclared: "x"})
        with pytest.raises(UndeclaredFilter):
            await tasks.claim(NOON, lease=1, limit=1, where={undeclared: "x"})


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("limit", [1, 5, 12])
@pytest.mark.parametrize("by", ["number", "owner", "due_at", "done", "code", "status", "id"])
async def test_pages_in_a_row_hold_every_document_once_in_order(
    tasks: Collection[Task], by: str, limit: int, descending: bool
) -> None:
    """Equal values stand by id, the same way; those without a value come first, or last when descending."""
    some = [
        task(
            number,
            owner=[None, "anna", "bob"][number % 3],
            due_at=[None, NOON, NOON - timedelta(days=1), NOON][number % 4],
            done=number % 2 == 0,
            code=None if number % 2 else f"c{9 - number}",
            status=list(Status)[number % 3],
        ).model_copy(update={"number": number % 5, "took": timedelta(seconds=number)})
        for number in range(12)
    ]
    await fill(tasks, *some)

    found: list[Task] = []
    after: str | None = None
    while True:
        page = await tasks.find({}, Order(by, descending), limit, after)
        assert 0 < len(page.items) <= limit
        found += page.items
        after = page.after
        if after is None:
            break

    assert [one.id for one in found] == [one.id for one in sorted_by(some, by, descending)]


def sorted_by(some: Sequence[Task], by: str, descending: bool) -> list[Task]:
    def place(one: Task) -> tuple[bool, Any, str]:
        value = getattr(one, by)
        return value is not None, 0 if value is None else value, one.id

    return sorted(some, key=place, reverse=descending)


async def test_pages_of_a_filtered_list_hold_what_the_filter_says(tasks: Collection[Task]) -> None:
    await fill(tasks, *(task(number, status=list(Status)[number % 2]) for number in range(10)))

    newest_first = Order("number", descending=True)
    assert await pages(tasks, {"status": "open"}, newest_first, 2) == [[8, 6], [4, 2], [0]]
    assert await pages(tasks, {"number": Range(2, 6)}, newest_first, 2) == [[5, 4], [3, 2]]
    assert await pages(tasks, {"status": AnyOf(["open"])}, BY_NUMBER, 5) == [[0, 2, 4, 6, 8]]


async def test_a_search_may_be_for_either_of_two_fields(tasks: Collection[Task]) -> None:
    await fill(
        tasks,
        task(1, title="printer", owner="anna"),
        task(2, title="printer", tags=["anna"]),
        task(3, title="printer", owner="bob"),
        task(4, title="network", owner="anna"),
    )

    found = await tasks.search("printer", {"owner": Either("anna", also="tags")})

    assert sorted(one.number for one in found) == [1, 2]


@pytest.mark.parametrize("descending", [False, True])
async def test_pages_by_either_of_two_fields_hold_each_document_once_in_order(
    tasks: Collection[Task], descending: bool
) -> None:
    await fill(
        tasks,
        *(task(number, owner="anna") for number in range(0, 12, 4)),
        *(task(number, tags=["blue", "anna"]) for number in range(1, 12, 4)),
        *(task(number, owner="anna", tags=["anna"]) for number in range(2, 12, 4)),
        *(task(number, owner="bob", tags=["green"]) for number in range(3, 12, 4)),
    )

    found = await pages(tasks, {"owner": Either("anna", also="tags")}, Order("number", descending), 2)

    expected = [number for number in range(12) if number % 4 != 3]
    assert [number for page in found for number in page] == (expected[::-1] if descending else expected)
    assert all(len(page) == 2 for page in found[:-1])


async def test_what_was_there_all_along_appears_once_while_others_come_go_and_move(
    tasks: Collection[Task],
) -> None:
    staying = [task(number) for number in range(0, 60, 2)]
    moving = task(31, version=0)
    await fill(tasks, moving, *staying)

    seen: list[str] = []
    after: str | None = None
    fresh = 100
    while True:
        page = await tasks.find({}, BY_NUMBER, 4, after)
        seen += [one.id for one in page.items]
        after = page.after
        if after is None:
            break
        # Before and behind the mark; on the value of the mark itself; and one moves to the other end.
        last = page.items[-1].number
        for number in (0, last, last + 1, 59):
            fresh += 1
            await tasks.insert(task(fresh).model_copy(update={"number": number}))
        moved = moving.model_copy(update={"number": 59 - last, "version": moving.version + 1})
        await tasks.replace(moved, if_version=moving.version)
        moving = moved

    ids = [one.id for one in staying]
    assert [one for one in seen if one in ids] == ids


async def test_a_mark_that_is_not_of_this_list_is_invalid(tasks: Collection[Task]) -> None:
    await fill(tasks, *(task(number, due_at=NOON) for number in range(5)))
    mark = (await tasks.find({}, BY_NUMBER, 2)).after
    assert mark is not None

    for order in (Order("due_at"), Order("number", descending=True), Order()):
        with pytest.raises(Invalid):
            await tasks.find({}, order, 2, mark)
    for bad in ("", "x", mark[:-3], mark + "!", "bnVsbA", "W10", "Ü", "e30=" * 9, mark.swapcase()):
        with pytest.raises(Invalid) as refusal:
            await tasks.find({}, BY_NUMBER, 2, bad)
        assert list(refusal.value.fields) == ["after"]


async def test_no_limit_is_passed(tasks: Collection[Task]) -> None:
    await fill(tasks, *(task(number, title="word") for number in range(5)))

    assert (await tasks.find({}, limit=0)).items == []
    assert await tasks.search("word", limit=0) == []
    assert len(await tasks.search("word", limit=2)) == 2


SAMPLES = {
    1: ("Printer does not print", "The printer in room 5 says: PC LOAD LETTER."),
    2: ("Drucker über Nacht gestört", "Größe & Umlaute: äöüß. Bestellung nr-2041, anna@example.org"),
    3: ("Invoice 2041", "Please print the invoice again. C++ and order_id=77"),
    4: ("Счёт не пришёл", "Здравствуйте, где мой счёт?"),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("printer", {1}),
        ("PRINTER", {1}),
        ("print", {1, 3}),
        ("print invoice", {3}),
        ("invoice print", {3}),
        ("printer invoice", set()),
        ("load letter 5", {1}),
        ("2041", {2, 3}),
        ("nr-2041", {2}),
        ("anna@example.org", {2}),
        ("über gestört", {2}),
        ("umlaute: äöüß", {2}),
        ("счёт", {4}),
        ("СЧЁТ мой", {4}),
        ("prin", set()),
        ("inter", set()),
        ("print prin", set()),
        ("order_id", {3}),
        ("", set()),
        ("   ", set()),
        ("nothing", set()),
    ],
)
async def test_a_search_finds_documents_with_all_the_words(
    tasks: Collection[Task], text: str, expected: set[int]
) -> None:
    await fill(tasks, *(task(number, title=title, body=body) for number, (title, body) in SAMPLES.items()))

    assert {one.number for one in await tasks.search(text)} == expected


@pytest.mark.parametrize(
    "text",
    [
        '"', "'", '""', "*", "-", "(", ")", "^", "\\", "\0", "%", "$", "$where", "-printer", "printer -load",
        "NOT printer", "printer OR invoice", "printer AND", "NEAR(printer, load)", "title:printer", "prin*",
        '"printer', "{title}: x", "+", ":", 'printer" OR "invoice', "; DROP TABLE", "\ud83d\ude42", "🙂",
    ],
)  # fmt: skip
async def test_operators_of_a_search_language_are_data(tasks: Collection[Task], text: str) -> None:
    """Taken as an operator each would raise, or find the printer or the invoice without all the words."""
    await fill(tasks, *(task(number, title=title, body=body) for number, (title, body) in SAMPLES.items()))

    found = {one.number for one in await tasks.search(text.encode("utf-8", "replace").decode())}

    words_of_the_printer = {"-printer", "printer -load", '"printer', "NOT printer"}
    assert found == ({1} if text in words_of_the_printer else set())


async def test_a_search_is_narrowed_by_a_filter(tasks: Collection[Task]) -> None:
    await fill(
        tasks,
        task(1, title="lost parcel", status=Status.OPEN),
        task(2, title="lost parcel", status=Status.DONE),
        task(3, title="parcel", status=Status.DONE),
    )

    assert [one.number for one in await tasks.search("lost parcel", {"status": Status.DONE})] == [2]
    assert await tasks.search("lost", {"number": Range(at_least=3)}) == []


async def test_the_best_match_comes_first(tasks: Collection[Task]) -> None:
    filler = "many other words stand here that have nothing to do with it " * 5
    await fill(
        tasks,
        task(1, title="nothing", body=f"{filler} parcel {filler}"),
        task(2, title="parcel", body="parcel parcel"),
    )

    assert [one.number for one in await tasks.search("parcel")] == [2, 1]


async def test_a_changed_text_is_found_by_its_new_words_alone(documents: Documents) -> None:
    tasks = documents.collection(TASKS)
    await tasks.insert(task(1, title="before"))

    await tasks.replace(task(1, title="after", version=1), if_version=0)

    assert await tasks.search("before") == []
    assert len(await tasks.search("after")) == 1
    await tasks.delete("task_00001")
    assert await tasks.search("after") == []
