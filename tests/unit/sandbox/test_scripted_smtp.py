"""The scripted SMTP server says what it was told to say: the tests of our delivery stand on it."""

import asyncio
import ssl
from pathlib import Path

import aiosmtplib
import pytest

from services.sandbox.process import answers
from services.sandbox.smtp_server import SmtpServer
from tests.helpers import eventually
from tests.servers.smtp import DROP, SILENCE, ScriptedSmtp
from tests.servers.tls import certificate

RAW = b"Subject: hello\r\n\r\nGood morning\r\n"
TO = ["marta@example.org"]


async def send(server: ScriptedSmtp, recipients: list[str] = TO, patience: float = 5.0) -> dict[str, object]:
    """Send the mail; the recipients that were refused while others were not."""
    host, port = server.address
    async with aiosmtplib.SMTP(hostname=host, port=port, timeout=patience, start_tls=False) as client:
        refused, _ = await client.sendmail("support@example.com", recipients, RAW)
        return dict(refused)


async def test_without_a_script_everything_is_accepted_and_kept() -> None:
    async with ScriptedSmtp() as server:
        await send(server)

        (mail,) = server.accepted
        assert (mail.sender, mail.recipients, mail.content) == ("support@example.com", tuple(TO), RAW)


async def test_a_verb_gives_its_answers_in_order_and_then_accepts() -> None:
    async with ScriptedSmtp({"DATA": ["451 4.3.0 later", "554 5.7.1 never"]}) as server:
        for code in (451, 554):
            with pytest.raises(aiosmtplib.SMTPDataError) as refused:
                await send(server)

            assert refused.value.code == code
        await send(server)

        assert [mail.accepted for mail in server.received] == [False, False, True]


async def test_one_recipient_of_three_can_be_refused() -> None:
    async with ScriptedSmtp({"RCPT": {"b@example.org": ["550 5.1.1 unknown"]}}) as server:
        refused = await send(server, ["a@example.org", "b@example.org", "c@example.org"])

        assert set(refused) == {"b@example.org"}
        assert server.accepted[0].recipients == ("a@example.org", "c@example.org")


async def test_a_sender_can_be_refused_before_any_recipient() -> None:
    async with ScriptedSmtp({"MAIL": ["421 4.7.0 too many connections"]}) as server:
        with pytest.raises(aiosmtplib.SMTPResponseException) as refused:
            await send(server)

        assert refused.value.code == 421
        assert server.received == []


async def test_the_connection_can_be_dropped_after_the_data_and_before_the_answer() -> None:
    """The worst moment: the server has the mail and the sender cannot know."""
    async with ScriptedSmtp({"DATA": [DROP]}) as server:
        with pytest.raises(aiosmtplib.SMTPServerDisconnected):
            await send(server)
        await send(server)

        assert [mail.answer for mail in server.received] == [DROP, "250 OK"]
        assert server.connections == 2


async def test_silence_lasts_until_the_sender_gives_up() -> None:
    async with ScriptedSmtp({"DATA": [SILENCE]}) as server:
        with pytest.raises(aiosmtplib.SMTPTimeoutError):
            await send(server, patience=0.3)

        assert [mail.answer for mail in server.received] == [SILENCE]


async def test_when_the_test_ends_nobody_listens() -> None:
    async with ScriptedSmtp() as server:
        port = server.address[1]

    assert not answers(port)


async def test_a_content_may_be_answered_by_its_recipient() -> None:
    async with ScriptedSmtp({"DATA": {"marta@example.org": ["451 4.3.0 later"]}}) as server:
        await send(server, ["ada@example.org"])
        with pytest.raises(aiosmtplib.SMTPDataError):
            await send(server)
        await send(server)

        assert [mail.accepted for mail in server.received] == [True, False, True]


async def test_a_server_that_stops_hangs_up_on_a_client_that_encrypts(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    server = SmtpServer("localhost", 0, object(), tls_context=context)
    await server.start()
    host, port = server.address
    client = aiosmtplib.SMTP(hostname=host, port=port, start_tls=True, validate_certs=False, timeout=10)
    await client.connect()
    await asyncio.wait_for(server.stop(), 20)

    await eventually(lambda: not client.is_connected)
    assert server.connections == 1
