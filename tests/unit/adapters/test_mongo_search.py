"""Searches for common words are bounded: they give the newest documents, and do not read the collection."""

import asyncio

import pytest

from shared.adapters.mongo import Mongo
from shared.adapters.mongo_documents import MongoDocuments
from shared.adapters.mongo_search import RANKED, WALKED
from shared.domain.documents import Document
from shared.ports.documents import Collection, Spec

pytestmark = pytest.mark.mongo


class Note(Document):
    """Something with words."""

    text: str


NOTES = Spec("notes", Note, text=("text",))


@pytest.fixture
async def notes(mongo: Mongo) -> Collection[Note]:
    documents = MongoDocuments(mongo)
    await documents.prepare([NOTES])
    return documents.collection(NOTES)


async def filled(notes: Collection[Note], count: int, text: str, first: int = 0) -> None:
    made = [Note(id=f"n{number:06d}", version=1, text=text) for number in range(first, first + count)]
    await asyncio.gather(*(notes.insert(note) for note in made))


async def test_of_a_word_that_too_many_hold_the_newest_are_found(notes: Collection[Note]) -> None:
    await filled(notes, RANKED + 50, "parcel")

    found = await notes.search("parcel", limit=3)

    assert [one.id for one in found] == [f"n{RANKED + 49 - back:06d}" for back in range(3)]


async def test_a_rare_word_is_found_among_many_and_ranked(notes: Collection[Note]) -> None:
    await filled(notes, RANKED + 50, "parcel")
    await notes.insert(Note(id="often", version=1, text="violin violin"))
    await notes.insert(Note(id="once", version=1, text="violin of somebody who has much more to say"))

    assert [one.id for one in await notes.search("violin")] == ["often", "once"]


async def test_only_so_many_of_the_newest_are_looked_through(notes: Collection[Note]) -> None:
    await filled(notes, RANKED + 1, "parcel lost")
    await filled(notes, WALKED, "invoice", first=RANKED + 1)

    assert await notes.search("parcel lost") == []
