"""The scripted IMAP server is a mailbox to a client and fails as told: tests of reading stand on it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from tests.servers.imap import DROP, SILENCE, Cut, Gone, ScriptedImap, Split

MAILS = [b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\nsecond\r\n"]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedImap]:
    async with ScriptedImap() as made:
        made.append(*MAILS)
        yield made


async def using(server: ScriptedImap, work: Callable[[Any], Any], patience: float = 5.0) -> Any:
    """What `work` makes of a client that is logged in and has selected the folder."""

    def in_a_thread() -> Any:
        client = IMAPClient(server.host, server.port, ssl=False, timeout=patience)
        try:
            client.login(server.user, server.password)
            client.select_folder("INBOX", readonly=True)
            return work(client)
        finally:
            client.shutdown()

    return await asyncio.to_thread(in_a_thread)


def bodies(client: Any) -> list[bytes]:
    given = client.fetch(client.search(["UID", "1:*"]), ["BODY.PEEK[]", "INTERNALDATE"])
    return [given[uid][b"BODY[]"] for uid in sorted(given)]


def idled(client: Any) -> list[object]:
    """What is said in IDLE, told by the time that it ends."""
    client.idle()
    _, said = client.idle_done()
    return list(said)


async def test_without_a_script_it_lists_its_mails_with_their_sizes_and_gives_them_whole(
    server: ScriptedImap,
) -> None:
    def sizes(client: Any) -> list[int]:
        return [one[b"RFC822.SIZE"] for one in client.fetch([1, 2], ["RFC822.SIZE"]).values()]

    assert await using(server, bodies) == MAILS
    assert await using(server, sizes) == [len(raw) for raw in MAILS]
    assert await using(server, lambda client: client.search(["UID", "9:*"])) == [2]
    assert (server.connections, server.seen["FETCH"], server.seen["SIZE"]) == (3, 1, 1)


async def test_a_mail_that_comes_is_told_in_idle(server: ScriptedImap) -> None:
    loop = asyncio.get_running_loop()

    def wait(client: Any) -> Any:
        client.idle()
        loop.call_soon_threadsafe(server.append, b"third")
        return client.idle_check(timeout=5)

    assert await using(server, wait) == [(3, b"EXISTS")]


async def test_refusals_are_said_in_order_and_then_it_answers_properly(server: ScriptedImap) -> None:
    server.script("LOGIN", "NO [AUTHENTICATIONFAILED] wrong", "BAD what")
    for _ in range(2):
        with pytest.raises(LoginError):
            await using(server, bodies)

    assert await using(server, bodies) == MAILS
    assert server.unsaid == 0


@pytest.mark.parametrize("answer", [DROP, Cut(30), Cut(90), "* BYE see you"])
async def test_a_connection_that_ends_in_an_answer_is_an_error_to_the_client(
    server: ScriptedImap, answer: str | Cut
) -> None:
    server.script("FETCH", answer)
    with pytest.raises(IMAPClientAbortError):
        await using(server, bodies)


async def test_silence_lasts_until_the_client_gives_up(server: ScriptedImap) -> None:
    server.script("FETCH", SILENCE)
    with pytest.raises(TimeoutError):
        await using(server, bodies, patience=0.2)


async def test_an_answer_in_two_segments_is_the_same_answer(server: ScriptedImap) -> None:
    server.script("FETCH", Split(10), Split(60))
    server.script("IDLING", Split(7))

    assert [await using(server, bodies) for _ in range(2)] == [MAILS, MAILS]
    assert await using(server, idled) == [(b"OK", b"Still here")]


async def test_a_mail_can_be_deleted_between_search_and_fetch(server: ScriptedImap) -> None:
    server.script("FETCH", Gone())
    assert await using(server, bodies) == []
    server.append(*MAILS)
    server.script("FETCH", Gone("NO [EXPUNGEISSUED] gone"))
    with pytest.raises(IMAPClientError):
        await using(server, bodies)
    assert server.mails == {}


async def test_under_another_uidvalidity_the_same_mails_have_other_uids(server: ScriptedImap) -> None:
    server.renumber(2**33, first_uid=2**40)

    assert await using(server, lambda client: client.search(["UID", "1:*"])) == [2**40, 2**40 + 1]
    assert await using(server, bodies) == MAILS
