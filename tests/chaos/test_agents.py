"""Agents work by mail while services are killed: what a mail asks for is done once, wherever they died."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from deploy.local.cluster import SERVICES
from tests.chaos.harness import Trial, on_cluster, size
from tests.chaos.load import Shares
from tests.chaos.test_kills import BRAKES, LEASE, QUICK
from tests.helpers import eventually
from tests.story.programs import beside, mail, ombud

pytestmark = [
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]

BOB, SERVER = "bob@agents.example", "mx.here.example"
PEOPLE = Shares(follow_up=0.0, automatic=0.0, twice=0.0, unreadable=0.0)
WITHIN = 90.0
"""Seconds for a step of the way, kills included."""


async def user(trial: Trial) -> str:
    """The id of a user who is Bob."""
    known = beside(trial.data, trial.program)
    return (await ombud(known, "user", "add", "--name", "Bob", "--address", BOB)).strip()


async def told(trial: Trial, ticket: str) -> str:
    """The Message-ID of the letter that tells Bob of this ticket.

    As it was written: one whose sender was killed on the wire may never arrive.
    """

    def found() -> str | None:
        letters = trial.store.documents("letters")
        about = (one for one in letters if one["ticket_id"] == ticket and one["kind"] == "assigned")
        return next((f"<{one['message_id']}>" for one in about), None)

    return str(await eventually(found, awaited=f"the letter about {ticket}", within=WITHIN))


async def test_what_an_agents_mail_asks_for_is_done_once_while_services_are_killed(tmp_path: Path) -> None:
    kills, tickets = size(5, 40), size(8, 80)
    settings = {**QUICK, **BRAKES, "OMBUD_MAILBOXES__SUPPORT__AUTHSERV_ID": SERVER}
    async with on_cluster(
        "agents' mails, kill -9", tmp_path, replicas=2, shares=PEOPLE, settings=settings
    ) as trial:
        bob = await user(trial)
        await trial.deliver(tickets)
        await eventually(
            lambda: trial.store.count("tickets") == tickets, awaited="the tickets", within=WITHIN
        )
        names = [f"{service}-{number}" for service in SERVICES for number in (1, 2)]
        killing = asyncio.create_task(trial.killer.rampage(names, kills, pause=2.0))
        for number, one in enumerate(list(trial.store.documents("tickets"))):
            given = {"assignee": bob, "team": None}
            await trial.call("PUT", f"/v1/tickets/{one['id']}/assignee", given, within=WITHIN)
            raw = mail(
                f"agent-{number}",
                sender=BOB,
                text=f"#status waiting\r\n#reply\r\n\r\nIt is answer {number}.",
                In_Reply_To=await told(trial, one["id"]),
                Authentication_Results=f"{SERVER}; dmarc=pass header.from=agents.example",
            )
            for _ in range(1 + number % 2):  # every other one comes twice
                trial.load.place(raw)
            trial.replies.append(one["id"])
        await killing
        trial.outage = LEASE + 10.0
        await trial.drained()
        await trial.letters_ended(LEASE + 60.0)
        await trial.judge(deaths=kills)

        said = Counter(
            one["text"] for one in trial.store.documents("messages") if one["direction"] == "outbound"
        )
        assert said == Counter(f"It is answer {number}." for number in range(tickets))
        assert {one["status"] for one in trial.store.documents("tickets")} == {"waiting"}
