"""TLS and logins of the mailer: nothing in the clear, nothing to a relay nobody vouches for."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from services.notify.ports import Verdict
from services.notify.smtp_mailer import SmtpMailer
from shared.domain.errors import Unavailable
from tests.servers.smtp import ScriptedSmtp
from tests.servers.tls import certificate
from tests.unit.notify.samples import QUICK, mailer_to, relay_at
from tests.unit.notify.smtp_relays import CONTENT, Gate, mail


@pytest.fixture(scope="module", name="certificate")
def a_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("tls"))


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
