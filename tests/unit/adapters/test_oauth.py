"""Access tokens from a real endpoint: both grants, renewal in time, refusals with what to do."""

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import metrics
from shared.adapters.oauth import Bearer, Grant, TokenFault, TokenSource
from tests.helpers import eventually_sync, free_port, unique
from tests.servers.tokens import TokenServer


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with TokenServer() as made:
        yield made


def source(server: TokenServer, account: str = "mailbox support", **changed: object) -> TokenSource:
    known = {
        "variable": "OMBUD_MAILBOXES__SUPPORT__OAUTH",
        "token_url": server.token_url,
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        "scope": "mail offline",
    }
    return TokenSource(account, Grant(**(known | changed)))  # type: ignore[arg-type]  # fields of a dataclass


def fault_of(tokens: TokenSource) -> TokenFault:
    with pytest.raises(TokenFault) as raised:
        tokens.token()
    return raised.value


def failures(account: str, reason: str) -> float:
    return metrics.OAUTH_FAILURES.labels(account, reason)._value.get()  # type: ignore[no-any-return]


def test_a_client_asks_with_its_own_credentials_and_keeps_the_token(server: TokenServer) -> None:
    tokens = source(server)

    assert tokens.token() == tokens.token() == "token-1"
    assert server.asked == [
        {
            "client_id": server.client_id,
            "client_secret": server.client_secret,
            "scope": "mail offline",
            "grant_type": "client_credentials",
        }
    ]


def test_a_refresh_token_is_used_where_there_is_one(server: TokenServer) -> None:
    source(server, refresh_token="refresh-0", scope="").token()

    (form,) = server.asked
    assert (form["grant_type"], form["refresh_token"], "scope" in form) == (
        "refresh_token",
        "refresh-0",
        False,
    )


def test_a_refresh_token_that_is_replaced_is_used_from_then_on(server: TokenServer) -> None:
    server.rotates = True
    tokens = source(server, refresh_token="refresh-0")
    for number in range(3):
        token = tokens.token()
        assert token == f"token-{number + 1}"
        tokens.discard(token)

    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1", "refresh-2"]


def test_a_replaced_refresh_token_is_kept_in_its_file_for_the_next_process(
    server: TokenServer, tmp_path: Path
) -> None:
    server.rotates = True
    file = tmp_path / "refresh-token"
    first = source(server, refresh_token="refresh-0", refresh_token_file=file)
    first.token()
    source(server, refresh_token="refresh-0", refresh_token_file=file).token()
    file.write_text("refresh-by-hand\n")
    server.refresh_token = "refresh-by-hand"
    first.discard("token-1")
    first.token()

    assert [form["refresh_token"] for form in server.asked] == ["refresh-0", "refresh-1", "refresh-by-hand"]
    assert file.read_text() == "refresh-3\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_token_is_renewed_when_half_its_life_is_over_and_told_in_a_metric(server: TokenServer) -> None:
    server.lifetime = 2.0
    account = unique("mailbox")
    tokens = source(server, account)
    assert tokens.token() == "token-1"
    ends = metrics.OAUTH_TOKEN_EXPIRES.labels(account)._value.get()
    eventually_sync(lambda: tokens.token() != "token-1")

    assert metrics.OAUTH_TOKEN_EXPIRES.labels(account)._value.get() > ends


def test_while_a_token_works_a_refusal_is_counted_and_the_token_given(server: TokenServer) -> None:
    server.lifetime = 600
    account = unique("mailbox")
    tokens = source(server, account)
    tokens.token()
    tokens._renew_at = 0.0
    server.answer_next(400, {"error": "invalid_grant"})

    tokens.keep_fresh()
    assert failures(account, "invalid_grant") == 1
    assert tokens.token() == "token-1"
    assert len(server.asked) == 2, "the endpoint is not asked again at once"


def test_an_ended_token_is_not_given_when_there_is_no_other(server: TokenServer) -> None:
    server.lifetime = 0.05
    tokens = source(server)
    tokens.token()
    server.lifetime = 3600
    for _ in range(200):
        server.answer_next(503, b"busy")

    def ended() -> bool:
        try:
            tokens.token()
        except TokenFault as fault:
            return fault.error == "connection"
        tokens._renew_at = 0.0
        return False

    eventually_sync(ended)
    tokens.keep_fresh()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            "invalid_grant",
            "consent anew and put the new one into OMBUD_MAILBOXES__SUPPORT__OAUTH__REFRESH_TOKEN",
        ),
        ("invalid_client", "mend OMBUD_MAILBOXES__SUPPORT__OAUTH__CLIENT_ID and CLIENT_SECRET"),
        ("invalid_scope", "mend OMBUD_MAILBOXES__SUPPORT__OAUTH__SCOPE"),
        ("unauthorized_client", "allow it where the client is registered"),
        ("something_else", "mend OMBUD_MAILBOXES__SUPPORT__OAUTH__*"),
    ],
)
def test_a_refusal_says_what_to_do_and_never_a_secret(server: TokenServer, error: str, says: str) -> None:
    server.answer_next(400, {"error": error, "error_description": f"refresh-0 and {server.client_secret}"})
    fault = fault_of(source(server, refresh_token="refresh-0"))

    assert fault.error == error
    assert says in str(fault)
    assert "refresh-0" not in str(fault)
    assert server.client_secret not in str(fault)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, {"error": "server_error"}),
        (200, {}),
        (200, b"<html>"),
        (302, b""),
        (200, b"[1]"),
        (200, {"access_token": 7}),
    ],
)
def test_an_endpoint_that_gives_no_token_is_told_as_it_answered(
    server: TokenServer, status: int, body: object
) -> None:
    server.answer_next(status, body)
    fault = fault_of(source(server))

    assert fault.error == "connection"
    assert f"{server.token_url} answered {status}" in str(fault)


def test_an_endpoint_that_is_not_there_is_told_with_its_address(server: TokenServer) -> None:
    url = f"http://127.0.0.1:{free_port()}/token"
    fault = fault_of(source(server, token_url=url))

    assert fault.error == "connection"
    assert url in str(fault)


def test_a_file_without_a_refresh_token_is_told(server: TokenServer, tmp_path: Path) -> None:
    fault = fault_of(source(server, refresh_token_file=tmp_path / "none"))

    assert fault.error == "file"
    assert "OMBUD_MAILBOXES__SUPPORT__OAUTH__REFRESH_TOKEN" in str(fault)


def test_a_token_whose_end_is_not_told_is_kept_for_a_while(server: TokenServer) -> None:
    server.lifetime = None
    tokens = source(server)

    assert [tokens.token(), tokens.token()] == ["token-1", "token-1"]


def test_of_many_threads_that_need_a_token_one_asks(server: TokenServer) -> None:
    tokens = source(server)
    got: list[str] = []
    threads = [threading.Thread(target=lambda: got.append(tokens.token())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got == ["token-1"] * 8


def test_the_responses_of_both_mechanisms_are_as_their_documents_say() -> None:
    old = Bearer("XOAUTH2", "a@example.com", "t0k", "imap.example.com", 993)
    new = Bearer("OAUTHBEARER", "a=b,c@example.com", "t0k", "imap.example.com", 993)

    assert old(b"") == b"user=a@example.com\1auth=Bearer t0k\1\1"
    assert new(b"") == b"n,a=a=3Db=2Cc@example.com,\1host=imap.example.com\1port=993\1auth=Bearer t0k\1\1"
    assert (old(b'{"status":"400"}'), old.said) == (b"", '{"status":"400"}')
    assert (new(b'{"status":"invalid_token"}'), new.said) == (b"\1", '{"status":"invalid_token"}')
