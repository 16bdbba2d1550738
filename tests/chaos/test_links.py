"""Row 11: each link of the product fails in each way while mail comes in; nothing is lost, doubled or stuck.

One product for all of these tests, never restarted: what one fault left behind, the next ones would meet. So
each test judges everything that was sent so far.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial

import pytest
import pytest_asyncio

from services.sandbox.dovecot import Dovecot
from shared.domain.errors import Refused
from tests.chaos.harness import seed_of, size
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
    pytest.mark.timeout(900),
]
DIRECTIONS: tuple[Direction, ...] = ("up", "down")
ENOUGH = size(3_000, 30_000)
"""Bytes that a link carries before a fault counts as met: several mails, or the traffic about them."""
ROUNDS = size(1, 5)
CUT_WITHIN = {"imap": 250}
"""Bytes: by then a connection is cut, or after 1500; a reader of mail says little."""


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


class Trial:
    """One link on trial; `chance` is the run's."""

    def __init__(self, product: Linked, link: str) -> None:
        self.product = product
        self.link = link
        self.proxy: FaultProxy = product.links[link]
        self.chance = random.Random(f"{product.seed} {link}")

    async def under_traffic(self, fault: "Fault") -> None:
        """Let the fault begin among mails and replies, go on with both until it was met, and end it."""
        failing = asyncio.create_task(fault(self))
        try:
            while not failing.done():
                await self.product.deliver(2)
                await asyncio.wait({failing}, timeout=0.2)
            await failing
        finally:
            self.proxy.heal()

    async def carries(self, faults: Faults) -> None:
        """Suffer this until enough was carried under it."""
        enough = sum(self.proxy.carried.values()) + ENOUGH
        self.proxy.suffer(faults)
        await self.sees(lambda: sum(self.proxy.carried.values()) >= enough, "traffic")

    async def is_named(self) -> None:
        """Wait until readiness names the link."""
        await self.sees(lambda: self.product.names(self.link), "trouble")

    def has_lost(self, connections: int) -> bool:
        """Whether so many connections have been lost, over all tests."""
        return self.proxy.lost >= connections

    async def sees(self, what: Callable[[], object], awaited: str) -> None:
        """Wait until this is so."""
        await eventually(what, awaited=f"{awaited} on the link to {self.link}", within=40)


Fault = Callable[[Trial], Coroutine[None, None, None]]


async def late(trial: Trial) -> None:
    """100 to 200 ms each way, no two packets alike."""
    await trial.carries(Faults(latency=0.1, jitter=0.1))


async def bytewise(trial: Trial) -> None:
    """Each byte a segment of its own."""
    await trial.carries(Faults(segment=1))


async def narrow(trial: Trial) -> None:
    """A line as slow as a modem's."""
    await trial.carries(Faults(bandwidth=20_000))


async def reset(trial: Trial) -> None:
    """Again and again, in whatever is being said."""
    for _ in range(5):
        await trial.sees(lambda: trial.proxy.open_now, "a connection")
        await asyncio.sleep(trial.chance.uniform(0.0, 0.1))  # the moment is what is random here
        await trial.proxy.reset()


async def cut(trial: Trial) -> None:
    """Every connection ends after so many bytes, one way and then the other."""
    within = CUT_WITHIN.get(trial.link, 1500)
    for direction in DIRECTIONS * 2:
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


FAULTS: tuple[Fault, ...] = (late, bytewise, narrow, reset, cut, refused, half_open)


@pytest.mark.parametrize("link", LINKS)
async def test_a_link_that_fails_in_every_way_delays_mails_and_neither_loses_nor_doubles_any(
    product: Linked, link: str
) -> None:
    trial = Trial(product, link)
    for _ in range(ROUNDS):
        for fault in trial.chance.sample(FAULTS, len(FAULTS)):
            await product.answer(2)
            await trial.under_traffic(fault)
            await product.is_ready(after=f"{fault.__name__} on {link}")
    await product.judge()
