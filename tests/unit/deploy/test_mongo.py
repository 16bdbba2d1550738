"""The local MongoDB is a real replica set: transactions work, data survives SIGKILL and a new port."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from deploy.local.mongo import Mongo, binary, initiate, is_primary
from shared.domain.errors import Refused
from tests.conftest import missing
from tests.helpers import eventually_sync, free_port
from tests.unit.deploy.started import started

pytestmark = pytest.mark.mongo

Client = MongoClient[dict[str, Any]]


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[Mongo]:
    with started(Mongo(tmp_path / "mongo"), "mongo") as server:
        yield server


def test_a_server_that_is_gone_when_its_set_is_made_is_refused_so_that_it_is_started_again() -> None:
    """On a full disk it ends a moment after it has listened; its supervisor goes on for `Refused` alone."""
    nobody = free_port()

    with pytest.raises(Refused, match="could not be initiated"):
        initiate(nobody, nobody, timeout=0.1)


def test_acknowledged_documents_are_there_after_the_server_was_killed_and_started_again(mongo: Mongo) -> None:
    with Client(mongo.url) as client:
        client["ombud"]["tickets"].insert_one({"_id": "T-1"})
    mongo.kill()

    assert not mongo.running

    mongo.start()

    with Client(mongo.url) as client:
        assert client["ombud"]["tickets"].find_one() == {"_id": "T-1"}


def test_a_folder_that_is_served_on_another_port_becomes_primary_with_its_data(mongo: Mongo) -> None:
    """The replica set's configuration names the old port; without a correction no primary is ever elected."""
    with Client(mongo.url) as client:
        client["ombud"]["tickets"].insert_one({"_id": "T-1"})
    mongo.stop()
    moved = Mongo(mongo.folder, free_port())
    moved.start()
    try:
        with Client(moved.url) as client:
            assert client["ombud"]["tickets"].count_documents({}) == 1
    finally:
        moved.stop()


def test_the_shared_server_takes_transactions(mongo_url: str, mongo_database: str) -> None:
    """A plain mongod without a replica set would refuse them."""
    with Client(mongo_url) as client, client.start_session() as session:
        tickets = client[mongo_database]["tickets"]
        with session.start_transaction():
            tickets.insert_one({"_id": "T-1"}, session=session)
            session.abort_transaction()

        assert tickets.count_documents({}) == 0


def test_each_test_has_a_database_of_its_own(mongo_url: str, mongo_database: str) -> None:
    with Client(mongo_url) as client:
        assert mongo_database not in client.list_database_names()


def test_a_stopped_server_is_no_primary(mongo: Mongo) -> None:
    assert is_primary(mongo.port)

    mongo.stop()

    assert not is_primary(mongo.port)


def test_a_server_that_was_not_started_has_no_pid(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="was not started"):
        _ = Mongo(tmp_path).pid


def test_of_three_members_one_is_primary_and_another_when_it_was_killed(tmp_path: Path) -> None:
    try:
        binary()
    except Refused as reason:
        missing("mongo", str(reason))
    ports = [free_port() for _ in range(3)]
    members = [Mongo(tmp_path / str(port), port, ports) for port in ports]
    with ExitStack() as stack, ThreadPoolExecutor(len(members)) as side_by_side:
        for member in members:
            stack.callback(member.stop)
        for starting in [side_by_side.submit(member.start) for member in members]:
            starting.result()
        (first,) = eventually_sync(lambda: primaries(members), awaited="a primary", within=60)
        with Client(first.url) as client:
            client["db"].get_collection("c", write_concern=WriteConcern("majority")).insert_one({"_id": 1})

        first.kill()
        others = [member for member in members if member is not first]
        (second,) = eventually_sync(lambda: primaries(others), awaited="another primary", within=60)
        with Client(second.url) as client:
            assert client["db"]["c"].find_one({"_id": 1}) == {"_id": 1}

        first.start()
        assert first.running


def primaries(members: list[Mongo]) -> list[Mongo]:
    return [member for member in members if is_primary(member.port)]
