"""Suppressed addresses as a person deals with them: held back, listed, lifted."""

from datetime import timedelta

import pytest

from shared.domain.errors import Invalid, NotFound
from shared.domain.suppressions import Suppression, suppression_id
from shared.stores.stores import Stores
from shared.stores.suppressions import get_suppression, lift_suppression, list_suppressions, suppress
from tests.unit.domain.samples import NOON


async def test_an_address_whose_mail_came_back_is_listed_and_can_be_lifted(stores: Stores) -> None:
    held = Suppression(id=suppression_id("Ada@Customer.example"), address="ada@customer.example", since=NOON)
    held.note_bounce("msg_1", True, "userunknown", NOON)
    await stores.suppressions.add(held)

    (listed,) = (await list_suppressions(stores)).items
    assert (listed.address, listed.holds(NOON)) == ("ada@customer.example", True)

    lifted = await lift_suppression(stores, "ADA@customer.example", "operator", NOON)
    assert not lifted.holds(NOON)
    with pytest.raises(NotFound):
        await lift_suppression(stores, "nobody@customer.example", "operator", NOON)


async def test_an_address_held_back_by_hand_is_one_document_however_often_and_written(stores: Stores) -> None:
    await suppress(stores, " Ada@Customer.example", "asked by phone", "user:ada", NOON)
    again = await suppress(stores, "ada@customer.example", "by letter, too", "user:bo", NOON)

    assert (again.address, again.held_by, again.reason) == (
        "ada@customer.example",
        "user:bo",
        "by letter, too",
    )
    assert len((await list_suppressions(stores)).items) == 1


async def test_the_newest_stands_first_on_pages(stores: Stores) -> None:
    for number in range(3):
        await suppress(stores, f"a{number}@x.example", "odd", "operator", NOON + timedelta(hours=number))

    first = await list_suppressions(stores, 2)
    second = await list_suppressions(stores, 2, first.after)
    assert [one.address[:2] for one in [*first.items, *second.items]] == ["a2", "a1", "a0"]


@pytest.mark.parametrize("address", ["", "ada", "ada@", "a b@example.org", "a@b@c"])
async def test_what_is_no_address_is_not_held_back(stores: Stores, address: str) -> None:
    with pytest.raises(Invalid):
        await suppress(stores, address, "odd", "operator", NOON)
    with pytest.raises(NotFound):
        await get_suppression(stores, address)
