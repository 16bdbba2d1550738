"""What strangers write into subjects, names and ids, the whole way: mail, ticket, letter, relay.

The relay sees our header names alone, each once, and only the recipients we meant (reliability.md, row 22).
CPython 3.11.7 lets an encoded line end in an encoded word begin a header (CVE-2024-6923); that this holds
there too is why the standard library builds none of our headers.
"""

import email
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.ingest.handlers import Intake
from services.ingest.settings import IngestSettings
from services.sandbox.smtp_sink import SmtpSink
from shared.adapters.system_clock import SystemClock
from shared.domain.ticket import Ticket
from tests.helpers import eventually
from tests.platforms import Ground, embedded
from tests.story.test_notify import an_agent_answers, notify_on, sent
from tests.unit.ingest.mails import fetched, record

OUR_NAMES = {
    "X-Envelope-From",
    "X-Envelope-To",
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Reply-To",
    "Auto-Submitted",
    "X-Auto-Response-Suppress",
    "X-Ombud-Loop",
    "MIME-Version",
    "Content-Type",
}

NASTY = [
    "=?utf-8?q?Hi=0D=0ABcc=3A_victim=40example.net?=",
    "=?utf-8?q?Hi=0ABcc:_victim=40example.net?=",
    "=?utf-8?b?SGkNCkJjYzogdmljdGltQGV4YW1wbGUubmV0DQoNCmJvZHk=?=",
    "=?utf-8?q?=3D=3FUTF-8=3FQ=3F=0A=3F=3DBcc:_victim=40example.net?=",
    "Hi =?UTF-8?Q?=0A?=Bcc: victim@example.net",
    "=?utf-8?q?nul=00_escape=1B[2J_bell=07?=",
    "=?utf-8?q?line=E2=80=A8separator=C2=85next?=",
    "=?utf-8?q?=E2=80=AEgnp=2Erettel?=",
    "x" * 2000,
    "word " * 400,
    "=?utf-8?b?" + "8J+UpQ==" * 200 + "?=",
    "\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode("latin-1").decode("utf-8", "surrogateescape") * 100,
]
PLACES = ("subject", "name", "message_id", "references")


def nasty_mail(number: int, place: str, nasty: str) -> bytes:
    """A mail with something nasty in one place."""
    bare = nasty.replace(" ", "").replace("<", "").replace(">", "")
    fields = {
        "From": f"{nasty if place == 'name' else 'Ada'} <ada{number}@customer.example>",
        "To": "support@example.org",
        "Subject": nasty if place == "subject" else "Hello",
        "Message-ID": f"<{bare}@x{number}>" if place == "message_id" else f"<m{number}@customer.example>",
        "References": f"<{bare}@y{number}>" if place == "references" else f"<r{number}@customer.example>",
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}\r\nBcc: victim@example.net\r\n".encode("utf-8", "surrogateescape")


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, SystemClock()) as ground:
        yield ground


async def taken_in(ground: Ground, raws: list[bytes]) -> list[Ticket]:
    """The tickets that intake makes of these mails."""
    intake = Intake(ground.platform, IngestSettings(stale_days=10_000), ["support@example.org"])
    for uid, raw in enumerate(raws, start=1):
        await intake.handle(record(fetched(raw, uid, "main")))
    return (await ground.platform.stores.tickets.find({}, limit=500)).items


@pytest.mark.parametrize("place", PLACES)
async def test_nothing_that_came_in_becomes_a_header_or_a_recipient_of_a_letter(
    ground: Ground, smtp_sink: SmtpSink, place: str
) -> None:
    raws = [nasty_mail(number, place, nasty) for number, nasty in enumerate(NASTY)]
    async with notify_on(ground, smtp_sink.address[1]):
        tickets = await taken_in(ground, raws)
        for ticket in tickets:
            await an_agent_answers(ground, ticket)
        await eventually(lambda: sent(ground, 2 * len(NASTY)), within=60)

    letters = [path.read_bytes() for path in smtp_sink.letters()]
    recipients = []
    for letter in letters:
        names = names_in(letter)
        assert names == email.message_from_bytes(letter).keys()
        assert set(names) <= OUR_NAMES
        assert len(set(names)) == len(names)
        assert max(len(line) for line in letter.split(b"\r\n")) <= 998
        recipients.append(email.message_from_bytes(letter)["X-Envelope-To"])
    assert sorted(recipients) == sorted([f"ada{number}@customer.example" for number in range(len(NASTY))] * 2)


def names_in(letter: bytes) -> list[str]:
    """The names of its header fields, read off its lines."""
    head = letter.partition(b"\r\n\r\n")[0]
    assert b"\0" not in letter
    assert head.count(b"\n") == head.count(b"\r\n")
    lines = [line for line in head.decode("ascii").split("\r\n") if line[:1] not in (" ", "\t")]
    return [line.partition(":")[0] for line in lines]
