"""Row 9: a relay that refuses, hangs up, stalls, or cannot be trusted, in front of the running product.

However it misbehaves, an automatic letter is in its hands at most once and an agent's answer at least once,
always under the same Message-ID; what was refused for good is shown and not tried again; no letter stays
behind. The relay is a real server in the test, whose answers are data; what it says is for each customer.
"""

import ssl
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from services.sandbox.maildrop import deliver, make_maildir
from services.sandbox.smtp_server import SmtpServer
from tests.helpers import eventually, free_port
from tests.servers.smtp import DROP, SILENCE, Received, ScriptedSmtp
from tests.servers.tls import certificate
from tests.story.programs import Program, embedded, mail

pytestmark = pytest.mark.timeout(600)

PATIENCE = 5.0
"""Seconds that a relay is given for an answer; the stall of thirty seconds, made short."""

REFUSED = {"550": "550 5.1.1 no such user", "554": "554 5.6.0 not this content"}
RCPT = {
    "rcpt-421": ["421 4.3.2 shutting down"],
    "rcpt-451": ["451 4.7.1 greylisted", "451 4.7.1 greylisted"],
    "rcpt-550": [REFUSED["550"]] * 9,
    "rcpt-drop": [DROP],
    "rcpt-stall": [SILENCE],
}
DATA = {
    "data-421": ["421 4.3.2 shutting down"],
    "data-451": ["451 4.3.0 disk full"],
    "data-554": [REFUSED["554"]] * 9,
    "data-drop": [DROP, DROP, DROP],
    "data-stall": [SILENCE, SILENCE],
}
PLAIN = [f"plain-{number}" for number in range(20)]
CUSTOMERS = [*RCPT, *DATA, *PLAIN]
NEVER = ["rcpt-550", "data-554"]
UNCERTAIN = ["data-drop", "data-stall"]
"""Whose acknowledgement the relay may have; it must not get another."""


def address(customer: str) -> str:
    return f"{customer}@example.org"


async def test_whatever_the_relay_says_each_letter_ends_as_it_must(tmp_path: Path) -> None:
    script = {"RCPT": by_address(RCPT), "DATA": by_address(DATA)}
    async with ScriptedSmtp(script) as relay, ombud(tmp_path, relay.address) as running:
        for customer in CUSTOMERS:
            deliver(tmp_path / "mail", mail(customer))
        tickets = await acknowledged(running)
        acknowledgements = outcomes(await letters(running))

        assert acknowledgements["failed"] == {address(one) for one in (*NEVER, *UNCERTAIN)}
        assert acknowledgements["sent"] == {address(one) for one in CUSTOMERS} - acknowledgements["failed"]
        await each_is_answered(running, tickets)
        await shown(running)

    at_most_once([one for one in relay.received if b"\r\nAuto-Submitted:" in one.content])
    at_least_once([one for one in relay.received if b"\r\nAuto-Submitted:" not in one.content])


def by_address(answers: dict[str, list[str]]) -> dict[str, list[str]]:
    return {address(customer): said for customer, said in answers.items()}


async def acknowledged(running: Program) -> dict[str, str]:
    """Wait until every acknowledgement has its end; the ticket of each customer."""

    async def ended() -> bool:
        found = outcomes(await letters(running))
        return sum(len(found[state]) for state in ("sent", "failed")) == len(CUSTOMERS)

    await eventually(ended, awaited="an end of every acknowledgement", within=120)
    return {one["customer"]["address"]: one["id"] for one in await running.tickets()}


async def each_is_answered(running: Program, tickets: dict[str, str]) -> None:
    """An agent answers everybody; wait until every letter has its end."""
    for customer in CUSTOMERS:
        path = f"/v1/tickets/{tickets[address(customer)]}/reply"
        assert (await running.client.post(path, json={"text": "Water!"})).status_code == 201

    async def drained() -> bool:
        found = Counter(one["state"] for one in await letters(running))
        return found["sent"] + found["failed"] == 2 * len(CUSTOMERS)

    await eventually(drained, awaited="an end of every letter", within=120)
    replies = outcomes([one for one in await letters(running) if not one["automatic"]])
    assert replies["failed"] == {address(one) for one in NEVER}


async def shown(running: Program) -> None:
    """What was refused for good was tried once and says why; what was postponed was tried again."""
    tries: dict[str, list[list[dict[str, Any]]]] = defaultdict(list)
    for letter in await letters(running):
        tries[letter["to"]["address"]].append(letter["attempts"])
        if letter["state"] == "failed" and letter["to"]["address"] in map(address, NEVER):
            assert letter["reason"].removeprefix("refused: ") in REFUSED.values()
            assert len(letter["attempts"]) == 1
    for customer in ("rcpt-421", "rcpt-drop", "rcpt-stall", "data-421", "data-451"):
        assert sorted(map(len, tries[address(customer)])) == [1, 2], customer
    assert sorted(map(len, tries[address("rcpt-451")])) == [1, 3]
    failed = (await running.get("/v1/letters?state=failed&limit=200"))["data"]
    assert len(failed) == 2 * len(NEVER) + len(UNCERTAIN)
    uncertain = [one for one in failed if one["reason"].startswith("uncertain")]
    assert {one["to"]["address"] for one in uncertain} == {address(one) for one in UNCERTAIN}


def at_most_once(contents: Iterable[Received]) -> None:
    """Of an automatic letter the relay got the content again only after it had refused it."""
    held = Counter(one.recipients[0] for one in contents if one.accepted or one.answer in (DROP, SILENCE))
    assert set(held.values()) == {1}
    assert set(held) == {address(one) for one in CUSTOMERS} - {address(one) for one in NEVER}


def at_least_once(contents: Iterable[Received]) -> None:
    """An answer was taken once, and was the same mail each time."""
    received: dict[str, set[bytes]] = defaultdict(set)
    taken: Counter[str] = Counter()
    for one in contents:
        received[one.recipients[0]].add(one.content)
        taken[one.recipients[0]] += one.accepted
    assert all(len(same) == 1 for same in received.values())
    assert all(message_from_bytes(one.pop())["Message-ID"] for one in received.values())
    assert taken == Counter(address(one) for one in CUSTOMERS if one not in NEVER) + Counter()


def outcomes(found: Iterable[dict[str, Any]]) -> dict[str, set[str]]:
    """The addressees of the letters in each state."""
    by_state: dict[str, set[str]] = defaultdict(set)
    for letter in found:
        by_state[letter["state"]].add(letter["to"]["address"])
    return by_state


async def letters(running: Program) -> list[dict[str, Any]]:
    return list((await running.get("/v1/letters?limit=200"))["data"])


async def test_letters_wait_for_a_relay_that_can_be_trusted_and_then_go_without_a_restart(
    tmp_path: Path,
) -> None:
    trusted, other = certificate(tmp_path / "trusted"), certificate(tmp_path / "other")
    port = free_port()
    trusts = {"SSL_CERT_FILE": str(trusted), "OMBUD_SMTP__TLS": "starttls"}
    async with AsyncExitStack() as stack:
        async with encrypted(port, trusted):
            running = await stack.enter_async_context(ombud(tmp_path, ("localhost", port), **trusts))

        async with encrypted(port, other) as impostor:
            for customer in PLAIN:
                deliver(tmp_path / "mail", mail(customer))
            await eventually(lambda: waiting(running), awaited="the letters wait", within=120)
            said = await eventually(
                lambda: untrusted(running), awaited="readiness names the relay", within=60
            )
            assert "CERTIFICATE_VERIFY_FAILED" in said
            assert impostor.received == []

        async with encrypted(port, trusted) as relay:
            await acknowledged_by(running, len(PLAIN))
            assert Counter(one.recipients[0] for one in relay.received) == {address(one): 1 for one in PLAIN}
            assert (await running.client.get("/readyz")).status_code == 200


async def waiting(running: Program) -> bool:
    found = Counter(one["state"] for one in await letters(running))
    return found == {"queued": len(PLAIN)}


async def untrusted(running: Program) -> str:
    checks = (await running.client.get("/readyz")).json()["checks"]
    return "" if checks["smtp"] == "ok" else str(checks["smtp"])


async def acknowledged_by(running: Program, number: int) -> None:
    async def all_sent() -> bool:
        return Counter(one["state"] for one in await letters(running)) == {"sent": number}

    await eventually(all_sent, awaited="every letter sent", within=120)


class Keeping:
    """Keeps what it takes."""

    def __init__(self) -> None:
        self.received: list[Received] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802  # its name
        answer = "250 OK"
        self.received.append(Received(envelope.mail_from, tuple(envelope.rcpt_tos), envelope.content, answer))
        return answer


@asynccontextmanager
async def encrypted(port: int, identity: Path) -> AsyncIterator[Keeping]:
    """A relay at `localhost` that takes mail over STARTTLS alone, with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(identity)
    keeping = Keeping()
    server = SmtpServer("localhost", port, keeping, tls_context=context, require_starttls=True)
    await server.start()
    try:
        yield keeping
    finally:
        await server.stop()


@asynccontextmanager
async def ombud(data: Path, relay: tuple[str, int], **environment: str) -> AsyncIterator[Program]:
    """`ombud run` on a mailbox in a folder and this relay."""
    make_maildir(data / "mail")
    settings = {
        "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@sandbox.example",
        "OMBUD_MAILBOXES__SUPPORT__MAILDIR": str(data / "mail"),
        "OMBUD_SMTP__HOST": relay[0],
        "OMBUD_SMTP__PORT": str(relay[1]),
        "OMBUD_SMTP__TLS": "none",
        "OMBUD_NOTIFY__ANSWER_SECONDS": str(PATIENCE),
        "OMBUD_NOTIFY__ACCEPT_SECONDS": str(PATIENCE),
        "OMBUD_NOTIFY__RETRY__FIRST_PAUSE": "0.5",
        "OMBUD_NOTIFY__RETRY__LONGEST_PAUSE": "2",
        **environment,
    }
    async with embedded(data, data / "run.log", **settings) as running:
        yield running
