"""An answer to a letter of ours finds its ticket by whatever of the letter it gives back.

The letters are those that the relay really took: acknowledgements, as notify wrote and sent them.
"""

import email
from collections.abc import AsyncIterator
from email.message import Message
from pathlib import Path

import pytest

from services.ingest.handlers import Intake
from services.ingest.settings import IngestSettings
from services.sandbox.smtp_sink import SmtpSink
from shared.adapters.system_clock import SystemClock
from tests.helpers import eventually
from tests.platforms import Ground, embedded
from tests.story.test_notify import notify_on, sent
from tests.unit.ingest.mails import fetched, mail, record

STRANGER_S = {"From": "colleague@elsewhere.example", "Subject": "As discussed", "To": "support@example.org"}


@pytest.fixture
async def ground(tmp_path: Path) -> AsyncIterator[Ground]:
    async with embedded(tmp_path, SystemClock()) as ground:
        yield ground


def answers_to(letter: Message) -> dict[str, bytes]:
    """Answers that keep one thing of the letter each, of somebody whom nobody has heard of."""
    plain, html = (
        part.get_payload(decode=True) for part in letter.get_payload() if isinstance(part, Message)
    )
    assert isinstance(plain, bytes)
    assert isinstance(html, bytes)
    quoted = b"".join(b"> " + line + b"\r\n" for line in plain.splitlines())
    rewritten = b"<p>Thanks!</p><blockquote>" + html.partition(b"<body>")[2] + b"</blockquote>"
    return {
        "its Message-ID": _mail("a", In_Reply_To=letter["Message-ID"]),
        "its reply address": _mail("b", To=letter["Reply-To"]),
        "its quoted text": _mail("c", quoted),
        "its quoted HTML": _mail("d", rewritten, Content_Type="text/html; charset=utf-8"),
    }


def _mail(name: str, body: bytes = b"Thanks!\r\n", **headers: str) -> bytes:
    fields = {**STRANGER_S, **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{head}Message-ID: <{name}@elsewhere.example>\r\n\r\n".encode() + body


async def test_an_answer_that_gives_back_one_thing_of_a_sent_letter_finds_the_ticket(
    ground: Ground, smtp_sink: SmtpSink
) -> None:
    intake = Intake(ground.platform, IngestSettings(stale_days=10_000), ["support@example.org"])
    async with notify_on(ground, smtp_sink.address[1]):
        await intake.handle(record(fetched(mail(), 1, "main")))
        await eventually(lambda: sent(ground, 1), within=30)
    letter = email.message_from_bytes(smtp_sink.letters()[0].read_bytes())
    stores = ground.platform.stores
    known = (await stores.thread_ids.find({}, limit=50)).items
    for one in known:  # so that nothing but what is signed can lead there
        await stores.thread_ids.collection.delete(one.id)
    (ticket,) = (await stores.tickets.find({})).items

    for uid, (what, raw) in enumerate(answers_to(letter).items(), start=2):
        arrived = fetched(raw, uid, "main")
        await intake.handle(record(arrived))
        entry = await stores.ledger.get(arrived.entry)
        assert entry.ticket_id == ticket.id, what
    assert len((await stores.tickets.find({})).items) == 1
