"""What the sink has answered with 250 is on the disk, in the right place, with the very bytes."""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path

import aiosmtplib
import pytest

from services.sandbox.process import Process, answers
from services.sandbox.smtp_sink import SmtpSink, without_tag
from shared.domain.errors import Refused
from tests.helpers import eventually, free_port

SENDER = "support@example.com"
RAW = b"From: support@example.com\r\nSubject: Re: hello\r\n\r\nGood morning\r\n.dot\r\n"


@contextlib.asynccontextmanager
async def client_of(address: tuple[str, int]) -> AsyncIterator[aiosmtplib.SMTP]:
    host, port = address
    async with aiosmtplib.SMTP(hostname=host, port=port, timeout=5, start_tls=False) as client:
        yield client


@pytest.fixture
async def sink(tmp_path: Path) -> AsyncIterator[SmtpSink]:
    local = {"Support@example.com": tmp_path / "support"}
    async with SmtpSink("127.0.0.1", 0, tmp_path / "outbox", local, size_limit=10_000) as sink:
        yield sink


def delivered(tmp_path: Path) -> list[bytes]:
    return [file.read_bytes() for file in (tmp_path / "support" / "new").iterdir()]


async def test_the_file_is_there_when_the_answer_arrives(sink: SmtpSink) -> None:
    async with client_of(sink.address) as client:
        await client.sendmail(SENDER, ["marta@example.org"], RAW)

        assert len(sink.letters()) == 1


async def test_a_letter_opens_with_its_envelope_and_goes_on_with_the_bytes_received(sink: SmtpSink) -> None:
    async with client_of(sink.address) as client:
        await client.sendmail(SENDER, ["marta@example.org", "t@example.org"], RAW)

    (letter,) = sink.letters()
    opening = (
        b"X-Envelope-From: support@example.com\r\n"
        b"X-Envelope-To: marta@example.org\r\n"
        b"X-Envelope-To: t@example.org\r\n"
    )
    assert letter.read_bytes() == opening + RAW


async def test_the_name_of_a_letter_is_its_time_and_its_digest(sink: SmtpSink) -> None:
    async with client_of(sink.address) as client:
        await client.sendmail(SENDER, ["marta@example.org"], RAW)

    assert re.fullmatch(r"\d{8}T\d{6}\.\d{6}Z-\d{6}-[0-9a-f]{12}\.eml", sink.letters()[0].name)


async def test_an_empty_sender_is_seen_as_such(sink: SmtpSink, tmp_path: Path) -> None:
    """Automatic letters are sent from <> (RFC 3834): tests look for exactly that."""
    async with client_of(sink.address) as client:
        await client.sendmail("", ["marta@example.org", SENDER], RAW)

    assert message_from_bytes(sink.letters()[0].read_bytes())["X-Envelope-From"] == "<>"
    assert message_from_bytes(delivered(tmp_path)[0])["Return-Path"] == "<>"


async def test_mail_to_the_support_address_comes_into_its_maildir_and_does_not_leave(
    sink: SmtpSink, tmp_path: Path
) -> None:
    async with client_of(sink.address) as client:
        await client.sendmail("marta@example.org", ["SUPPORT+T-7.x1@Example.COM"], RAW)

    opening = b"Return-Path: <marta@example.org>\r\nDelivered-To: SUPPORT+T-7.x1@Example.COM\r\n"
    assert delivered(tmp_path) == [opening + RAW]
    assert sink.letters() == []


async def test_a_mail_to_both_is_delivered_and_sent(sink: SmtpSink, tmp_path: Path) -> None:
    async with client_of(sink.address) as client:
        await client.sendmail("t@example.org", ["support@example.com", "marta@example.org"], RAW)

    assert len(delivered(tmp_path)) == 1
    assert sink.letters()[0].read_bytes().count(b"X-Envelope-To") == 1


async def test_eight_bit_text_and_addresses_in_utf_8_are_taken_as_they_are(sink: SmtpSink) -> None:
    raw = "Subject: Grüße\r\n\r\nschöne\r\n".encode() + b"\xff\r\n"
    async with client_of(sink.address) as client:
        options = ["SMTPUTF8", "BODY=8BITMIME"]
        await client.sendmail(SENDER, ["jürgen@example.org"], raw, mail_options=options)

    content = sink.letters()[0].read_bytes()
    assert "X-Envelope-To: jürgen@example.org\r\n".encode() in content
    assert content.endswith(raw)


async def test_a_mail_above_the_limit_is_refused_for_good_and_not_kept(sink: SmtpSink) -> None:
    async with client_of(sink.address) as client:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await client.sendmail(SENDER, ["m@example.org"], RAW + b"line\r\n" * 2000)

    assert refused.value.code == 552
    assert sink.letters() == []


async def test_a_mail_that_cannot_be_stored_is_refused_for_now(tmp_path: Path) -> None:
    outbox = tmp_path / "outbox"
    async with SmtpSink("127.0.0.1", 0, outbox) as sink, client_of(sink.address) as client:
        outbox.rmdir()
        outbox.write_text("a file where the folder was")
        with pytest.raises(aiosmtplib.SMTPDataError) as refused:
            await client.sendmail(SENDER, ["m@example.org"], RAW)
        outbox.unlink()
        await client.sendmail(SENDER, ["m@example.org"], RAW)

        assert refused.value.code == 451
        assert len(sink.letters()) == 1


async def test_letters_sent_side_by_side_are_all_kept(sink: SmtpSink) -> None:
    async def send(number: int) -> None:
        async with client_of(sink.address) as client:
            await client.sendmail(SENDER, [f"m{number}@example.org"], RAW)

    await asyncio.gather(*(send(number) for number in range(20)))

    assert len(sink.letters()) == 20


async def test_a_stopped_sink_hangs_up_and_listens_no_more(tmp_path: Path) -> None:
    sink = SmtpSink("127.0.0.1", 0, tmp_path)
    await sink.start()
    reader, writer = await asyncio.open_connection(*sink.address)

    assert (await reader.readline()).startswith(b"220")

    await sink.stop()
    await sink.stop()

    assert await reader.read() == b""
    assert not answers(sink.address[1])
    writer.close()
    await writer.wait_closed()


async def test_a_port_that_is_taken_is_said_so(sink: SmtpSink, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"cannot listen on 127\.0\.0\.1"):
        await SmtpSink(*sink.address, tmp_path / "second").start()


async def test_as_a_process_it_stores_mails_and_ends_cleanly_on_sigterm(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "services.sandbox.smtp_sink", "--port", str(port)]
    command += ["--outbox", str(tmp_path / "outbox"), "--local", f"{SENDER}={tmp_path / 'support'}"]
    process = Process("sink", command, tmp_path / "log")
    process.start()
    try:
        await eventually(lambda: answers(port), awaited="the sink to listen")
        async with client_of(("127.0.0.1", port)) as client:
            await client.sendmail("m@example.org", [SENDER], RAW)
            await client.sendmail(SENDER, ["m@example.org"], RAW)

        assert len(delivered(tmp_path)) == 1
        assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1
        assert "example.org" not in (tmp_path / "log").read_text()
    finally:
        status = process.stop()
    assert status == 0, (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("address", "mailbox"),
    [
        ("support@example.com", "support@example.com"),
        ("Support+T-7@Example.com", "support@example.com"),
        ("support+a+b@example.com", "support@example.com"),
        ("+x@example.com", "@example.com"),
        ("no-host", "@no-host"),
    ],
)
def test_a_tag_is_no_part_of_the_mailbox(address: str, mailbox: str) -> None:
    assert without_tag(address) == mailbox
