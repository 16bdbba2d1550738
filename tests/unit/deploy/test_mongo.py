"""The local MongoDB is a real replica set: transactions work, data survives SIGKILL and a new port."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from deploy.local.mongo import Mongo, is_primary
from shared.domain.errors import Refused
from tests.helpers import free_port
from tests.unit.deploy.started import started

pytestmark = pytest.mark.mongo

Client = MongoClient[dict[str, Any]]


@pytest.fixture
def mongo(tmp_path: Path) -> Iterator[Mongo]:
    with started(Mongo(tmp_path / "mongo"), "mongo") as server:
        yield server


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
