"""Counters in MongoDB: how they remember tokens, and what the version before left of them."""

import asyncio

import pytest

from shared.adapters.mongo import Mongo
from shared.adapters.mongo_counters import COLLECTION, TOKENS_KEPT
from shared.adapters.mongo_documents import MongoDocuments
from tests.unit.adapters.plain import Database

pytestmark = pytest.mark.mongo


async def count(documents: MongoDocuments, numbers: range) -> None:
    await asyncio.gather(
        *(documents.increment("seen", {"mails": 1}, once=f"event-{number}") for number in numbers)
    )


async def test_tokens_that_the_version_before_kept_are_known(mongo: Mongo, database: Database) -> None:
    kept = [f"event-{number}" for number in range(TOKENS_KEPT)]
    database[COLLECTION].insert_one({"_id": "seen", "numbers": {"mails": TOKENS_KEPT}, "tokens": kept})

    await count(MongoDocuments(mongo), range(TOKENS_KEPT + 5))

    assert database[COLLECTION].find_one({}, {"numbers": 1}) == {
        "_id": "seen",
        "numbers": {"mails": TOKENS_KEPT + 5},
    }


async def test_what_a_counter_remembers_does_not_grow_for_ever(mongo: Mongo, database: Database) -> None:
    database[COLLECTION].insert_one({"_id": "seen", "numbers": {}, "tokens": ["of the version before"]})
    documents = MongoDocuments(mongo)
    for start in range(0, 3 * TOKENS_KEPT, TOKENS_KEPT):
        await count(documents, range(start, start + TOKENS_KEPT))

    (stored,) = database[COLLECTION].find({})

    assert set(stored) == {"_id", "numbers", "seen", "seen_before"}
    assert TOKENS_KEPT <= len(stored["seen"]) + len(stored["seen_before"]) < 3 * TOKENS_KEPT
    assert stored["numbers"] == {"mails": 3 * TOKENS_KEPT}


async def test_a_counter_in_use_is_not_given_another_expiry_by_every_change(
    mongo: Mongo, database: Database
) -> None:
    """Each would be a change of an index."""
    documents = MongoDocuments(mongo)
    for number in range(3):
        await documents.increment("seen", {"mails": 1}, once=f"event-{number}", kept_for=1e9)
        if number == 0:
            first = database[COLLECTION].find_one({})

    last = database[COLLECTION].find_one({})

    assert first is not None
    assert last is not None
    assert (last["numbers"], last["expires_at"]) == ({"mails": 3}, first["expires_at"])
