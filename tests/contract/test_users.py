"""Users on every store: an address belongs to one of them, also when two are given it at one instant."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.domain.documents import Document
from shared.domain.errors import Invalid
from shared.domain.users import User, UserAddress, address_id, user_id
from shared.ports.documents import Collection
from shared.stores.collections import USER_ADDRESSES, USERS
from shared.stores.stores import Stores
from shared.stores.users import add_user, list_users, set_enabled, user_named, user_of
from tests.contract.conftest import Store as Adapter

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
OURS = ["support@example.com"]


class NoPublisher:
    """Users record no events."""

    def offer(self, collection: Collection[Any], document: Document) -> None:
        """See `Publisher`."""


async def stores_on(store: Adapter) -> Stores:
    """The stores as one process has them."""
    documents = await store.documents()
    await documents.prepare([USERS, USER_ADDRESSES])
    return Stores.over(documents, NoPublisher())


async def test_a_user_is_found_by_id_and_by_each_address_in_any_case(store: Adapter) -> None:
    stores = await stores_on(store)
    made = await add_user(stores, " Ada  L ", ["Ada@Example.org", "al@example.net"], OURS, AT)

    assert (made.name, made.addresses, made.since) == ("Ada L", ["ada@example.org", "al@example.net"], AT)
    for name in (made.id, "ADA@example.ORG", " al@example.net "):
        assert await user_named(stores, name) == made
    assert await user_of(stores, "bob@example.org") is None
    assert [await user_named(stores, name) for name in ("ada", "", None, "usr_0")] == [None] * 4


async def test_of_two_who_are_given_one_address_at_once_one_gets_it(store: Adapter) -> None:
    """In two processes, and twenty times over."""
    first, second = await stores_on(store), await stores_on(store)
    for number in range(20):
        shared = f"both{number}@example.org"
        answers = await asyncio.gather(
            add_user(first, "Ada", [f"ada{number}@example.org", shared], OURS, AT),
            add_user(second, "Bob", [shared, f"bob{number}@example.org"], OURS, AT),
            return_exceptions=True,
        )
        owner = await user_of(first, shared)
        listed = [user for user in await list_users(second) if shared in user.addresses]

        assert [type(one) for one in answers if not isinstance(one, User)] == [Invalid]
        assert listed == [owner]


async def test_one_user_made_twice_at_once_is_one_with_all_addresses(store: Adapter) -> None:
    first, second = await stores_on(store), await stores_on(store)
    await asyncio.gather(
        add_user(first, "Ada", ["ada@example.org", "a1@example.org"], OURS, AT),
        add_user(second, "Ada", ["ada@example.org", "a2@example.org"], OURS, AT),
    )
    (user,) = await list_users(first)

    assert user.addresses[0] == "ada@example.org"
    assert sorted(user.addresses[1:]) == ["a1@example.org", "a2@example.org"]


async def test_a_making_that_was_cut_off_is_finished_by_the_next(store: Adapter) -> None:
    """What is there is what a process left that was killed after taking the first address."""
    stores = await stores_on(store)
    own_id = user_id("ada@example.org")
    await stores.user_addresses.add(UserAddress(id=address_id("ada@example.org"), user_id=own_id))

    assert await user_of(stores, "ada@example.org") is None
    assert (await add_user(stores, "Ada", ["ada@example.org"], OURS, AT)).id == own_id
    assert (await user_of(stores, "ada@example.org")) is not None


@pytest.mark.parametrize(
    "address", ["support@example.com", "SUPPORT+t.x@example.com", "no address", "", "a@b@c"]
)
async def test_what_is_no_address_or_one_of_ours_makes_no_user(store: Adapter, address: str) -> None:
    stores = await stores_on(store)
    with pytest.raises(Invalid):
        await add_user(stores, "Ada", ["ada@example.org", address], OURS, AT)

    assert await list_users(stores) == []
    assert (await stores.user_addresses.find({})).items == []


async def test_a_disabled_user_stays_known_and_is_as_before_when_enabled(store: Adapter) -> None:
    stores = await stores_on(store)
    made = await add_user(stores, "Ada", ["ada@example.org"], OURS, AT)
    disabled = await set_enabled(stores, "ada@example.org", False, AT + timedelta(hours=1))
    twice = await set_enabled(stores, made.id, False, AT + timedelta(hours=2))
    enabled = await set_enabled(stores, made.id, True, AT + timedelta(hours=3))

    assert (disabled.enabled, disabled.disabled_at) == (False, AT + timedelta(hours=1))
    assert twice == disabled
    assert (enabled.enabled, enabled.since) == (True, AT + timedelta(hours=3))
    with pytest.raises(Invalid, match="there is no user"):
        await set_enabled(stores, "bob@example.org", False, AT)
