"""A mail's content: how it goes over the wire, and that its end alone lets the relay have it (RFC 5321)."""

import asyncio
from email import message_from_bytes
from pathlib import Path

import pytest

from services.notify.ports import Answer, Mail, Verdict
from services.notify.smtp_content import as_lines
from services.sandbox.smtp_sink import SmtpSink
from tests.helpers import eventually
from tests.servers.smtp import ScriptedSmtp
from tests.unit.notify.samples import QUICK, mailer_to
from tests.unit.notify.smtp_relays import ByLine, Gate, mail

DOTS = b"Subject: dots\r\n\r\n.\r\n..\r\n.one\r\ntwo.\r\n...three\r\n.\r\n"

WAYS = [
    (b"a\r\nb\r\n", b"a\r\nb\r\n"),
    (b"a\nb", b"a\r\nb\r\n"),
    (b"a\rb\r\n", b"a\r\nb\r\n"),
    (b"a\r\n\r\r\n", b"a\r\n\r\n\r\n"),
    (b".", b"..\r\n"),
    (b"a\n.\nb", b"a\r\n..\r\nb\r\n"),
    (b"a\r.\rb", b"a\r\n..\r\nb\r\n"),
    (b"..\r\n.a\r\n", b"...\r\n..a\r\n"),
    (b"a.\r\n b\r\n", b"a.\r\n b\r\n"),
    (b"", b"\r\n"),
    ("Grüße\r\n".encode(), "Grüße\r\n".encode()),
]


@pytest.mark.parametrize(("content", "wire"), WAYS)
def test_lines_end_in_crlf_and_a_leading_dot_is_doubled(content: bytes, wire: bytes) -> None:
    assert as_lines(content) == wire


@pytest.mark.parametrize("content", [content for content, _ in WAYS])
def test_no_content_can_end_itself_early(content: bytes) -> None:
    assert b"\r\n.\r\n" not in b"\r\n" + as_lines(content)


@pytest.mark.parametrize(
    "content",
    [DOTS, b"Subject: no end\r\n\r\nlast line", b"Subject: x\r\n\r\n.", "S: ü\r\n\r\nß\r\n".encode()],
)
async def test_a_content_arrives_as_it_was(content: bytes) -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        one = Mail("support@example.org", "ada@customer.example", content)
        assert (await mailer.send(one, Gate())).verdict is Verdict.TAKEN
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN

        ended = content if content.endswith(b"\r\n") else content + b"\r\n"
        assert relay.received[0].content == ended
        assert relay.connections == 1


async def test_the_sink_stores_a_mail_full_of_dots_as_it_was(smtp_sink: SmtpSink) -> None:
    async with mailer_to(smtp_sink.address) as mailer:
        await mailer.send(Mail("support@example.org", "ada@customer.example", DOTS), Gate())

    (stored,) = smtp_sink.letters()
    assert message_from_bytes(stored.read_bytes())["Subject"] == "dots"
    assert stored.read_bytes().endswith(DOTS)


async def test_the_relay_has_all_but_the_end_before_the_gate_is_asked_and_the_end_after_it() -> None:
    async with ByLine() as relay, mailer_to(relay.address) as mailer:

        async def gate() -> bool:
            await eventually(lambda: b"".join(relay.lines) == as_lines(DOTS))
            return relay.taken == 0

        answer = await mailer.send(Mail("support@example.org", "ada@customer.example", DOTS), gate)

        assert answer == Answer(Verdict.TAKEN, 250, "OK")
        assert relay.taken == 1


async def test_a_large_content_has_left_before_the_gate_is_asked() -> None:
    content = b"Subject: large\r\n\r\n" + (b"a line of some length" * 45 + b"\r\n") * 24_000
    patient = QUICK.model_copy(update={"answer_seconds": 30.0, "accept_seconds": 30.0})
    async with ByLine() as relay, mailer_to(relay.address, patient) as mailer:
        missing: list[int] = []

        async def gate() -> bool:
            missing.append(len(content) - sum(map(len, relay.lines)))
            return True

        answer = await mailer.send(Mail("support@example.org", "ada@customer.example", content), gate)

        assert answer.verdict is Verdict.TAKEN
        assert b"".join(relay.lines) == content
        assert missing[0] < len(content) // 2  # what is missing lies in the sockets' buffers


async def test_a_gate_that_stays_shut_hangs_up_without_the_end() -> None:
    async with ByLine() as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail(), Gate(opens=False))

        assert answer.verdict is Verdict.WITHHELD
        await asyncio.wait_for(relay.lost.wait(), 10)
        assert relay.taken == 0


async def test_a_sender_that_dies_in_the_gate_has_sent_nothing() -> None:
    async with ByLine() as relay, mailer_to(relay.address) as mailer:
        asked = asyncio.Event()

        async def never() -> bool:
            asked.set()
            return await asyncio.Event().wait()

        sending = asyncio.create_task(mailer.send(mail(), never))
        await asyncio.wait_for(asked.wait(), 10)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        await asyncio.wait_for(relay.lost.wait(), 10)
        assert relay.taken == 0


async def test_a_relay_that_hangs_up_before_the_end_did_not_take_the_mail() -> None:
    async with ByLine(after=2) as relay, mailer_to(relay.address) as mailer:
        asked = 0

        async def gate() -> bool:
            nonlocal asked
            asked += 1
            return await asyncio.wait_for(relay.lost.wait(), 10)

        answer = await mailer.send(mail(), gate)

        assert answer == Answer(Verdict.LATER, text="the relay hung up before the end of the content")
        assert (asked, relay.taken) == (1, 0)


@pytest.mark.parametrize(
    ("said", "verdict", "code"),
    [
        (b"451 4.3.0 not now", Verdict.LATER, 451),
        (b"550 5.7.1 not this", Verdict.NEVER, 550),
        (b"421 4.3.2 shutting down", Verdict.LATER, 421),
        (b"250 what is this", Verdict.LATER, 250),
    ],
)
async def test_a_relay_that_refuses_data_gets_nothing_of_the_content(
    said: bytes, verdict: Verdict, code: int
) -> None:
    async with ByLine(data=said) as relay, mailer_to(relay.address) as mailer:
        gate = Gate()
        answer = await mailer.send(mail(), gate)

        assert (answer.verdict, answer.code) == (verdict, code)
        assert (gate.asked, relay.lines) == (0, [])


async def test_a_mail_larger_than_the_relay_allows_fails_for_good(tmp_path: Path) -> None:
    async with (
        SmtpSink("127.0.0.1", 0, tmp_path / "outbox", size_limit=1000) as sink,
        mailer_to(sink.address) as mailer,
    ):
        content = b"Subject: large\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y\r\n" * 5000
        answer = await mailer.send(Mail("support@example.org", "ada@customer.example", content), Gate())

        assert (answer.verdict, answer.code) == (Verdict.NEVER, 552)
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
