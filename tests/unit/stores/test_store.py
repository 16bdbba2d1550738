"""Stores: a repeat finds what the first made, no change is lost, what was saved is offered for publishing."""

import asyncio
from pathlib import Path

import pytest

from shared.adapters.sqlite_documents import SqliteDocuments
from shared.adapters.sqlite_file import SqliteFile
from shared.domain.errors import Conflict, MoveNotAllowed, NotFound
from shared.ports.documents import Order
from shared.stores.collections import CURSORS, Cursor
from shared.stores.store import CONFLICT_TRIES, Store
from shared.stores.stores import FIRST_TICKET_NUMBER, Stores
from tests.unit.domain.samples import cause, opened
from tests.unit.stores.offered import Offered


class Contended(Store[Cursor]):
    """A store where somebody else saves first, so many times."""

    def __init__(self, documents: SqliteDocuments, times: int) -> None:
        super().__init__(documents, CURSORS)
        self.times = times

    async def save(self, document: Cursor, if_version: int) -> None:
        if self.times > 0:
            self.times -= 1
            await self._somebody_else_saves(document.id)
        await super().save(document, if_version)

    async def _somebody_else_saves(self, doc_id: str) -> None:
        theirs = await self.collection.get(doc_id)
        read = theirs.version
        theirs.uidvalidity += 1
        theirs.touch()
        await self.collection.replace(theirs, read)


def read_one_more(cursor: Cursor) -> None:
    cursor.uid += 1
    cursor.touch()


@pytest.fixture
def cursors(stores: Stores) -> Store[Cursor]:
    return stores.cursors


async def test_what_is_added_begins_with_version_one(cursors: Store[Cursor]) -> None:
    added = await cursors.add(Cursor(id="c"))

    assert added.version == 1
    assert await cursors.get("c") == added


async def test_a_document_with_a_version_of_its_own_keeps_it(cursors: Store[Cursor]) -> None:
    await cursors.add(Cursor(id="c", version=7))

    assert (await cursors.get("c")).version == 7


async def test_adding_again_finds_what_the_first_made_and_writes_nothing(cursors: Store[Cursor]) -> None:
    await cursors.add(Cursor(id="c", uid=3))
    again = await cursors.add(Cursor(id="c", uid=99))

    assert again.uid == 3
    assert (await cursors.get("c")).uid == 3


async def test_many_who_add_one_id_at_once_all_get_the_same_document(cursors: Store[Cursor]) -> None:
    answers = await asyncio.gather(*(cursors.add(Cursor(id="c", uid=number)) for number in range(20)))

    assert len({answer.uid for answer in answers}) == 1


async def test_a_change_answers_with_the_document_as_it_is_stored(cursors: Store[Cursor]) -> None:
    await cursors.add(Cursor(id="c"))
    changed = await cursors.change("c", read_one_more)

    assert (changed.uid, changed.version) == (1, 2)
    assert await cursors.get("c") == changed


async def test_a_change_that_leaves_the_version_writes_nothing(cursors: Store[Cursor]) -> None:
    def only_look(cursor: Cursor) -> None:
        cursor.uid = 99

    await cursors.add(Cursor(id="c"))
    await cursors.change("c", only_look)

    assert (await cursors.get("c")).uid == 0


async def test_a_change_is_decided_anew_on_what_others_saved_first(documents: SqliteDocuments) -> None:
    contended = Contended(documents, times=3)
    await contended.add(Cursor(id="c"))
    seen: list[int] = []

    def decide(cursor: Cursor) -> None:
        seen.append(cursor.uidvalidity)
        read_one_more(cursor)

    changed = await contended.change("c", decide)

    assert seen == [0, 1, 2, 3]
    assert (changed.uid, changed.uidvalidity, changed.version) == (1, 3, 5)


async def test_a_change_is_given_up_when_others_always_save_first(documents: SqliteDocuments) -> None:
    contended = Contended(documents, times=CONFLICT_TRIES)
    await contended.add(Cursor(id="c"))
    with pytest.raises(Conflict, match=f"cursors c: others saved first {CONFLICT_TRIES} times"):
        await contended.change("c", read_one_more)

    assert contended.times == 0, "it gave up before its tries were used"
    assert (await contended.get("c")).uid == 0


async def test_a_change_that_succeeds_at_its_last_try_is_made(documents: SqliteDocuments) -> None:
    contended = Contended(documents, times=CONFLICT_TRIES - 1)
    await contended.add(Cursor(id="c"))

    assert (await contended.change("c", read_one_more)).uid == 1


async def test_changes_by_many_at_once_are_all_made(cursors: Store[Cursor]) -> None:
    await cursors.add(Cursor(id="c"))
    await asyncio.gather(*(cursors.change("c", read_one_more) for _ in range(15)))

    assert (await cursors.get("c")).uid == 15


async def test_what_the_decision_raises_is_passed_on_and_nothing_is_written(stores: Stores) -> None:
    def refuse(cursor: Cursor) -> None:
        cursor.touch()
        raise MoveNotAllowed("not now", [])

    await stores.cursors.add(Cursor(id="c"))
    with pytest.raises(MoveNotAllowed):
        await stores.cursors.change("c", refuse)

    assert (await stores.cursors.get("c")).version == 1


async def test_changing_what_is_not_there_is_not_found_and_decides_nothing(cursors: Store[Cursor]) -> None:
    decided: list[Cursor] = []
    with pytest.raises(NotFound):
        await cursors.change("nobody", decided.append)

    assert decided == []


async def test_many_are_got_at_once_and_those_that_are_not_there_are_left_out(cursors: Store[Cursor]) -> None:
    await cursors.add(Cursor(id="a"))
    await cursors.add(Cursor(id="b"))

    assert set(await cursors.get_many(["b", "nobody", "a"])) == {"a", "b"}
    assert [one.id for one in (await cursors.find({}, Order("id"), 1)).items] == ["a"]


async def test_what_was_added_or_changed_is_offered_with_all_that_waits(
    stores: Stores, offered: Offered
) -> None:
    await stores.tickets.add(opened())
    await stores.tickets.change("tkt_1", lambda ticket: ticket.add_note("msg_2", cause("note")))

    assert offered.ids == [["tkt_1.1"], ["tkt_1.1", "tkt_1.2"]]


async def test_an_add_that_found_the_first_offers_what_the_first_left_waiting(
    stores: Stores, offered: Offered
) -> None:
    """Its first writer may have died between saving and publishing."""
    await stores.tickets.add(opened())
    await stores.tickets.add(opened(subject="another try", cause=cause("another")))

    assert offered.ids == [["tkt_1.1"], ["tkt_1.1"]]
    assert (await stores.tickets.get("tkt_1")).subject == "Help"


async def test_what_could_not_be_saved_is_not_offered(stores: Stores, offered: Offered) -> None:
    ticket = await stores.tickets.add(opened())
    ticket.add_note("msg_2", cause("note"))
    await stores.tickets.change("tkt_1", lambda other: other.add_note("msg_3", cause("other")))
    offered.ids.clear()
    with pytest.raises(Conflict):
        await stores.tickets.save(ticket, if_version=1)

    assert offered.ids == []


async def test_a_document_with_nothing_to_publish_is_not_offered(stores: Stores, offered: Offered) -> None:
    ticket = opened()
    ticket.outbox = []
    await stores.tickets.add(ticket)

    assert offered.ids == []


async def test_no_two_tickets_get_one_number_in_any_process(
    documents: SqliteDocuments, tmp_path: Path
) -> None:
    async with SqliteFile.open(tmp_path / "ombud.sqlite") as file:
        processes = [Stores.over(each, Offered()) for each in (documents, SqliteDocuments(file))]
        numbers = await asyncio.gather(
            *(stores.next_ticket_number() for stores in processes for _ in range(50))
        )

    assert sorted(numbers) == list(range(FIRST_TICKET_NUMBER + 1, FIRST_TICKET_NUMBER + 101))
