"""Letters to agents that do not go: suppressed, or held by a brake that is theirs alone."""

from datetime import timedelta

from services.notify.settings import BrakeSettings
from shared.domain.cause import Cause
from shared.domain.letters import LetterState
from shared.domain.messages import Direction
from shared.domain.suppressions import Suppression, suppression_id
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.unit.notify.agents import (
    BOB,
    assigned,
    customer_writes,
    refused,
    ticket_of_a_silent_customer,
    user,
)
from tests.unit.notify.conftest import Published
from tests.unit.notify.desk import LEAD, handlers_on, message, only_letter, tell
from tests.unit.notify.samples import NOW, QUICK


async def test_a_suppressed_address_of_an_agent_gets_no_letter_and_the_letter_says_why(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id)
    held = Suppression(id=suppression_id(BOB), address=BOB, since=NOW, hard=1, reason="userunknown")
    await stores.suppressions.add(held)
    await tell(handlers_on(stores), published)

    written = await only_letter(stores)
    assert (written.state, written.reason[:11]) == (LetterState.FAILED, "suppressed:")


async def gone(stores: Stores) -> dict[str, int]:
    """How many letters of each kind are not held back."""
    kinds: dict[str, int] = {}
    for one in (await stores.letters.find({}, limit=500)).items:
        kinds[one.kind] = kinds.get(one.kind, 0) + (one.state is not LetterState.FAILED)
    return kinds


async def test_mails_that_are_given_back_again_and_again_are_a_loop_after_three(
    stores: Stores, published: Published
) -> None:
    await ticket_of_a_silent_customer(stores)
    await user(stores)
    for minutes in range(1, 8):
        await refused(stores, minutes=minutes)
    await tell(handlers_on(stores), published)

    assert await gone(stores) == {"command_failed": QUICK.brake.ten_minutes}
    assert (await stores.tickets.get("tkt_1")).loop.startswith("brake: more than 3")


async def test_news_for_an_agent_are_braked_as_for_the_lead_and_are_no_loop(
    stores: Stores, published: Published
) -> None:
    settings = QUICK.model_copy(update={"lead_brake": BrakeSettings(ten_minutes=5, hour=10, day=30)})
    await ticket_of_a_silent_customer(stores)
    await assigned(stores, (await user(stores)).id, f"user:{BOB}")
    for second in range(7):
        made = message(f"msg_{second}x", Direction.INBOUND, text="?")
        await stores.messages.add(made)
        cause = Cause(f"ingest:{second}", "customer:x", NOW + timedelta(seconds=second))
        await stores.tickets.change(
            "tkt_1",
            lambda one, doc=made.id, why=cause: one.customer_replied(doc, "ada@customer.example", why),  # type: ignore[misc]  # mypy infers no lambda with defaults
        )
    await tell(handlers_on(stores, settings=settings), published)

    assert await gone(stores) == {"customer_replied": 5}
    assert (await stores.tickets.get("tkt_1")).loop == ""


async def test_what_an_agent_is_told_keeps_no_letter_from_the_lead_or_back_to_the_agent(
    stores: Stores, published: Published
) -> None:
    """The lead is an agent, too, at the same address, on the same ticket, in the same minutes."""
    await ticket_of_a_silent_customer(stores)
    lead = await user(stores, LEAD, BOB)
    await assigned(stores, lead.id)
    for minutes in range(1, 6):
        await customer_writes(stores, minutes=minutes)
    cause = Cause("escalation:1", "service:escalation", NOW + timedelta(minutes=6))
    await stores.tickets.change("tkt_1", lambda one: one.breach("resolution", NOW, "standard", cause))
    await refused(stores, minutes=7)
    await tell(handlers_on(stores, clock=FakeClock(NOW)), published)

    assert await gone(stores) == {
        "assigned": 1,
        "customer_replied": 5,
        "sla_breached": 1,
        "command_failed": 1,
    }
