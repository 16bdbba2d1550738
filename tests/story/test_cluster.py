"""The whole product on Kafka, MongoDB, Dovecot and SMTP, each service a process that may be killed."""

import asyncio
import os
import signal
from collections import Counter
from functools import partial
from pathlib import Path

import httpx2
import pytest

from deploy.local.cluster import SERVICES
from tests.helpers import eventually
from tests.story.programs import Program, cluster, mail

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


CONNECTIONS = 20
"""Of notify to the relay: as many letters may be between the last byte and the relay's answer."""


async def whole_way(running: Program, tokens: set[str], within: float = 60.0) -> None:
    """Wait until every mail is a triaged ticket, and its acknowledgement has left or is held as uncertain."""
    subjects = {f"Question {token}" for token in tokens}

    async def done() -> bool:
        try:
            tickets = [ticket for ticket in await running.tickets() if ticket["subject"] in subjects]
        except httpx2.TransportError:
            return False  # the API was among the killed
        if {ticket["subject"] for ticket in tickets} != subjects:
            return False
        if any(ticket["triage_state"] != "done" for ticket in tickets):
            return False
        answered = {letter["X-Envelope-To"] for letter in running.letters()}
        silent = [ticket for ticket in tickets if ticket["customer"]["address"] not in answered]
        return len(silent) <= CONNECTIONS and all([await held(running, ticket["id"]) for ticket in silent])

    await eventually(done, awaited="every mail triaged and acknowledged", within=within)


async def held(running: Program, ticket_id: str) -> bool:
    """Whether the ticket's letter was being sent when its sender died: at most once, so not again."""
    letters = (await running.get(f"/v1/letters?ticket_id={ticket_id}"))["data"]
    return [letter["state"] for letter in letters] == ["sending"]


async def told(running: Program, ticket_id: str) -> bool:
    """Whether the timeline tells of everything that happens to a mail."""
    timeline = await running.get(f"/v1/tickets/{ticket_id}/timeline")
    return {entry["kind"] for entry in timeline["data"]} == {
        "message",
        "status",
        "triage",
        "deadline",
        "letter",
    }


async def test_a_mail_goes_all_the_way(tmp_path: Path) -> None:
    async with cluster(tmp_path) as running:
        running.append(mail("first", text="I cannot log in, this is urgent"))
        await whole_way(running, {"first"})
        (ticket,) = await running.tickets()

        assert (ticket["category"], ticket["priority"]) == ("account", "high")
        assert (await running.get("/v1/overview"))["total"] == 1
        assert await eventually(lambda: told(running, ticket["id"]))
        (letter,) = running.letters()
        assert letter["In-Reply-To"] == "<first@example.org>"
        assert letter["Auto-Submitted"] == "auto-replied"


async def test_no_mail_is_lost_and_none_is_doubled_while_each_service_is_killed_in_turn(
    tmp_path: Path,
) -> None:
    tokens: set[str] = set()
    async with cluster(tmp_path, replicas=2) as running:
        for turn, service in enumerate(SERVICES):
            fresh = {f"{service}-{number}-{turn}" for number in range(20)}
            tokens |= fresh
            await asyncio.to_thread(running.append, *(mail(token) for token in sorted(fresh)[:10]))
            os.kill(running.pid_of(f"{service}-1"), signal.SIGKILL)
            await asyncio.to_thread(running.append, *(mail(token) for token in sorted(fresh)[10:]))
            await eventually(partial(restarted, running, f"{service}-1"), within=30)
        await whole_way(running, tokens, within=120)
        tickets = await running.tickets()
        letters = Counter(letter["X-Envelope-To"] for letter in running.letters())

        assert len(tickets) == len(tokens)
        assert set(letters.values()) == {1}
        assert len(letters) >= len(tokens) - CONNECTIONS
        total = await eventually(lambda: counted(running, len(tokens)), within=30)
        assert total


def restarted(running: Program, name: str) -> bool:
    return any(line["event"] == "restarted" and line["name"] == name for line in running.lines)


async def counted(running: Program, expected: int) -> bool:
    return bool((await running.get("/v1/overview"))["total"] == expected)
