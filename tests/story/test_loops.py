"""Mail loops end: two helpdesks that face each other, a robot that answers all it gets, a bounce of a bounce.

One relay between them all, as on the network: it puts letters into the Maildirs of those it knows, and into a
folder for anybody else. That a loop is silent is shown by what comes after it: a person writes, is answered,
and nothing else has been sent meanwhile.
"""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from services.notify.settings import BrakeSettings
from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.smtp_sink import SmtpSink
from tests.helpers import eventually
from tests.story.programs import Program, embedded, mail

pytestmark = pytest.mark.timeout(300)

HERE, THERE = "support@here.example", "support@there.example"
MOST = 3
"""Mails of one side of a loop."""


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[SmtpSink]:
    """Takes the letters of both helpdesks."""
    local = {HERE: tmp_path / "here-mail", THERE: tmp_path / "there-mail"}
    for maildir in local.values():
        make_maildir(maildir)
    async with SmtpSink("127.0.0.1", 0, tmp_path / "outbox", local) as sink:
        yield sink


def helpdesk(tmp_path: Path, relay: SmtpSink, name: str, address: str) -> Program:
    """A whole Ombud that serves this address."""
    host, port = relay.address
    return embedded(
        tmp_path / name,
        OMBUD_MAILBOXES__MAIN__ADDRESS=address,
        OMBUD_MAILBOXES__MAIN__MAILDIR=str(tmp_path / f"{name}-mail"),
        OMBUD_SMTP__HOST=host,
        OMBUD_SMTP__PORT=str(port),
        OMBUD_SMTP__TLS="none",
        OMBUD_INGEST__POLL_SECONDS="0.2",
    )


def letters_of(relay: SmtpSink, to: str) -> list[Message]:
    """What the relay was given for somebody it does not serve itself."""
    letters = [message_from_bytes(file.read_bytes()) for file in relay.letters()]
    return [one for one in letters if one["X-Envelope-To"] == to]


def mails_in(maildir: Path, sender: str) -> int:
    """How many mails of this sender ever came into a Maildir."""
    raws = [file.read_bytes() for part in ("new", "cur") for file in (maildir / part).iterdir()]
    return sum(sender in str(message_from_bytes(raw)["From"]) for raw in raws)


async def a_person_is_answered(relay: SmtpSink, maildir: Path, token: str) -> None:
    """All mail before this one has been handled then: a mailbox is read in order."""
    deliver(maildir, mail(token))
    await eventually(lambda: letters_of(relay, f"{token}@example.org"), awaited="the answer", within=60)


async def tickets_of(running: Program, sender: str) -> list[dict[str, Any]]:
    return [one for one in await running.tickets() if one["customer"]["address"] == sender]


async def test_two_helpdesks_that_face_each_other_fall_silent(tmp_path: Path, relay: SmtpSink) -> None:
    async with (
        helpdesk(tmp_path, relay, "here", HERE) as here,
        helpdesk(tmp_path, relay, "there", THERE) as there,
    ):
        deliver(tmp_path / "here-mail", mail("first", sender=f"There <{THERE}>"))
        await eventually(lambda: mails_in(tmp_path / "there-mail", HERE), awaited="an answer", within=60)
        await eventually(lambda: tickets_of(there, HERE), awaited="the answer's ticket", within=60)
        for round_number in range(2):  # what the first round may have set off shows in the second
            for name in ("here", "there"):
                await a_person_is_answered(relay, tmp_path / f"{name}-mail", f"{name}{round_number}")

        assert 1 <= mails_in(tmp_path / "there-mail", HERE) <= MOST
        assert 1 <= mails_in(tmp_path / "here-mail", THERE) <= MOST
        assert len(await tickets_of(here, THERE)) == 1


async def test_a_robot_that_answers_each_letter_gets_three_and_the_ticket_says_that_it_loops(
    tmp_path: Path, relay: SmtpSink
) -> None:
    robot = "robot@example.net"
    async with helpdesk(tmp_path, relay, "here", HERE) as here:
        answered = 0

        async def loop_is_marked() -> bool:
            """Answer what has come, as a robot that writes no header and starts afresh each time."""
            nonlocal answered
            for _ in letters_of(relay, robot)[answered:]:
                answered += 1
                deliver(tmp_path / "here-mail", mail(f"robot{answered}", sender=robot))
            return any(one["loop"] for one in await tickets_of(here, robot))

        deliver(tmp_path / "here-mail", mail("robot0", sender=robot))
        await eventually(loop_is_marked, awaited="a ticket that is marked", within=120)
        await a_person_is_answered(relay, tmp_path / "here-mail", "ada")

        # The brake's windows stand side by side: a test that runs across a border sees two of them.
        assert BrakeSettings().ten_minutes == MOST
        assert MOST <= len(letters_of(relay, robot)) <= 2 * MOST


async def test_neither_a_bounce_nor_a_bounce_of_a_bounce_is_answered(tmp_path: Path, relay: SmtpSink) -> None:
    daemon = "MAILER-DAEMON@mx.example.net"
    notice = {"sender": daemon, "subject": "Undelivered Mail Returned to Sender"}
    async with helpdesk(tmp_path, relay, "here", HERE) as here:
        text = "<ada@example.org>: 550 5.1.1 no such user"
        deliver(tmp_path / "here-mail", mail("bounce", text=text, **notice))
        text = f"<{HERE}>: 550 5.1.1 no such user\n\n--- Original message\n\nSubject: Undelivered Mail"
        deliver(tmp_path / "here-mail", mail("again", text=text, **notice))
        await a_person_is_answered(relay, tmp_path / "here-mail", "eve")

        assert [one["X-Envelope-To"] for one in letters_of(relay, "eve@example.org")] == ["eve@example.org"]
        assert len(relay.letters()) == 1
        assert {one["status"] for one in await tickets_of(here, daemon.lower())} == {"new"}
