"""The mailer against real SMTP servers that refuse, drop, stall and go away (RFC 5321)."""

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from services.notify.ports import Answer, Mail, Verdict
from services.notify.settings import NotifySettings
from services.notify.smtp_mailer import SmtpMailer
from shared.domain.errors import Unavailable
from tests.helpers import eventually, free_port
from tests.servers.smtp import DROP, SILENCE, Answers, ScriptedSmtp
from tests.unit.notify.samples import QUICK, mailer_to, relay_at

CONTENT = b"Subject: hello\r\n\r\n.a dot\r\nFrom the start\r\n"


def mail(recipient: str = "ada@customer.example", **changed: Any) -> Mail:
    return Mail("support@example.org", recipient, CONTENT, **changed)


class Gate:
    """Counts how often it was asked."""

    def __init__(self, *, opens: bool = True) -> None:
        self.opens = opens
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.opens


async def test_a_mail_arrives_byte_for_byte_with_its_envelope() -> None:
    async with (
        ScriptedSmtp({"DATA": ["250 2.0.0 queued as 4711"]}) as relay,
        mailer_to(relay.address) as mailer,
    ):
        gate = Gate()
        answer = await mailer.send(mail(), gate)

        assert answer == Answer(Verdict.TAKEN, 250, "2.0.0 queued as 4711")
        assert gate.asked == 1
        (taken,) = relay.received
        assert (taken.sender, taken.recipients) == ("support@example.org", ("ada@customer.example",))
        assert taken.content == CONTENT


REFUSALS: list[tuple[Answers, Verdict, int | None, int]] = [
    ({"MAIL": ["451 4.3.0 not now"]}, Verdict.LATER, 451, 0),
    ({"MAIL": ["550 5.7.1 not you"]}, Verdict.NEVER, 550, 0),
    ({"MAIL": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 0),
    ({"MAIL": [DROP]}, Verdict.LATER, None, 0),
    ({"RCPT": ["451 4.7.1 greylisted"]}, Verdict.LATER, 451, 0),
    ({"RCPT": ["550 5.1.1 no such user"]}, Verdict.NEVER, 550, 0),
    ({"RCPT": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 0),
    ({"RCPT": [DROP]}, Verdict.LATER, None, 0),
    ({"RCPT": [SILENCE]}, Verdict.LATER, None, 0),
    ({"DATA": ["451 4.3.0 disk full"]}, Verdict.LATER, 451, 1),
    ({"DATA": ["554 5.6.0 no"]}, Verdict.NEVER, 554, 1),
    ({"DATA": ["421 4.3.2 shutting down"]}, Verdict.LATER, 421, 1),
    ({"DATA": [DROP]}, Verdict.UNCERTAIN, None, 1),
    ({"DATA": [SILENCE]}, Verdict.UNCERTAIN, None, 1),
    ({"DATA": ["299 what is this"]}, Verdict.UNCERTAIN, 299, 1),
]


@pytest.mark.parametrize(("answers", "verdict", "code", "asked"), REFUSALS)
async def test_what_the_relay_says_decides_what_became_of_the_mail(
    answers: Answers, verdict: Verdict, code: int | None, asked: int
) -> None:
    gate = Gate()
    async with ScriptedSmtp(answers) as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail(), gate)

        assert (answer.verdict, answer.code) == (verdict, code)
        assert answer.text
        assert gate.asked == asked
        assert len(relay.received) == asked


@pytest.mark.parametrize("answers", [answers for answers, *_ in REFUSALS])
async def test_after_any_refusal_the_next_mail_goes_through(answers: Answers) -> None:
    async with ScriptedSmtp(answers) as relay, mailer_to(relay.address) as mailer:
        await mailer.send(mail("first@customer.example"), Gate())
        answer = await mailer.send(mail("second@customer.example"), Gate())

        assert answer.verdict is Verdict.TAKEN
        (taken,) = relay.accepted
        assert taken.recipients == ("second@customer.example",)


async def test_nothing_of_the_content_goes_out_when_the_gate_stays_shut() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail("first@customer.example"), Gate(opens=False))
        assert answer.verdict is Verdict.WITHHELD
        assert relay.received == []

        await mailer.send(mail("second@customer.example"), Gate())
        assert [taken.recipients for taken in relay.received] == [("second@customer.example",)]
        assert relay.connections == 1


async def test_what_the_gate_raises_is_passed_on_and_the_connection_is_not_used_again() -> None:
    async def broken() -> bool:
        raise ZeroDivisionError

    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        with pytest.raises(ZeroDivisionError):
            await mailer.send(mail(), broken)
        assert relay.received == []

        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
        assert relay.connections == 2


async def test_mails_one_after_the_other_share_a_connection() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        for _ in range(20):
            await mailer.send(mail(), Gate())

        assert (len(relay.accepted), relay.connections) == (20, 1)


async def test_mails_side_by_side_take_no_more_connections_than_allowed() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answers = await asyncio.gather(*(mailer.send(mail(), Gate()) for _ in range(40)))

        assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
        assert len(relay.accepted) == 40
        assert 2 <= relay.connections <= QUICK.connections


async def test_a_worn_or_old_connection_is_replaced() -> None:
    worn = QUICK.model_copy(update={"connection_mails": 3})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, worn) as mailer:
        for _ in range(7):
            await mailer.send(mail(), Gate())
        assert (len(relay.accepted), relay.connections) == (7, 3)

    old = QUICK.model_copy(update={"connection_seconds": 1e-6})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, old) as mailer:
        for _ in range(3):
            await mailer.send(mail(), Gate())
        assert relay.connections == 3


async def test_an_idle_connection_that_answers_is_used_again() -> None:
    asking = QUICK.model_copy(update={"idle_seconds": 1e-9})
    async with ScriptedSmtp() as relay, mailer_to(relay.address, asking) as mailer:
        for _ in range(3):
            await mailer.send(mail(), Gate())

        assert (len(relay.accepted), relay.connections) == (3, 1)


async def test_a_connection_that_the_relay_gave_up_while_idle_costs_no_mail_its_try() -> None:
    async with AsyncRestart() as relay, mailer_to(relay.address) as mailer:
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
        await relay.restart()

        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN


async def test_a_kept_connection_that_dies_at_its_first_command_is_replaced_at_once() -> None:
    for dying in ("421 4.4.2 idle for too long", DROP):
        async with ScriptedSmtp({"MAIL": ["250 OK", dying]}) as relay, mailer_to(relay.address) as mailer:
            gate = Gate()
            assert (await mailer.send(mail(), gate)).verdict is Verdict.TAKEN
            assert (await mailer.send(mail(), gate)).verdict is Verdict.TAKEN
            assert (relay.connections, gate.asked) == (2, 2)


class AsyncRestart:
    """A relay that can be started again on the same port."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", free_port())
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.BaseTransport] = []

    async def __aenter__(self) -> "AsyncRestart":
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    async def restart(self) -> None:
        self._stop()
        await self._start()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop), *self.address)

    def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self._open:
            transport.close()
        self._open.clear()

    async def handle_EHLO(self, server: Any, session: Any, _envelope: Any, hostname: str) -> str:  # noqa: N802
        self._open.append(server.transport)
        session.host_name = hostname
        return "250 HELP"


async def test_a_relay_that_wants_no_more_connections_gets_its_mails_over_those_it_has() -> None:
    async with Crowded(most=2) as relay, mailer_to(relay.address) as mailer:
        answers = await asyncio.gather(*(mailer.send(mail(), Gate()) for _ in range(20)))

        assert {answer.verdict for answer in answers} == {Verdict.TAKEN}
        assert relay.taken == 20
        assert relay.turned_away > 0


class Crowded:
    """A relay that greets everybody beyond `most` with 421."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self.turned_away = 0
        self.address = ("127.0.0.1", 0)
        self._inside = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Crowded":
        self._server = await asyncio.start_server(self._serve, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside += 1
        try:
            if self._inside > self.most:
                self.turned_away += 1
                writer.write(b"421 4.7.0 too many connections\r\n")
            else:
                writer.write(b"220 crowded\r\n")
                await self._talk(reader, writer)
        finally:
            self._inside -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return


@pytest.mark.parametrize("code", [454, 530, 535])
async def test_a_relay_that_wants_a_login_is_unavailable_and_blames_no_mail(code: int) -> None:
    async with (
        ScriptedSmtp({"MAIL": [f"{code} 5.7.0 log in first"]}) as relay,
        mailer_to(relay.address) as mailer,
    ):
        with pytest.raises(Unavailable, match=str(code)):
            await mailer.send(mail(), Gate())


async def test_a_relay_that_is_away_is_unavailable_and_comes_back_without_a_restart() -> None:
    address = ("127.0.0.1", free_port())
    async with mailer_to(address) as mailer:
        with pytest.raises(Unavailable):
            await mailer.send(mail(), Gate())
        with pytest.raises(Unavailable):
            await mailer.ping()

        relay = AsyncRestart()
        relay.address = address
        async with relay:
            await mailer.ping()
            assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN


async def test_without_a_relay_in_the_settings_it_says_which_one_is_missing() -> None:
    async with mailer_to(("", 25)) as mailer:
        with pytest.raises(Unavailable, match="OMBUD_SMTP__HOST"):
            await mailer.ping()


async def test_a_relay_that_never_greets_is_given_up_in_time() -> None:
    hung_up = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        await writer.wait_closed()
        hung_up.set()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with server:
        short = QUICK.model_copy(update={"connect_seconds": 0.1})
        async with mailer_to(server.sockets[0].getsockname()[:2], short) as mailer:
            with pytest.raises(Unavailable):
                await mailer.send(mail(), Gate())
        await hung_up.wait()


async def test_a_ping_does_not_wait_for_ever_for_a_busy_relay() -> None:
    one = QUICK.model_copy(update={"connections": 1, "connect_seconds": 0.1, "accept_seconds": 30.0})
    async with ScriptedSmtp({"DATA": [SILENCE]}) as relay, mailer_to(relay.address, one) as mailer:
        sending = asyncio.create_task(mailer.send(mail(), Gate()))
        await eventually(lambda: relay.received)
        with pytest.raises(Unavailable, match="busy"):
            await mailer.ping()
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def test_a_send_that_is_cancelled_leaves_no_connection_half_used() -> None:
    async with ScriptedSmtp({"RCPT": [SILENCE]}) as relay, mailer_to(relay.address) as mailer:
        sending = asyncio.create_task(mailer.send(mail("first@customer.example"), Gate()))
        await eventually(lambda: relay.connections)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        assert (await mailer.send(mail("second@customer.example"), Gate())).verdict is Verdict.TAKEN
        assert [taken.recipients for taken in relay.received] == [("second@customer.example",)]


async def test_an_address_that_is_not_ascii_goes_by_smtputf8() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address) as mailer:
        answer = await mailer.send(mail("zoë@xn--bcher-kva.example", utf8=True), Gate())

        assert answer.verdict is Verdict.TAKEN
        assert relay.accepted[0].recipients == ("zoë@xn--bcher-kva.example",)


async def test_without_smtputf8_only_the_letter_that_needs_it_fails() -> None:
    async with Crowded(most=9) as relay, mailer_to(relay.address) as mailer:
        gate = Gate()
        refused = await mailer.send(mail("zoë@example.org", utf8=True), gate)
        taken = await mailer.send(mail(), gate)

        assert (refused.verdict, taken.verdict) == (Verdict.NEVER, Verdict.TAKEN)
        assert "SMTPUTF8" in refused.text
        assert gate.asked == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost and its key, in one file."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    both = folder / "both.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")),
        ],
        check=True,
        capture_output=True,
    )
    both.write_text((folder / "key.pem").read_text() + (folder / "cert.pem").read_text())
    return both


class Keeper:
    """Keeps what it takes, and lets in one user."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.contents.append(envelope.content)
        return "250 OK"

    def authenticate(
        self, _server: Any, _session: Any, _envelope: Any, mechanism: str, data: Any
    ) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"ombud", b"right")
        return AuthResult(success=right, handled=mechanism not in ("PLAIN", "LOGIN") or right)


@asynccontextmanager
async def tls_relay(
    keeper: Keeper, certificate: Path, *, implicit: bool, login: bool = False
) -> AsyncIterator[tuple[str, int]]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"authenticator": keeper.authenticate, "auth_require_tls": not implicit}
    if not implicit:
        options |= {"tls_context": context, "require_starttls": True, "auth_required": login}
    server = await loop.create_server(
        lambda: SMTP(keeper, loop=loop, **options), "localhost", 0, ssl=context if implicit else None
    )
    async with server:
        yield ("localhost", server.sockets[0].getsockname()[1])


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_mail_goes_encrypted_and_after_a_login(tls: str, certificate: Path) -> None:
    keeper = Keeper()
    async with tls_relay(keeper, certificate, implicit=tls == "implicit", login=True) as address:
        relay = relay_at(address, tls=tls, username="ombud", password="right")
        mailer = SmtpMailer(relay, QUICK, "client.example.org", trusting(certificate))
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
        await mailer.close()

    assert keeper.contents == [CONTENT]


async def test_a_wrong_password_is_unavailable_and_told() -> None:
    keeper = Keeper()
    loop = asyncio.get_running_loop()
    options: dict[str, Any] = {"authenticator": keeper.authenticate, "auth_require_tls": False}
    server = await loop.create_server(lambda: SMTP(keeper, loop=loop, **options), "127.0.0.1", 0)
    async with server:
        address = server.sockets[0].getsockname()[:2]
        async with mailer_to(address, username="ombud", password="wrong") as mailer:
            with pytest.raises(Unavailable, match="535"):
                await mailer.ping()


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_relay_whose_certificate_nobody_vouches_for_gets_no_mail(tls: str, certificate: Path) -> None:
    keeper = Keeper()
    async with (
        tls_relay(keeper, certificate, implicit=tls == "implicit") as address,
        mailer_to(address, tls=tls) as mailer,
    ):
        with pytest.raises(Unavailable):
            await mailer.send(mail(), Gate())

    assert keeper.contents == []


async def test_a_relay_without_starttls_gets_no_mail_when_starttls_is_asked_for() -> None:
    async with ScriptedSmtp() as relay, mailer_to(relay.address, tls="starttls") as mailer:
        with pytest.raises(Unavailable, match="STARTTLS"):
            await mailer.send(mail(), Gate())
        assert relay.received == []


def test_the_defaults_give_the_relay_the_ten_minutes_that_rfc_5321_asks_for() -> None:
    assert NotifySettings().accept_seconds == 600
