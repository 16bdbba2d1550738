"""Row 2: the process dies at every failpoint, at a passing that the seed chooses, under traffic.

Each life takes up what the one before left, and dies at another place; the last one lives. What must
hold afterwards are the invariants: one message, ticket and ledger entry for each mail, at most one automatic
letter for each cause, an agent's reply at least once and under one Message-ID. The mailbox and the relay are
outside of what dies, so that what was handed over is known for certain.
"""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from services.sandbox.maildrop import make_maildir
from services.sandbox.sandbox import ADDRESS, LEAD, maildir_of
from services.sandbox.smtp_sink import SmtpSink
from shared.runtime.failpoint_plan import Site
from tests.chaos.evidence import Evidence
from tests.chaos.harness import Trial, on_cluster, on_embedded, size
from tests.helpers import eventually

MAILS = size(30, 300)
"""In each life."""
DIES_WITHIN = 120.0
ANSWERED_WITHIN = 400.0
"""An agent's program tries for as long as it takes: for most of it there is nobody who listens."""
LONGEST = 15.0
"""Seconds until the sweep takes over what a dead process did not publish: what a timer may be late."""

MAIL_SITES = {
    Site.INGEST_FETCHED: 3,
    Site.INGEST_PUBLISHED: 3,
    Site.INTAKE_MESSAGE: 20,
    Site.INTAKE_TICKET: 20,
}
EVENT_SITES = {Site.OUTBOX_SAVED: 4, Site.OUTBOX_PUBLISHED: 4, Site.CONSUMER_HANDLED: 3}
LETTER_SITES = {Site.LETTER_SENDING: 8, Site.LETTER_ENDED: 8, Site.LETTER_ANSWERED: 8}
TIMER_SITES = {Site.TIMER_CLAIMED: 5, Site.TIMER_TOLD: 5}
CHAINS = [MAIL_SITES | EVENT_SITES, LETTER_SITES | TIMER_SITES]
"""Each site with the latest passing at which it may be told to die: fewer than one life's mails cause."""

PRIORITIES = ("CRITICAL", "HIGH", "MEDIUM", "LOW")
QUICK = {
    "OMBUD_ENVIRONMENT": "test",
    "OMBUD_INGEST__BATCH": "5",
    "OMBUD_INGEST__LEASE_SECONDS": "2",
    "OMBUD_NOTIFY__LEASE_SECONDS": "2",
    "OMBUD_NOTIFY__ACCEPT_SECONDS": "5",
    "OMBUD_NOTIFY__MARGIN_SECONDS": "1",
    "OMBUD_NOTIFY__RETRY__FIRST_PAUSE": "0.5",
    "OMBUD_NOTIFY__LEAD_ADDRESS": LEAD,
    "OMBUD_ESCALATION__LEASE": "2",
    **{f"OMBUD_NOTIFY__LEAD_BRAKE__{span}": "100000" for span in ("TEN_MINUTES", "HOUR", "DAY")},
    **{f"OMBUD_ESCALATION__FIRST_RESPONSE__{name}": "3" for name in PRIORITIES},
}
"""Everything as in production, only sooner."""


def test_every_failpoint_is_one_at_which_something_dies() -> None:
    assert Counter(site for chain in CHAINS for site in chain) == Counter(Site)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("sites", CHAINS, ids=["mails and events", "letters and timers"])
async def test_whatever_it_dies_between_no_mail_is_lost_and_none_is_doubled(
    tmp_path: Path, sites: dict[Site, int]
) -> None:
    async with outside(tmp_path) as settings, on_embedded("failpoints", tmp_path, settings=settings) as trial:
        chance = random.Random(f"failpoints {trial.seed}")
        leave = asyncio.Event()
        agent = asyncio.create_task(answering(trial, leave))
        await trial.deliver(MAILS)
        await eventually(
            lambda: len(trial.replies) >= MAILS // 6, awaited="answers in the first life", within=60
        )
        order = chance.sample(sorted(sites), len(sites))
        for site in order:
            settings["OMBUD_FAILPOINTS"] = f"{site}=kill@{chance.randint(1, sites[site])}"
            print("life", settings["OMBUD_FAILPOINTS"])
            await trial.deliver(MAILS)
            await lives_until_its_failpoint(trial)
        del settings["OMBUD_FAILPOINTS"]
        await trial.reborn()
        leave.set()
        await agent
        trial.outage = LONGEST + len(order) * DIES_WITHIN
        run = await settled(trial, deaths=len(order))

    assert len(run.sent) == (1 + len(order)) * MAILS
    one_letter_for_each_answer(run)


async def lives_until_its_failpoint(trial: Trial) -> None:
    """Start it on what was left; return when it has died at the place that its settings name."""
    try:
        await trial.reborn()
    except AssertionError as died_early:
        assert f"ended with {-signal.SIGKILL} before it was ready" in str(died_early)  # noqa: PT017 (or not)
        return
    await asyncio.wait_for(trial.program.process.wait(), DIES_WITHIN)
    assert trial.program.process.returncode == -signal.SIGKILL


@asynccontextmanager
async def outside(data: Path) -> AsyncIterator[dict[str, str]]:
    """A mailbox and a relay that outlive every death; yields the settings that lead there."""
    maildir = make_maildir(maildir_of(data))
    async with SmtpSink("127.0.0.1", 0, data / "outbox") as sink:
        host, port = sink.address
        relay = {"OMBUD_SMTP__HOST": host, "OMBUD_SMTP__PORT": str(port), "OMBUD_SMTP__TLS": "none"}
        mailbox = {"ADDRESS": ADDRESS, "MAILDIR": str(maildir)}
        yield QUICK | relay | {f"OMBUD_MAILBOXES__SUPPORT__{name}": value for name, value in mailbox.items()}


async def answering(trial: Trial, leave: asyncio.Event) -> None:
    """An agent who answers every third ticket, whatever dies meanwhile, and leaves nothing half done."""
    seen: set[str] = set()
    while not leave.is_set():
        await asyncio.sleep(0.3)  # agents take their time
        for ticket in [one["id"] for one in trial.store.documents("tickets")]:
            if ticket not in seen:
                seen.add(ticket)
                if len(seen) % 3 == 0:
                    await trial.answer(ticket, "It is on its way.", ANSWERED_WITHIN)


async def settled(trial: Trial, deaths: int) -> Evidence:
    """Wait until no letter is uncertain any more, then judge."""
    await trial.drained()
    await trial.letters_ended(DIES_WITHIN)
    return await trial.judge(deaths=deaths)


def one_letter_for_each_answer(run: Evidence) -> None:
    """An agent's answer is one letter, so one Message-ID, however often it was handed over."""
    answers = [one for one in run.letters if one.kind == "reply"]
    assert run.replies, "proved nothing: nobody answered"
    assert Counter(one.ticket for one in answers) == Counter(run.replies)
    assert {one.state for one in answers} == {"sent"}
    handed = Counter(one.message_id for one in run.handed)
    uncertain = [one.message_id for one in run.letters if one.reason.startswith("uncertain")]
    print(f"{sum(n > 1 for n in handed.values())} letters were handed over twice")
    print(f"{len(uncertain)} are uncertain, of which the relay has {sum(handed[one] for one in uncertain)}")


CLUSTER_PLAN: Sequence[str] = (
    f"{Site.INGEST_PUBLISHED}=kill@3",
    f"{Site.OUTBOX_PUBLISHED}=kill@25",
    f"{Site.LETTER_ENDED}=kill@15",
)
"""A site is passed as often in each life before it kills, so every life gets something done."""
CLUSTER_MAILS = size(60, 200)
CLUSTER_DRAINED_WITHIN = size(150, 500)
"""A life of ingest takes in ten mails, and the supervisor lets it wait before the next."""


@pytest.mark.timeout(900)
@pytest.mark.xdist_group("cluster")
@pytest.mark.usefixtures("local_servers")
async def test_services_that_die_between_two_steps_again_and_again_get_all_of_it_done(tmp_path: Path) -> None:
    settings = QUICK | {"OMBUD_FAILPOINTS": "; ".join(CLUSTER_PLAN)}
    async with on_cluster("failpoints of services", tmp_path, settings=settings) as trial:
        await trial.deliver(CLUSTER_MAILS)
        leave = asyncio.Event()
        agent = asyncio.create_task(answering(trial, leave))
        await trial.drained(CLUSTER_DRAINED_WITHIN)
        leave.set()
        await agent
        died = [line["name"] for line in trial.program.lines if line["event"] == "restarted"]
        trial.killer.killed.update(died)
        trial.outage = LONGEST + DIES_WITHIN
        run = await settled(trial, deaths=3)

    assert {name.partition("-")[0] for name in died} >= {"ingest", "notify"}
    one_letter_for_each_answer(run)
