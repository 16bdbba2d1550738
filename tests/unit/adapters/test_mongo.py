"""What is MongoDB's own: errors, what BSON cannot hold, the indexes that queries use."""

import asyncio
from dataclasses import replace

import pytest
from pymongo.errors import (
    AutoReconnect,
    DuplicateKeyError,
    InvalidOperation,
    NetworkTimeout,
    OperationFailure,
)
from pymongo.read_preferences import ReadPreference

from shared.adapters.mongo import Mongo, calling, encoded, ours
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.mongo_shape import fields_of, index_models
from shared.domain.documents import Document
from shared.domain.errors import Duplicate, Invalid, Refused, Unavailable, Unreadable
from shared.metrics import REGISTRY
from shared.ports.documents import Collection, Either, Index, Order, Spec
from tests.contract.documents_sample import NOON, TASKS, Task, task
from tests.helpers import free_port
from tests.unit.adapters.plain import Database

pytestmark = pytest.mark.mongo


@pytest.fixture
async def documents(mongo: Mongo) -> MongoDocuments:
    documents = MongoDocuments(mongo)
    await documents.prepare([TASKS])
    return documents


@pytest.fixture
async def tasks(documents: MongoDocuments) -> Collection[Task]:
    return documents.collection(TASKS)


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        (AutoReconnect("gone"), Unavailable),
        (NetworkTimeout("late"), Unavailable),
        (InvalidOperation("closed"), Unavailable),
        (OperationFailure("stepping down", 11602), Unavailable),
        (OperationFailure("no space left", 14031), Unavailable),
        (OperationFailure("never heard of", 987654), Unavailable),
        (OperationFailure("too large", 10334), Invalid),
        (OperationFailure("other options", 85), Refused),
        (DuplicateKeyError("taken", 11000, {"keyPattern": {"_id": 1}}), Duplicate),
    ],
)
def test_every_error_of_the_driver_becomes_one_of_ours(theirs: Exception, expected: type[Exception]) -> None:
    assert type(ours(theirs)) is expected


@pytest.mark.parametrize(("code", "said"), [(14031, "…"), (8, "28: No space left on device")])
def test_a_full_disk_is_told_as_one(code: int, said: str) -> None:
    """It may come with a code of its own, or as an unknown error of the storage engine."""
    assert "disk is full" in str(ours(OperationFailure(said, code, {"errmsg": said})))


def test_an_error_names_fields_and_never_values() -> None:
    details = {"keyPattern": {"customer_id": 1}, "keyValue": {"customer_id": "anna@example.org"}}

    said = str(ours(DuplicateKeyError("dup key: anna@example.org", 11000, details)))

    assert "customer_id" in said
    assert "anna" not in said


def test_every_call_is_timed() -> None:
    name, labels = "ombud_store_batch_seconds_count", {"operation": "of_this_test"}

    with calling("of_this_test"):
        pass
    with pytest.raises(Unavailable), calling("of_this_test"):
        raise AutoReconnect("gone")

    assert REGISTRY.get_sample_value(name, labels) == 2


async def test_what_a_url_asks_for_weakens_no_promise() -> None:
    """Providers hand out URLs with options for other programs in them."""
    options = "w=1&journal=false&retryWrites=false&readPreference=secondary&readConcernLevel=local"
    async with Mongo.open(f"mongodb://127.0.0.1:{free_port()}/?{options}", "x") as mongo:
        used = mongo.collection("tickets")

    assert used.write_concern.document == {"w": "majority", "j": True}
    assert used.read_concern.level == "majority"
    assert used.read_preference == ReadPreference.PRIMARY
    assert used.database.client.options.retry_writes


async def test_a_url_that_cannot_be_read_is_refused_without_its_password() -> None:
    with pytest.raises(Refused) as refusal:
        async with Mongo.open("mongodb://anna:s3cret@host:notaport/", "x"):
            pass

    assert "s3cret" not in str(refusal.value)


async def test_a_document_that_bson_cannot_hold_is_invalid_and_fails_alone(tasks: Collection[Task]) -> None:
    impossible: list[Task] = [
        task(1, headers={"a\0b": "no key may hold NUL"}),
        task(2).model_copy(update={"number": 2**70}),
        task(3, title="x" * 17_000_000),
        Task.model_validate({"id": "t", "$set": 1}),
        Task.model_validate({"id": "t", "a.b": 1}),
    ]

    inserts = [tasks.insert(one) for one in (task(7), *impossible, task(8))]
    told = await asyncio.gather(*inserts, return_exceptions=True)

    assert [type(answer) for answer in told] == [type(None), *[Invalid] * 5, type(None)]
    assert len(await tasks.get_many(["task_00007", "task_00008"])) == 2


def test_text_that_is_no_unicode_is_invalid() -> None:
    with pytest.raises(Invalid):
        encoded({"text": "\ud800"})


async def test_a_version_that_does_not_rise_is_a_fault_of_the_caller(tasks: Collection[Task]) -> None:
    await tasks.insert(task(1))

    with pytest.raises(ValueError, match="version"):
        await tasks.replace(task(1), if_version=0)


async def test_a_stored_document_that_does_not_fit_is_unreadable_and_harms_no_other(
    tasks: Collection[Task], database: Database
) -> None:
    await tasks.insert(task(1))
    database.tasks.insert_one({"_id": "bad", "version": 0, "number": "anna@example.org"})

    one, bad = await asyncio.gather(tasks.get("task_00001"), tasks.get("bad"), return_exceptions=True)

    assert one == task(1)
    assert isinstance(bad, Unreadable)
    assert "number" in str(bad)
    assert "anna" not in str(bad)


async def test_fields_are_stored_as_what_they_are(tasks: Collection[Task], database: Database) -> None:
    """So that a filter, an operator's shell and a backup see dates as dates."""
    await tasks.insert(task(1, due_at=NOON, done=True, tags=["a"]))

    stored = database.tasks.find_one({"due_at": {"$lte": NOON}, "done": True, "tags": "a", "status": "open"})

    assert stored["_id"] == "task_00001"
    assert "_outbox_since" not in stored


@pytest.mark.parametrize("by", ["number", "owner", "due_at", "id"])
async def test_every_page_is_read_from_an_index_in_order(
    tasks: Collection[Task], database: Database, by: str
) -> None:
    await asyncio.gather(*(tasks.insert(task(number, owner=str(number % 7))) for number in range(200)))
    database.command("profile", 2)

    after: str | None = None
    for _ in range(3):
        page = await tasks.find({}, Order(by, descending=True), limit=10, after=after)
        after = page.after
    database.command("profile", 0)

    profile = list(database.system.profile.find({"op": "query", "command.find": "tasks"}))
    assert len(profile) == 3
    for query in profile:
        assert "IXSCAN" in query["planSummary"]
        assert not query.get("hasSortStage")
        assert query["docsExamined"] <= 42  # a page, and at most those with the same value


async def test_pages_by_either_of_two_fields_are_merged_from_two_indexes(
    tasks: Collection[Task], database: Database
) -> None:
    some = (
        task(n, owner="anna" if n % 2 else "bob", tags=["anna"] if n % 10 == 0 else []) for n in range(400)
    )
    await asyncio.gather(*(tasks.insert(one) for one in some))
    database.command("profile", 2)

    after: str | None = None
    for _ in range(3):
        page = await tasks.find(
            {"owner": Either("anna", also="tags")}, Order("number", descending=True), 10, after
        )
        after = page.after
    database.command("profile", 0)

    profile = list(database.system.profile.find({"op": "query", "command.find": "tasks"}))
    assert len(profile) == 3
    for query in profile:
        assert "IXSCAN" in query["planSummary"]
        assert not query.get("hasSortStage")
        assert query["docsExamined"] <= 42


async def test_documents_are_counted_from_an_index_alone(tasks: Collection[Task], database: Database) -> None:
    await asyncio.gather(*(tasks.insert(task(n, owner="anna" if n % 2 else "bob")) for n in range(200)))
    database.command("profile", 2)

    assert await tasks.count({"owner": "anna"}) == 100
    database.command("profile", 0)

    (query,) = database.system.profile.find({"ns": f"{database.name}.tasks"})
    assert query["docsExamined"] == 0
    assert query["keysExamined"] <= 101


async def test_claims_and_the_sweep_use_an_index(tasks: Collection[Task], database: Database) -> None:
    await asyncio.gather(*(tasks.insert(task(number)) for number in range(200)))
    await tasks.insert(task(999, wake_at=NOON))
    database.command("profile", 2)

    await tasks.claim(NOON, lease=60, limit=10)
    await tasks.unpublished(older_than=0, limit=10)
    database.command("profile", 0)

    profile = list(database.system.profile.find({"ns": f"{database.name}.tasks"}))
    assert len(profile) == 4
    assert all(query["docsExamined"] <= 1 for query in profile)


async def test_a_different_index_of_an_older_version_is_refused_with_what_to_do(
    documents: MongoDocuments,
) -> None:
    with pytest.raises(Refused, match="drop"):
        await documents.prepare([Spec("tasks", Task, text=("title",))])


async def test_documents_that_break_a_new_unique_index_are_refused(
    documents: MongoDocuments, tasks: Collection[Task]
) -> None:
    await asyncio.gather(
        *(tasks.insert(task(number).model_copy(update={"number": 5})) for number in range(2))
    )

    with pytest.raises(Refused, match="unique"):
        await documents.prepare([Spec("tasks", Task, indexes=(Index(("number",), unique=True),))])


async def test_an_index_that_is_retired_is_dropped_and_no_other(
    documents: MongoDocuments, database: Database
) -> None:
    database.tasks.create_index("of_the_operator")
    before = set(database.tasks.index_information())
    retired = (Index(("owner",)), Index(("number",)), Index(("never", "made")))
    fewer = replace(TASKS, indexes=tuple(one for one in TASKS.indexes if one != retired[0]), retired=retired)

    await asyncio.gather(documents.prepare([fewer]), documents.prepare([fewer]))

    assert before - set(database.tasks.index_information()) == {"owner_1__id_1"}


def test_a_unique_field_of_a_kind_without_a_lowest_value_is_refused() -> None:
    class Odd(Document):
        place: list[str] | None = None

    with pytest.raises(TypeError, match="place"):
        index_models(Spec("odd", Odd, indexes=(Index(("place",), unique=True),)))


def test_names_of_ours_cannot_come_from_a_document() -> None:
    with pytest.raises(Invalid):
        fields_of(Task.model_validate({"id": "t", "_claim": "x"}))
