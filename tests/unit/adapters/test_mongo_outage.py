"""MongoDB away, killed, frozen: callers are told in time, nothing confirmed is lost, and it works again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.mongo import Mongo as Server
from deploy.local.mongo import binary
from shared.adapters.gridfs_blobs import GridfsBlobs
from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.domain.errors import Refused, Unavailable
from tests.conftest import missing
from tests.contract.documents_sample import NOON, TASKS, task
from tests.helpers import eventually, free_port, standing_still

pytestmark = pytest.mark.mongo


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    try:
        binary()
    except Refused as reason:
        missing("mongo", str(reason))
    server = Server(tmp_path / "mongo")
    server.start()
    yield server
    server.stop()


async def test_a_killed_server_is_unavailable_and_works_again_without_reopening(own_server: Server) -> None:
    """What was acknowledged before the kill is there after it."""
    async with Mongo.open(own_server.url, "outage", selection_seconds=0.3) as mongo:
        documents, blobs = MongoDocuments(mongo), GridfsBlobs(mongo)
        await documents.prepare([TASKS])
        tasks = documents.collection(TASKS)
        name = await blobs.put(b"kept")
        inserting = [asyncio.ensure_future(tasks.insert(task(number))) for number in range(300)]
        await asyncio.wait(inserting, return_when=asyncio.FIRST_COMPLETED)

        own_server.kill()
        told = await asyncio.gather(*inserting, return_exceptions=True)
        assert {type(answer) for answer in told} <= {type(None), Unavailable}
        calls = (
            tasks.get("task_00001"),
            tasks.insert(task(999)),
            tasks.replace(task(1, version=1), if_version=0),
            tasks.find({}),
            tasks.claim(NOON, lease=1, limit=1),
            documents.increment("c", {"n": 1}),
            documents.ping(),
            blobs.put(b"lost?"),
            blobs.read(name),
        )
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * len(calls)

        own_server.start()
        await eventually(lambda: _answers(documents), awaited="the ping to be answered again")
        acknowledged = [f"task_{number:05}" for number, answer in enumerate(told) if answer is None]
        assert acknowledged
        assert sorted(await tasks.get_many(acknowledged)) == acknowledged
        assert await blobs.read(name) == b"kept"


async def _answers(documents: MongoDocuments) -> bool:
    try:
        await documents.ping()
    except Unavailable:
        return False
    return True


async def test_a_server_that_is_not_there_is_unavailable_in_time() -> None:
    url = f"mongodb://127.0.0.1:{free_port()}/"

    async with Mongo.open(url, "nowhere", selection_seconds=0.2) as mongo:
        with pytest.raises(Unavailable):
            await MongoDocuments(mongo).ping()


async def test_a_server_that_takes_calls_and_never_answers_is_unavailable_in_time(own_server: Server) -> None:
    async with Mongo.open(own_server.url, "frozen", answer_seconds=0.5) as mongo:
        documents = MongoDocuments(mongo)
        await documents.ping()
        with standing_still(own_server.pid), pytest.raises(Unavailable):
            await documents.ping()

        await eventually(lambda: _answers(documents), awaited="the ping to be answered again")


async def test_closing_the_client_ends_calls_under_way(mongo_url: str, mongo_database: str) -> None:
    async with Mongo.open(mongo_url, mongo_database) as mongo:
        tasks = MongoDocuments(mongo).collection(TASKS)
        asked = [asyncio.ensure_future(tasks.insert(task(number))) for number in range(500)]
        await asyncio.sleep(0)

    told = await asyncio.gather(*asked, return_exceptions=True)

    assert {type(answer) for answer in told} <= {type(None), Unavailable}
    with pytest.raises(Unavailable):
        await tasks.get("task_00001")
