"""Logging in to a real IMAP server with tokens from a real endpoint."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import ValidationError

from services.ingest.mailboxes import open_mailbox, tokens_of
from services.ingest.ports import Mailbox, MailboxFailed
from services.ingest.settings import IngestSettings
from services.sandbox.dovecot import Dovecot
from shared.domain.errors import Unavailable
from shared.runtime.service import Platform
from shared.runtime.settings import MailboxSettings
from tests.helpers import eventually
from tests.servers.mailbox import ImapBox, settings_of
from tests.servers.tokens import TokenServer
from tests.unit.ingest.collecting import QUICK, collecting, read_up_to
from tests.unit.ingest.mails import SUPPORT, mail

pytestmark = pytest.mark.dovecot
SETTINGS = IngestSettings(connect_seconds=5, answer_seconds=10)


@pytest.fixture
def endpoint() -> Iterator[TokenServer]:
    with TokenServer() as made:
        yield made


@pytest.fixture
def box(tmp_path: Path, dovecot_server: Dovecot, endpoint: TokenServer) -> Iterator[ImapBox]:
    """A mailbox on a server that asks the endpoint about tokens."""
    server = Dovecot(tmp_path / "dovecot", users={}, introspection=endpoint.introspection_url)
    server.start()
    made = ImapBox.on(server)
    endpoint.user = made.user
    yield made
    server.stop()


def with_tokens(box: ImapBox, endpoint: TokenServer, **changed: object) -> MailboxSettings:
    oauth = {
        "token_url": endpoint.token_url,
        "client_id": endpoint.client_id,
        "client_secret": endpoint.client_secret,
        **changed,
    }
    return settings_of(box, password="", oauth=oauth)


def opened(settings: MailboxSettings) -> Mailbox:
    mailbox = open_mailbox("support", settings, SETTINGS)
    mailbox.open()
    return mailbox


def failing(settings: MailboxSettings) -> MailboxFailed:
    mailbox = open_mailbox("support", settings, SETTINGS)
    with pytest.raises(MailboxFailed) as failed:
        mailbox.open()
    mailbox.close()
    return failed.value


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
@pytest.mark.parametrize("refresh_token", ["", "refresh-0"], ids=["client_credentials", "refresh_token"])
def test_a_mailbox_is_read_with_a_token_by_either_mechanism_and_grant(
    box: ImapBox, endpoint: TokenServer, mechanism: str, refresh_token: str
) -> None:
    box.deliver(mail())
    mailbox = opened(with_tokens(box, endpoint, mechanism=mechanism, refresh_token=refresh_token))
    (found,) = mailbox.fetch([one.uid for one in mailbox.new_uids(0, 10)])
    mailbox.close()

    assert b"The printer is on fire" in found.raw
    assert endpoint.asked[0]["grant_type"] == ("refresh_token" if refresh_token else "client_credentials")


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_the_server_refuses_is_told_and_the_next_login_asks_for_a_new_one(
    box: ImapBox, endpoint: TokenServer, mechanism: str
) -> None:
    settings = with_tokens(box, endpoint, mechanism=mechanism)
    tokens = tokens_of("support", settings)
    assert tokens is not None
    tokens.token()
    endpoint.revoke_all()
    mailbox = open_mailbox("support", settings, SETTINGS, tokens=tokens)
    with pytest.raises(MailboxFailed, match="refused the token of OMBUD_MAILBOXES__SUPPORT__OAUTH") as failed:
        mailbox.open()
    mailbox.close()
    again = open_mailbox("support", settings, SETTINGS, tokens=tokens)
    again.open()
    again.close()

    assert failed.value.why == "token"
    assert "token-1" not in str(failed.value)
    assert len(endpoint.asked) == 2


def test_a_refusal_of_the_endpoint_is_told_by_the_mailbox_with_what_to_do(
    box: ImapBox, endpoint: TokenServer
) -> None:
    failed = failing(with_tokens(box, endpoint, refresh_token="an old one"))

    assert failed.why == "token"
    assert "consent anew" in str(failed)
    assert "an old one" not in str(failed)


def test_a_token_is_renewed_while_the_connection_holds(box: ImapBox, endpoint: TokenServer) -> None:
    endpoint.lifetime = 0.01
    mailbox = opened(with_tokens(box, endpoint))
    mailbox.new_uids(0, 10)
    mailbox.close()

    assert len(endpoint.asked) == 2


def test_mail_is_read_on_while_the_endpoint_is_ill(box: ImapBox, endpoint: TokenServer) -> None:
    endpoint.lifetime = 0.01
    mailbox = opened(with_tokens(box, endpoint))
    endpoint.answer_next(503, b"")
    box.deliver(mail())

    assert len(mailbox.new_uids(0, 10)) == 1
    mailbox.close()


async def test_readiness_says_what_to_do_about_a_refused_grant_until_it_is_put_right(
    platform: Platform, box: ImapBox, endpoint: TokenServer, tmp_path: Path
) -> None:
    kept = tmp_path / "refresh-token"
    kept.write_text("revoked")
    box.deliver(mail())
    connect = partial(
        open_mailbox, "support", with_tokens(box, endpoint, refresh_token_file=str(kept)), QUICK
    )

    async def named() -> bool:
        with pytest.raises(Unavailable, match="the refresh token has expired, or was revoked or replaced"):
            await collector.ping()
        return True

    async with collecting(platform, Path("unused"), QUICK, connect) as collector:
        await eventually(named)
        kept.write_text("refresh-0")
        await read_up_to(platform, 1)
        await collector.ping()


@pytest.mark.parametrize(
    ("oauth", "says"),
    [
        ({"token_url": "http://example.com/token", "client_id": "c"}, "has to begin with https://"),
        ({"token_url": "file:///etc/passwd", "client_id": "c"}, "has to begin with https://"),
        ({"token_url": "https://example.com/token"}, "client_id has to be set too"),
    ],
)
def test_settings_that_would_give_secrets_away_or_get_no_token_are_refused(
    oauth: dict[str, str], says: str
) -> None:
    with pytest.raises(ValidationError, match=says):
        MailboxSettings.model_validate({"address": SUPPORT, "host": "imap.example.com", "oauth": oauth})
