"""Row 11: each link of the product fails in each way while mail comes in; nothing is lost, doubled or stuck.

One product for all of these tests, never restarted: what one fault left behind, the next ones would meet. So
each test judges everything that was sent so far.
"""

import asyncio
import gc
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial

import pytest
import pytest_asyncio

from services.sandbox.dovecot import Dovecot
from shared.domain.errors import Refused
from tests.chaos.harness import LONG, seed_of, size
from tests.chaos.linked import LINKS, Linked, linked
from tests.conftest import missing
from tests.helpers import eventually
from tests.servers.mailbox import ImapBox
from tests.servers.proxy import Cut, Direction, FaultProxy, Faults

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.xdist_group("links"),
    pytest.mark.kafka,
    pytest.mark.mongo,
    pytest.mark.dovecot,
    pytest.mark.timeout(3600),
]
MAILS = size(6, 40)
"""At least so many come while a link fails."""
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
ENOUGH = size(3_000, 30_000)
"""Bytes that a link carries before a fault counts as met: several mails, or the traffic about them."""
BETWEEN = 1.0 if LONG else 0.2
"""Seconds between two deliveries while a link fails."""
NOTICED_WITHIN = size(40, 240)
"""Seconds: the sum of a client's patience with a connection that says nothing."""
CUT_WITHIN = {("imap", "up"): 250, ("smtp", "down"): 500}
"""Bytes: by then a connection is cut, or after 1500; whoever only asks or agrees says little."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def product(
    tmp_path_factory: pytest.TempPathFactory, dovecot_server: Dovecot, mongo_url: str
) -> AsyncIterator[Linked]:
    folder = tmp_path_factory.mktemp("links")
    try:
        async with linked(folder, ImapBox.on(dovecot_server), mongo_url, seed_of()) as made:
            yield made
    except Refused as reason:
        missing("kafka", str(reason))
    # A commit that aiokafka goes on with after we gave it up fails unseen, and that is told when it is
    # collected: here, and not in the middle of something else.
    gc.collect()


class Trial:
    """One link on trial; `chance` is the run's."""

    def __init__(self, product: Linked, link: str) -> None:
        self.product = product
        self.link = link
        self.proxy: FaultProxy = product.links[link]
        self.chance = random.Random(f"{product.seed} {link}")

    async def under_traffic(self, fault: "Fault") -> None:
        """Let the fault begin and mails come in until it was met and not a few have come; then end it."""
        failing, mails = asyncio.create_task(fault(self)), 0
        try:
            while mails < MAILS or not failing.done():
                await self.product.deliver(2)
                mails += 2
                await asyncio.wait({failing}, timeout=BETWEEN)
            await failing
        finally:
            self.proxy.heal()

    async def carries(self, faults: Faults) -> None:
        """Suffer this until enough was carried under it."""
        enough = sum(self.proxy.carried.values()) + ENOUGH
        self.proxy.suffer(faults)
        await self.sees(lambda: sum(self.proxy.carried.values()) >= enough, "traffic")

    async def takes_mail_in(self, faults: Faults) -> None:
        """Suffer this until as many mails have come all the way as are sure to come."""
        enough = await self.product.taken_in() + MAILS
        self.proxy.suffer(faults)

        async def came() -> bool:
            return await self.product.taken_in() >= enough

        await self.sees(came, "mails taken in")

    async def is_named(self) -> None:
        """Wait until readiness names the link."""
        await self.sees(lambda: self.product.names(self.link), "trouble")

    def has_lost(self, connections: int) -> bool:
        """Whether so many connections have been lost, over all tests."""
        return self.proxy.lost >= connections

    async def sees(self, what: Callable[[], object], awaited: str) -> None:
        """Wait until this is so."""
        await eventually(what, awaited=f"{awaited} on the link to {self.link}", within=NOTICED_WITHIN)


Fault = Callable[[Trial], Coroutine[None, None, None]]


async def slow(trial: Trial) -> None:
    """100 to 200 ms each way, no two packets alike, and 50 kB a second."""
    await trial.takes_mail_in(Faults(latency=0.1, jitter=0.1, bandwidth=50_000))


async def bytewise(trial: Trial) -> None:
    """Each byte a segment of its own."""
    await trial.carries(Faults(segment=1))


async def reset(trial: Trial) -> None:
    """Again and again, in whatever is being said."""
    for _ in range(5):
        await trial.sees(lambda: trial.proxy.open_now, "a connection")
        await asyncio.sleep(trial.chance.uniform(0.0, 0.1))  # the moment is what is random here
        await trial.proxy.reset()


async def cut(trial: Trial) -> None:
    """Every connection ends after so many bytes, one way and then the other."""
    for direction in DIRECTIONS * size(1, 3):
        within = CUT_WITHIN.get((trial.link, direction), 1500)
        wanted = trial.proxy.lost + 2
        trial.proxy.suffer(Faults(cut=Cut(direction, trial.chance.randrange(50, within))))
        await trial.sees(partial(trial.has_lost, wanted), "cuts")


async def refused(trial: Trial) -> None:
    """The server is gone: its port refuses."""
    trial.proxy.suffer(Faults(refuse=True))
    await trial.proxy.reset()
    await trial.is_named()


async def half_open(trial: Trial) -> None:
    """What was open stays open and is dead for ever."""
    trial.proxy.suffer(Faults(black_hole=True))
    await trial.is_named()


FAULTS: tuple[Fault, ...] = (slow, bytewise, reset, cut, refused, half_open)


@pytest.mark.parametrize("link", LINKS)
async def test_a_link_that_fails_in_every_way_delays_mails_and_neither_loses_nor_doubles_any(
    product: Linked, link: str
) -> None:
    trial = Trial(product, link)
    await product.recovers(after="the start")
    for fault in trial.chance.sample(FAULTS, len(FAULTS)):
        await product.answer(2)
        started = time.monotonic()
        await trial.under_traffic(fault)
        healed = time.monotonic()
        await product.recovers(after=f"{fault.__name__} on {link}")
        took = f"{healed - started:.1f} s, recovered {time.monotonic() - healed:.1f} s later"
        print(f"{fault.__name__} on {link}: {took}")
    await product.judge()
    print(f"{product.load.copies} mails, {len(product.replies)} replies so far")
