"""Addresses that get no letters for now: listed, held back and lifted by a person.

The command line and the API do it by these; bounces hold addresses back by themselves (services/ingest). Each
deed may be repeated: it is done once, and who did it first is remembered.
"""

import re
from datetime import datetime

from shared.domain.errors import Invalid
from shared.domain.suppressions import Suppression, suppression_id
from shared.ports.documents import Order, Page
from shared.stores.stores import Stores

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")

NEWEST_FIRST = Order("since", descending=True)


async def list_suppressions(stores: Stores, limit: int = 50, after: str | None = None) -> Page[Suppression]:
    """Addresses whose mail came back, the newest first; also those that are written to again."""
    return await stores.suppressions.find({}, NEWEST_FIRST, limit, after)


async def get_suppression(stores: Stores, address: str) -> Suppression:
    """What is known of an address, in any case of letters. Raises `NotFound`."""
    return await stores.suppressions.get(suppression_id(address))


async def suppress(stores: Stores, address: str, reason: str, by: str, at: datetime) -> Suppression:
    """Write to it no more until it is lifted; `by` as `user:ada`. Raises `Invalid` for what is no address."""
    if not _ADDRESS.fullmatch(address.strip()):
        raise Invalid("an address looks like ada@example.org", {"address": "is none"})
    new = Suppression(id=suppression_id(address), address=address.strip().lower(), since=at)
    held = await stores.suppressions.add(new)
    return await stores.suppressions.change(held.id, lambda one: one.hold_back(reason, by, at))


async def lift_suppression(stores: Stores, address: str, by: str, at: datetime) -> Suppression:
    """Write to the address again. Raises `NotFound` for one that was never held back or bounced."""
    return await stores.suppressions.change(suppression_id(address), lambda one: one.lift(by, at))
