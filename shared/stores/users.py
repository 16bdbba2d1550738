"""The users: made, found by id or address, disabled.

An address belongs to the user whom its own document names (shared/domain/users.py). A user's making that was
cut off is finished by making it again: the user's id follows from the first address, which is taken first.

Every function raises `Unavailable` of the store.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial

from shared.domain.contacts import bare_address
from shared.domain.errors import Invalid
from shared.domain.users import User, UserAddress, address_id, checked_address, checked_name, user_id
from shared.ports.documents import Order
from shared.stores.stores import Stores

_PAGE = 200


async def add_user(
    stores: Stores, name: str, addresses: Sequence[str], ours: Iterable[str], at: datetime
) -> User:
    """Make a user, or give one who has the first of these addresses the others as well.

    `ours` are the addresses of our mailboxes. Raises `Invalid` for what is no name or no address, for an
    address of ours, and for one of another user; then nothing was made, unless somebody else was given one
    of the addresses in this very instant: then the user has those before it.
    """
    name, wanted = checked_name(name), [checked_address(one) for one in addresses]
    if not wanted:
        raise Invalid("a user needs an address", {"address": "none given"})
    _check_not_ours(wanted, ours)
    own_id = user_id(wanted[0])
    taken = await stores.user_addresses.get_many([address_id(one) for one in wanted])
    for address in wanted:
        if (held := taken.get(address_id(address))) is not None:
            _check_owner(address, held, own_id)
    await _take(stores, wanted[0], own_id)
    await stores.users.add(User(id=own_id, name=name, addresses=wanted[:1], since=at))
    for address in wanted[1:]:
        await _take(stores, address, own_id)
        await stores.users.change(own_id, partial(User.own, addresses=[address]))
    return await stores.users.get(own_id)


async def user_of(stores: Stores, address: str) -> User | None:
    """The user whose this address is, enabled or not."""
    own_id = address_id(address.strip().lower())
    found = (await stores.user_addresses.get_many([own_id])).get(own_id)
    if found is None:
        return None
    return (await stores.users.get_many([found.user_id])).get(found.user_id)


async def user_named(stores: Stores, name: str | None) -> User | None:
    """The user of whom this is the id or an address, in any case of letters; tickets name assignees so."""
    name = (name or "").strip().lower()
    if "@" in name:
        return await user_of(stores, name)
    return (await stores.users.get_many([name])).get(name) if name.startswith("usr_") else None


async def list_users(stores: Stores) -> list[User]:
    """All users, the disabled ones among them, by the time since when they are."""
    users: list[User] = []
    after: str | None = None
    while True:
        page = await stores.users.find({}, Order("since"), _PAGE, after)
        users += page.items
        after = page.after
        if after is None:
            return users


async def set_enabled(stores: Stores, name: str, enabled: bool, at: datetime) -> User:
    """Enable or disable the user with this id or address. Raises `Invalid` when there is none."""
    user = await user_named(stores, name)
    if user is None:
        raise Invalid(f"there is no user {name!r}: `ombud user list` shows who there is", {"user": "unknown"})
    return await stores.users.change(user.id, lambda one: one.enable(at) if enabled else one.disable(at))


async def _take(stores: Stores, address: str, own_id: str) -> None:
    held = await stores.user_addresses.add(UserAddress(id=address_id(address), user_id=own_id))
    _check_owner(address, held, own_id)


def _check_owner(address: str, held: UserAddress, own_id: str) -> None:
    if held.user_id != own_id:
        raise Invalid(
            f"{address} belongs to the user {held.user_id}: an address belongs to one user",
            {"address": "taken"},
        )


def _check_not_ours(addresses: Iterable[str], ours: Iterable[str]) -> None:
    mailboxes = {bare_address(one) for one in ours}
    for address in addresses:
        if bare_address(address) in mailboxes:
            raise Invalid(
                f"{address} is an address of a mailbox that we serve: letters to it would come back to us; "
                "give the user's own",
                {"address": "of a mailbox"},
            )
