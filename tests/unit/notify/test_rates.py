"""Letters a minute to one domain: what is too many waits for its turn, and nothing is lost or blamed."""

from datetime import timedelta

import pytest

from services.notify.rates import Rates
from services.notify.settings import NotifySettings
from shared.domain.ids import derived
from shared.domain.letters import LetterState
from shared.domain.ticket import Contact
from shared.stores.stores import Stores
from tests.fakes.clock import FakeClock
from tests.helpers import eventually
from tests.servers.smtp import ScriptedSmtp
from tests.unit.notify.samples import NOW, QUICK, delivering, letter

THREE = QUICK.model_copy(update={"domain_rate": 3, "domain_rates": {"Fast.example": 100, "free.example": 0}})


def to(address: str, name: str = "1") -> Contact:
    return Contact(address=address, name=name)


async def turns(stores: Stores, settings: NotifySettings, count: int, domain: str) -> list[float]:
    """When each of `count` letters may go, in seconds from now; two processes ask in turn."""
    replicas = [Rates(stores.documents, settings) for _ in range(2)]
    found = []
    for number in range(count):
        own = letter(str(number), to=to(f"ada@{domain}"))
        until = await replicas[number % 2].put_off(own, NOW)
        found.append((until - NOW).total_seconds() if until else 0.0)
    return found


async def test_letters_above_the_rate_wait_for_later_minutes_however_many_processes_send(
    stores: Stores,
) -> None:
    assert await turns(stores, THREE, 8, "slow.example") == [0, 0, 0, 60, 80, 100, 120, 140]


@pytest.mark.parametrize("domain", ["free.example", "fast.example", "FAST.example"])
async def test_a_domain_may_have_a_rate_of_its_own(stores: Stores, domain: str) -> None:
    assert await turns(stores, THREE, 20, domain) == [0] * 20


async def test_without_a_rate_the_store_is_not_asked(stores: Stores) -> None:
    assert await turns(stores, QUICK, 20, "slow.example") == [0] * 20
    minute = f"{derived('rate', 'slow.example')}:{int(NOW.timestamp()) // 60}"
    assert await stores.documents.counters([minute]) == {}
    await turns(stores, THREE, 1, "slow.example")
    assert await stores.documents.counters([minute]) == {minute: {"letters": 1}}


async def test_the_next_minute_counts_anew_and_domains_do_not_disturb_each_other(stores: Stores) -> None:
    rates = Rates(stores.documents, THREE)
    await turns(stores, THREE, 8, "slow.example")

    assert await rates.put_off(letter(to=to("ada@slow.example")), NOW + timedelta(minutes=1)) is None
    assert await rates.put_off(letter(to=to("ada@other.example")), NOW) is None


async def test_all_letters_to_a_slow_domain_arrive_and_none_is_blamed(stores: Stores) -> None:
    clock = FakeClock(NOW)
    names = [str(number) for number in range(5)]
    async with ScriptedSmtp() as relay:
        for name in names:
            await stores.letters.add(letter(name, at=NOW))
        async with delivering(stores, relay.address, THREE, clock):
            await eventually(lambda: len(relay.accepted) == 3)

            async def two_wait() -> bool:
                found = (await stores.letters.get_many([f"let_{name}" for name in names])).values()
                waiting = [one for one in found if one.state is LetterState.QUEUED]
                later = [one for one in waiting if one.wake_at and one.wake_at >= NOW + timedelta(minutes=1)]
                return len(later) == 2 and not any(one.attempts for one in later)

            await eventually(two_wait)
            assert len(relay.accepted) == 3
            await clock.advance(100)
            await eventually(lambda: len(relay.accepted) == 5)
