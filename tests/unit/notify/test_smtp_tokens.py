"""Logging in to the relay with tokens: right, refused, renewed, and not to be had."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from services.notify.ports import Verdict
from shared.domain.errors import Unavailable
from shared.runtime.settings import OAuthSettings, SmtpSettings
from tests.servers.tokens import TokenServer
from tests.unit.notify.samples import mailer_to
from tests.unit.notify.smtp_relays import Gate, mail

USER = "support@example.org"
WHY = b'{"status":"401","schemes":"Bearer"}'


class TokenRelay:
    """A relay that lets in whoever has one of the server's valid tokens; `said` is what it was told."""

    def __init__(self, tokens: TokenServer) -> None:
        self.tokens = tokens
        self.said: list[bytes] = []
        self.address = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> "TokenRelay":
        self._server = await asyncio.start_server(self._serve, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await asyncio.gather(*self._talks)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk is not None
        self._talks.add(talk)
        try:
            await self._talk(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 tokens\r\n")
        logged_in = False
        while line := (await reader.readline()).strip():
            verb = line.split()[0].upper()
            if verb == b"EHLO":
                answer = b"250-tokens\r\n250 AUTH XOAUTH2 OAUTHBEARER"
            elif verb == b"AUTH":
                self.said.append(base64.b64decode(line.split()[2]))
                logged_in = any(f"Bearer {one}\1".encode() in self.said[-1] for one in self.tokens.valid)
                if not logged_in:
                    writer.write(b"334 " + base64.b64encode(WHY) + b"\r\n")
                    self.said.append((await reader.readline()).strip())
                answer = b"235 2.7.0 welcome" if logged_in else b"535 5.7.8 no"
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                break
            elif verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                answer = b"250 taken"
            else:
                answer = b"250 OK" if logged_in else b"530 5.7.0 log in first"
            writer.write(answer + b"\r\n")


@pytest.fixture
def tokens() -> Iterator[TokenServer]:
    with TokenServer(USER) as server:
        yield server


def login(tokens: TokenServer, mechanism: str = "XOAUTH2", **changed: Any) -> dict[str, Any]:
    fields = {
        "token_url": tokens.token_url,
        "client_id": tokens.client_id,
        "client_secret": tokens.client_secret,
        "mechanism": mechanism,
        **changed,
    }
    return {"username": USER, "password": "never said", "oauth": OAuthSettings.model_validate(fields)}


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
async def test_letters_go_after_a_login_with_a_token_that_is_asked_for_once(
    tokens: TokenServer, mechanism: str
) -> None:
    async with TokenRelay(tokens) as relay:
        for _ in range(2):
            async with mailer_to(relay.address, **login(tokens, mechanism)) as mailer:
                assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN
                assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN

        port = relay.address[1]
        expected = {
            "XOAUTH2": f"user={USER}\1auth=Bearer token-1\1\1",
            "OAUTHBEARER": f"n,a={USER},\1host=127.0.0.1\1port={port}\1auth=Bearer token-1\1\1",
        }[mechanism]
        assert relay.said[0] == expected.encode()
        assert len(relay.said) == len(tokens.asked) == 2
        assert not any(b"never said" in one for one in relay.said)


@pytest.mark.parametrize(("mechanism", "ending"), [("XOAUTH2", b""), ("OAUTHBEARER", b"AQ==")])
async def test_a_refused_token_blames_no_letter_and_the_next_login_has_a_new_one(
    tokens: TokenServer, mechanism: str, ending: bytes
) -> None:
    async with TokenRelay(tokens) as relay, mailer_to(relay.address, **login(tokens, mechanism)) as mailer:
        tokens.answer_next(200, {"access_token": "stale", "expires_in": 3600})
        with pytest.raises(Unavailable, match=r"535 5\.7\.8 no .*401") as refused:
            await mailer.send(mail(), Gate())

        assert "stale" not in str(refused.value)
        assert relay.said[1] == ending
        assert (await mailer.send(mail(), Gate())).verdict is Verdict.TAKEN


async def test_without_a_token_letters_wait_and_the_reason_says_what_to_mend(tokens: TokenServer) -> None:
    async with TokenRelay(tokens) as relay:
        asked = login(tokens, client_secret="wrong")
        async with mailer_to(relay.address, **asked) as mailer:
            with pytest.raises(Unavailable, match="OMBUD_SMTP__OAUTH__CLIENT_ID"):
                await mailer.send(mail(), Gate())
        assert relay.said == []


def test_tokens_without_an_account_are_refused_at_start() -> None:
    with pytest.raises(ValidationError, match="username has to be set"):
        SmtpSettings(oauth=OAuthSettings(token_url="https://login.example/token", client_id="ombud"))
