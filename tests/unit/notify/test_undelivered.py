"""A letter that did not arrive, and an address that gets none: what the agent sees."""

from services.notify.handlers import NotifyHandlers
from services.notify.undelivered import NOTE_KIND
from shared.domain.letters import Attempt, LetterState
from shared.domain.messages import Direction
from shared.domain.status import Status
from shared.domain.suppressions import Suppression, suppression_id
from shared.stores.stores import Stores
from shared.stores.suppressions import suppress
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import handlers_on, only_letter, replied_in, tell, ticket_in
from tests.unit.notify.samples import NOW

ADA = "ada@customer.example"


async def a_reply_is_sent(stores: Stores, published: Published) -> NotifyHandlers:
    handlers = handlers_on(stores)
    await ticket_in(stores, may_auto_respond=False)
    await replied_in(stores)
    await tell(handlers, published)
    sent = await only_letter(stores)
    await stores.letters.change(sent.id, lambda one: one.sent(Attempt(at=NOW, code=250)))
    return handlers


async def notes_in(stores: Stores) -> list[str]:
    page = await stores.messages.find({"ticket_id": "tkt_1"}, limit=50)
    return [one.text for one in page.items if one.kind == NOTE_KIND and one.direction is Direction.NOTE]


async def test_a_reply_that_came_back_is_a_note_on_its_ticket_which_is_open_again(
    stores: Stores, published: Published
) -> None:
    handlers = await a_reply_is_sent(stores, published)
    assert (await stores.tickets.get("tkt_1")).status is Status.WAITING
    sent = await only_letter(stores)
    await stores.letters.change(sent.id, lambda one: one.bounced(NOW, "userunknown", True, "5.1.1"))
    for _ in range(2):
        await tell(handlers, published)

    assert (await stores.tickets.get("tkt_1")).status is Status.OPEN
    assert await notes_in(stores) == [f"The reply to {ADA} did not arrive: userunknown (5.1.1)."]


async def test_an_acknowledgement_that_came_back_reopens_nothing(
    stores: Stores, published: Published
) -> None:
    handlers = handlers_on(stores)
    await ticket_in(stores)
    await tell(handlers, published)
    sent = await only_letter(stores)
    await stores.letters.change(sent.id, lambda one: one.bounced(NOW, "userunknown", True, "5.1.1"))
    await tell(handlers, published)

    assert (await stores.tickets.get("tkt_1")).status is Status.NEW
    assert await notes_in(stores) == []


async def test_a_suppressed_address_gets_neither_acknowledgement_nor_reply_and_the_agent_is_told_why(
    stores: Stores, published: Published
) -> None:
    held = Suppression(id=suppression_id(ADA), address=ADA, since=NOW)
    held.note_bounce("msg_0", True, "userunknown", NOW)
    await stores.suppressions.add(held)
    handlers = handlers_on(stores)
    await ticket_in(stores)
    await replied_in(stores)
    for _ in range(2):
        await tell(handlers, published)

    letters = (await stores.letters.find({}, limit=10)).items
    assert {one.kind for one in letters} == {"acknowledgement", "reply"}
    assert {one.state for one in letters} == {LetterState.FAILED}
    assert {one.reason.partition(":")[0] for one in letters} == {"suppressed"}
    (note,) = await notes_in(stores)
    assert "mail to this address came back (userunknown)" in note
    assert (await stores.tickets.get("tkt_1")).status is Status.OPEN


async def test_of_an_address_that_a_person_holds_back_the_agent_is_told_who_and_why(
    stores: Stores, published: Published
) -> None:
    await suppress(stores, ADA, "asked by phone", "user:bo", NOW)
    handlers = handlers_on(stores)
    await ticket_in(stores)
    await replied_in(stores)
    await tell(handlers, published)

    (note,) = await notes_in(stores)
    assert "user:bo wants no letters to go to this address (asked by phone)" in note
