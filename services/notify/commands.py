"""What the command line does with letters: list, show, try again, cancel."""

from typing import Any

from shared.domain.documents import plain
from shared.domain.errors import Invalid
from shared.domain.letters import Letter, LetterState
from shared.ports.clock import Clock
from shared.ports.documents import Order, Page, Scalar
from shared.stores.stores import Stores


async def list_letters(
    stores: Stores,
    state: str | None = None,
    ticket_id: str | None = None,
    limit: int = 50,
    after: str | None = None,
) -> Page[Letter]:
    """Letters, newest first, of one state or one ticket. Raises `Invalid` for a state that there is not."""
    where: dict[str, Scalar] = {}
    if state is not None:
        where["state"] = _known_state(state).value
    if ticket_id is not None:
        where["ticket_id"] = ticket_id
    return await stores.letters.find(where, Order("created_at", descending=True), limit, after)


async def show_letter(stores: Stores, letter_id: str) -> dict[str, Any]:
    """One letter with all its tries. Raises `NotFound`."""
    return plain(await stores.letters.get(letter_id))


async def retry_letter(stores: Stores, clock: Clock, letter_id: str) -> Letter:
    """Make a failed letter due at once, whatever it failed for; one that was uncertain may arrive twice.

    Raises `NotFound`, and `MoveNotAllowed` for a letter that has not failed.
    """
    return await stores.letters.change(letter_id, lambda letter: letter.retried(clock.now()))


async def cancel_letter(stores: Stores, clock: Clock, letter_id: str, actor: str) -> Letter:
    """Keep a letter from being sent that is not being sent yet.

    Raises `NotFound`, and `MoveNotAllowed` when the relay may have it.
    """
    return await stores.letters.change(letter_id, lambda letter: letter.cancelled(clock.now(), actor))


def _known_state(state: str) -> LetterState:
    try:
        return LetterState(state)
    except ValueError as fault:
        known = ", ".join(one.value for one in LetterState)
        raise Invalid(
            f"there is no letter state {state!r}; there are {known}", {"state": "unknown"}
        ) from fault
