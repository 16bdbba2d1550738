"""A user of ours, and what happens to a ticket that is theirs."""

from datetime import timedelta

from shared.domain.cause import Cause
from shared.domain.messages import Direction
from shared.domain.users import User
from shared.stores.stores import Stores
from shared.stores.users import add_user
from tests.unit.notify.desk import message, ticket_in
from tests.unit.notify.samples import NOW

BOB = "bob@example.org"


async def user(stores: Stores, *addresses: str, hours: float = -1) -> User:
    """A user since so many hours after now."""
    return await add_user(stores, "Bob", addresses or [BOB], [], NOW + timedelta(hours=hours))


async def assigned(stores: Stores, assignee: str | None, by: str = "user:ada", minutes: int = 1) -> None:
    cause = Cause(f"api:{minutes}", by, NOW + timedelta(minutes=minutes), "corr_2", "00-trace")
    await stores.tickets.change("tkt_1", lambda ticket: ticket.assign(assignee, None, cause))


async def customer_writes(
    stores: Stores, minutes: int = 5, sender: str = "ada@customer.example", text: str = "Still burning."
) -> None:
    made = message(f"msg_c{minutes}", Direction.INBOUND, minutes, text=text)
    await stores.messages.add(made)
    cause = Cause(f"ingest:c{minutes}", f"customer:{sender}", NOW + timedelta(minutes=minutes))
    await stores.tickets.change("tkt_1", lambda ticket: ticket.customer_replied(made.id, sender, cause))


async def refused(stores: Stores, may_auto_respond: bool = True, minutes: int = 5) -> None:
    """A mail of Bob's whose commands were refused."""
    note = message(
        f"msg_r{minutes}",
        Direction.NOTE,
        minutes,
        text="#status done",
        message_id=f"r{minutes}@example.org",
        references=["ours@example.org"],
    )
    await stores.messages.add(note)
    cause = Cause(f"ingest:agent:{minutes}", "user:usr_1", NOW + timedelta(minutes=minutes))
    await stores.tickets.change(
        "tkt_1",
        lambda ticket: ticket.refuse_command(note.id, BOB, "no <such> state", may_auto_respond, cause),
    )


async def ticket_of_a_silent_customer(stores: Stores, **changed: object) -> None:
    await ticket_in(stores, may_auto_respond=False, **changed)
