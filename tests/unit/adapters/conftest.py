"""One database of MongoDB, by our adapter and by the plain driver."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from shared.adapters.mongo import Mongo
from tests.unit.adapters.plain import Database


@pytest.fixture
def database(mongo_url: str, mongo_database: str) -> Iterator[Database]:
    with MongoClient[dict[str, Any]](mongo_url) as client:
        yield client[mongo_database]


@pytest.fixture
async def mongo(mongo_url: str, mongo_database: str) -> AsyncIterator[Mongo]:
    async with Mongo.open(mongo_url, mongo_database) as mongo:
        yield mongo
