"""An agent works on a ticket from a mail program: the whole product, in one process and as five.

The agent's mails answer letters that the relay really took, as a mail program writes answers: with the letter
quoted below. The server that takes mail in is played by the tests, so its word about senders is in each mail.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.smtp_sink import SmtpSink
from tests.helpers import eventually
from tests.story.programs import Program, beside, cluster, embedded, mail, ombud

pytestmark = pytest.mark.timeout(300)

EVE, BOB = "eve@customer.example", "bob@agents.example"
SERVER = "mx.here.example"
WITHIN = 90.0
"""Seconds for a step of the way, on a machine that others use, too."""


def passed(address: str) -> dict[str, str]:
    """What our server says of a mail that truly comes from there."""
    return {"Authentication_Results": f"{SERVER}; dmarc=pass header.from={address.partition('@')[2]}"}


def plain_of(letter: EmailMessage) -> str:
    """What a letter says, as text."""
    (plain, _) = letter.iter_parts()
    assert isinstance(plain, EmailMessage)
    return str(plain.get_content()).replace("\r\n", "\n")


class Desk:
    """A running Ombud with its mailbox, its relay, and the command line beside it."""

    def __init__(
        self,
        program: Program,
        environment: dict[str, str],
        put: Callable[[bytes], object],
        sent: Callable[[], list[Path]],
    ) -> None:
        self.program = program
        self._environment = environment
        self._put = put
        self._sent = sent

    async def receive(self, token: str, sender: str, text: str, **headers: str) -> None:
        """A mail comes into the mailbox."""
        raw = mail(token, sender=sender, text=text, **{**passed(sender), **headers})
        await asyncio.to_thread(self._put, raw)

    async def answer(
        self, token: str, letter: EmailMessage, text: str, sender: str = BOB, **headers: str
    ) -> None:
        """Answer a letter as a mail program does."""
        quoted = "\r\n".join(f"> {line}" for line in plain_of(letter).splitlines())
        thread = {"In_Reply_To": letter["Message-ID"], "References": letter["Message-ID"]}
        body = f"{text}\r\n\r\nOn Friday, Support wrote:\r\n{quoted}"
        await self.receive(token, sender, body, **{**thread, **headers})

    def letters(self, to: str) -> list[EmailMessage]:
        """What the relay took for somebody, oldest first."""
        parser = BytesParser(policy=policy.default)
        read = [parser.parsebytes(one.read_bytes()) for one in self._sent()]
        return [one for one in read if one["X-Envelope-To"] == to]

    async def letter(self, to: str, number: int) -> EmailMessage:
        """The letter of this number to somebody, once it is there."""
        await eventually(lambda: len(self.letters(to)) >= number, awaited=f"letter {number}", within=WITHIN)
        return self.letters(to)[number - 1]

    async def ombud(self, *arguments: str) -> str:
        """What a verb of the command line prints."""
        return await ombud(self._environment, *arguments)

    async def ticket(self) -> dict[str, Any]:
        """Eve's ticket."""
        (found,) = [one for one in await self.program.tickets() if one["customer"]["address"] == EVE]
        return dict(found)

    async def has(self, **state: Any) -> dict[str, Any]:
        """Eve's ticket, once it is so."""

        async def is_so() -> bool:
            found = await self.ticket()
            return all(found[name] == value for name, value in state.items())

        await eventually(is_so, awaited=f"a ticket with {state}", within=WITHIN)
        return await self.ticket()


async def one_process(tmp_path: Path, stack: AsyncExitStack) -> Desk:
    """Ombud as `make run` has it, on SQLite."""
    maildir = make_maildir(tmp_path / "mail")
    sink = await stack.enter_async_context(SmtpSink("127.0.0.1", 0, tmp_path / "outbox"))
    environment = {
        "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@here.example",
        "OMBUD_MAILBOXES__SUPPORT__MAILDIR": str(maildir),
        "OMBUD_MAILBOXES__SUPPORT__AUTHSERV_ID": SERVER,
        "OMBUD_SMTP__HOST": "127.0.0.1",
        "OMBUD_SMTP__PORT": str(sink.address[1]),
        "OMBUD_SMTP__TLS": "none",
        "OMBUD_INGEST__POLL_SECONDS": "0.2",
    }
    program = await stack.enter_async_context(embedded(tmp_path / "data", None, **environment))
    environment["OMBUD_DATA"] = str(tmp_path / "data")
    return Desk(program, environment, lambda raw: deliver(maildir, raw), sink.letters)


async def five_processes(tmp_path: Path, stack: AsyncExitStack) -> Desk:
    """Ombud as `make cluster` has it, on Kafka and MongoDB, mail over IMAP."""
    program = await stack.enter_async_context(cluster(tmp_path, OMBUD_MAILBOXES__SUPPORT__AUTHSERV_ID=SERVER))
    environment = beside(tmp_path, program)
    outbox = Path(program.ready["outbox"])
    return Desk(program, environment, program.append, lambda: sorted(outbox.glob("*.eml")))


@pytest.fixture(params=[one_process, pytest.param(five_processes, marks=pytest.mark.xdist_group("cluster"))])
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    if request.param is five_processes:
        request.getfixturevalue("local_servers")
    async with AsyncExitStack() as stack:
        yield await request.param(tmp_path, stack)


@pytest.fixture
async def small_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with AsyncExitStack() as stack:
        yield await one_process(tmp_path, stack)


async def assigned_to_bob(desk: Desk) -> EmailMessage:
    """Eve has written, and the ticket is given to Bob: the letter that tells him."""
    await desk.receive("fire", EVE, "It is on fire.\r\nWhat now?")
    await eventually(desk.program.tickets, awaited="the ticket", within=WITHIN)
    bob = (await desk.ombud("user", "add", "--name", "Bob", "--address", BOB)).strip()
    url = f"/v1/tickets/{(await desk.ticket())['id']}/assignee"
    answer = await desk.program.client.put(url, json={"assignee": bob, "team": None})
    assert answer.status_code == 200, answer.text
    return await desk.letter(BOB, 1)


async def test_an_agent_answers_notes_and_closes_from_a_mail_program(desk: Desk) -> None:
    told = await assigned_to_bob(desk)
    assert (told["Auto-Submitted"], told["Subject"]) == (
        "auto-generated",
        "Assigned to you: Question fire [#10001]",
    )
    assert "It is on fire.\nWhat now?" in plain_of(told)

    await desk.answer("water", told, "#status resolved\r\n#reply\r\n\r\nTry water.\r\n\r\nBob")
    sent = await desk.letter(EVE, 2)
    resolved = await desk.has(status="resolved")
    text = plain_of(sent)
    assert text.startswith("Try water.\n\nBob\n")
    assert "#status" not in sent.as_string()
    assert BOB not in sent.as_string()
    assert (sent["Auto-Submitted"], sent["In-Reply-To"]) == (None, "<fire@example.org>")
    assert resolved["first_response_at"] is not None

    await desk.receive("still", EVE, "Still burning.", In_Reply_To=sent["Message-ID"])
    news = await desk.letter(BOB, 2)
    await desk.has(status="open")
    assert "Still burning." in plain_of(news)

    await desk.answer("slip", news, "#close\r\n#reply\r\nNever mind.")
    back = await desk.letter(BOB, 3)
    assert back["In-Reply-To"] == "<slip@example.org>"
    assert "there is no command #close" in plain_of(back)

    await desk.answer("mended", back, "#status closed\r\n#note\r\nShe has water.")
    await desk.has(status="closed")
    trace = await desk.ombud("trace", "mended@example.org")
    assert "commands: #status, #note" in trace
    assert len(desk.letters(EVE)) == 2
    timeline = await desk.program.get(f"/v1/tickets/{resolved['id']}/messages?limit=50")
    said = [(one["direction"], one["kind"]) for one in timeline["data"]]
    assert sorted(said) == [
        ("inbound", "message"),
        ("inbound", "message"),
        ("note", "command_refused"),
        ("note", "message"),
        ("outbound", "message"),
    ]


async def test_nobody_commands_in_an_agents_name(small_desk: Desk) -> None:
    """A mail with a true letter's Message-ID, that our server found to be forged; then a true one."""
    told = await assigned_to_bob(small_desk)
    failed = f"{SERVER}; dmarc=fail header.from=agents.example"
    await small_desk.answer("forged", told, "#status closed", Authentication_Results=failed)
    await small_desk.answer("foreign", told, "#status closed", sender="mallory@evil.example")
    await small_desk.answer("away", told, "#status closed", Auto_Submitted="auto-replied")
    await small_desk.answer("true", told, "#status waiting")
    ticket = await small_desk.has(status="waiting")
    timeline = await small_desk.program.get(f"/v1/tickets/{ticket['id']}/timeline")

    states = [one["status"] for one in timeline["data"] if one["kind"] == "status"]
    assert "closed" not in states
    assert [len(small_desk.letters(one)) for one in (BOB, "mallory@evil.example")] == [1, 0]
    assert "no command: " in await small_desk.ombud("trace", "forged@example.org")


async def test_a_robot_at_an_agents_address_that_answers_each_letter_is_given_back_three_mails(
    small_desk: Desk,
) -> None:
    """It says of itself neither that it is a machine nor anything that is a command."""
    await assigned_to_bob(small_desk)
    answered = 0

    async def loop_is_marked() -> bool:
        nonlocal answered
        for letter in small_desk.letters(BOB)[answered:]:
            answered += 1
            await small_desk.answer(f"robot{answered}", letter, "Thank you for your mail!")
        return bool((await small_desk.ticket())["loop"])

    await eventually(loop_is_marked, awaited="a ticket that is marked", within=WITHIN)
    await small_desk.receive("after", "ada@elsewhere.example", "Hello?")
    await small_desk.letter("ada@elsewhere.example", 1)

    # One that told of the ticket; and the brake's windows stand side by side, so a test may see two of them.
    assert 1 + 3 <= len(small_desk.letters(BOB)) <= 1 + 2 * 3


async def test_a_helpdesk_at_an_agents_address_is_told_and_nothing_comes_back(
    small_desk: Desk, tmp_path: Path
) -> None:
    """What that one would write comes into our mailbox, were there anything."""
    told = await assigned_to_bob(small_desk)
    maildir = make_maildir(tmp_path / "there")
    there = {
        "OMBUD_MAILBOXES__MAIN__ADDRESS": BOB,
        "OMBUD_MAILBOXES__MAIN__MAILDIR": str(maildir),
        "OMBUD_INGEST__POLL_SECONDS": "0.2",
    }
    async with (
        SmtpSink("127.0.0.1", 0, tmp_path / "out-there", {"support@here.example": tmp_path / "mail"}) as sink,
        embedded(
            tmp_path / "data-there",
            None,
            **there,
            OMBUD_SMTP__HOST="127.0.0.1",
            OMBUD_SMTP__PORT=str(sink.address[1]),
            OMBUD_SMTP__TLS="none",
        ) as other,
    ):
        deliver(maildir, told.as_bytes())
        deliver(maildir, mail("person"))
        await eventually(sink.letters, awaited="the answer to a person", within=WITHIN)
        tickets = await other.tickets()
        to = [message_from_bytes(one.read_bytes())["X-Envelope-To"] for one in sink.letters()]

    assert len(tickets) == 2
    assert to == ["person@example.org"]
