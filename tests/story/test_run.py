"""`make run`: the whole product in one process, and what it keeps when it is killed."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.helpers import eventually
from tests.story.programs import Program, embedded, mail

pytestmark = pytest.mark.timeout(180)


def send(data: Path, *raws: bytes) -> list[str]:
    """`ombud sandbox send`, with files."""
    files = []
    for number, raw in enumerate(raws):
        file = data / f"mail-{number}.eml"
        file.write_bytes(raw)
        files.append(str(file))
    command = [sys.executable, "-m", "services", "sandbox", "send", *files]
    done = subprocess.run(
        command, env={**os.environ, "OMBUD_DATA": str(data)}, check=True, capture_output=True, text=True
    )
    return done.stdout.splitlines()


async def ticket(running: Program, subject: str, within: float = 10.0) -> dict[str, object]:
    async def found() -> dict[str, object] | None:
        return next((one for one in await running.tickets() if one["subject"] == subject), None)

    return dict(await eventually(found, awaited=f"a ticket “{subject}”", within=within))


async def test_the_sandbox_receives_sample_mails_and_prints_the_way_of_each(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:

        def steps() -> Counter[str]:
            return Counter(line["event"] for line in running.lines)

        await eventually(lambda: steps()["letter.sent"] >= 5 and steps()["ticket.triaged"] >= 6, within=20)
        assert running.lines[0]["event"] == "ready"
        assert steps()["mail.fetched"] == 7
        assert steps()["ticket.opened"] == 6
        assert steps()["ticket.customer_replied"] == 1


async def test_a_mail_that_is_sent_becomes_a_ticket_and_is_answered(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:
        said = await asyncio.to_thread(send, tmp_path, mail("alpha", text="Please refund my invoice"))
        found = await ticket(running, "Question alpha")
        await eventually(lambda: "alpha@example.org" in [one["X-Envelope-To"] for one in running.letters()])

        assert said == [f"delivered {tmp_path / 'mail-0.eml'} (179 bytes)"]
        assert found["mailbox"] == "support"


async def test_killed_and_started_again_it_goes_on_where_it_was(tmp_path: Path) -> None:
    first = embedded(tmp_path)
    async with first as running:
        await asyncio.to_thread(send, tmp_path, *(mail(f"early-{n}") for n in range(20)))
        await eventually(lambda: any(line["event"] == "ticket.opened" for line in running.lines))
        await running.kill()
    await asyncio.to_thread(send, tmp_path, *(mail(f"late-{n}") for n in range(5)))
    async with embedded(tmp_path) as running:
        assert running.ready["key"] == first.ready["key"]
        wanted = {
            f"{when}-{n}@example.org" for when, count in (("early", 20), ("late", 5)) for n in range(count)
        }

        async def answered() -> bool:
            return wanted <= {letter["X-Envelope-To"] for letter in running.letters()}

        await eventually(answered, within=60)
        tickets = Counter(one["subject"] for one in await running.tickets())
        letters = Counter(letter["X-Envelope-To"] for letter in running.letters())

        assert {count for subject, count in tickets.items() if subject.startswith("Question")} == {1}
        assert {letters[address] for address in wanted} == {1}


async def test_a_mail_that_cannot_be_read_is_quarantined_and_its_neighbours_are_not(tmp_path: Path) -> None:
    bomb = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n\r\n\r\n" * 60_000
    async with embedded(tmp_path) as running:
        await asyncio.to_thread(send, tmp_path, mail("before"), bomb, mail("after"))
        await ticket(running, "Question before")
        await ticket(running, "Question after")
        quarantine = await eventually(lambda: quarantined(running))

        assert len(quarantine) == 1
        assert quarantine[0]["reason"]


async def quarantined(running: Program) -> list[dict[str, object]]:
    return list((await running.get("/v1/quarantine"))["data"])
