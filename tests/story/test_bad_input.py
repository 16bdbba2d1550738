"""Bad input and worse surroundings, to the whole product in one process: it is told, and hurts nobody."""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from services.sandbox.dovecot import Dovecot
from services.settings import read_settings
from shared.domain.events import MAIL_TOPIC, TICKETS_TOPIC
from shared.ports.bus import Message
from shared.runtime.wiring import open_platform
from tests.conftest import missing
from tests.helpers import eventually, free_port, unique
from tests.servers.mailbox import ImapBox
from tests.story.programs import Program, embedded, mail

pytestmark = pytest.mark.timeout(180)

BARE = {name: value for name, value in os.environ.items() if not name.startswith("OMBUD_")}


async def ombud(data: Path, *arguments: str, stdin: bytes = b"") -> tuple[int, str]:
    """A verb as a second process on the data of a running one: its exit code, and all it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services",
        *arguments,
        env={**BARE, "OMBUD_DATA": str(data)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def deliver(data: Path, raw: bytes) -> None:
    code, said = await ombud(data, "sandbox", "send", "-", stdin=raw)
    assert code == 0, said


async def ticket(running: Program, subject: str) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        return next((one for one in await running.tickets() if one["subject"] == subject), None)

    return dict(await eventually(found, awaited=f"a ticket “{subject}”", within=20))


def addressed(running: Program) -> Counter[str]:
    """How many letters went to whom."""
    return Counter(letter["X-Envelope-To"] for letter in running.letters())


async def readiness(running: Program) -> tuple[int, dict[str, str]]:
    answer = await running.client.get("/readyz")
    return answer.status_code, answer.json()["checks"]


def nested(depth: int) -> bytes:
    parts = (f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth))
    return "".join(parts).encode()


STRANGE = {
    "empty": b"\r\n",
    "without a sender": b"Subject: Question without a sender\r\n\r\nhi\r\n",
    "without an id": b"From: noid@example.org\r\nSubject: Question without an id\r\n\r\nhi\r\n",
    "with zeros": b"From: nul@example.org\r\nSubject: Zeros\r\n\r\na\x00b\r\n",
    "with forged lines": b"From: f@example.org\r\nSubject: =?utf-8?q?Forged=0d=0aBcc=3a_x?=\r\n\r\nx\r\n",
    "with a charset that is none": b"Subject: c\r\nContent-Type: text/plain; charset=\xff\r\n\r\n\xff",
    "with a long id": b"From: i@example.org\r\nMessage-ID: <" + b"x" * 5_000 + b"@y>\r\n\r\nx\r\n",
    "large": b"From: big@example.org\r\nSubject: Large\r\nContent-Type: application/pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 5_000_000 + b"\r\n",
}
UNREADABLE = {
    "of ten thousand fields": b"X-A: b\r\n" * 10_000 + b"\r\nx\r\n",
    "nested three thousand deep": nested(3_000),
}


async def test_strange_mails_become_tickets_unreadable_ones_are_quarantined_and_none_harms_another(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path) as running:
        for raw in (mail("before"), *STRANGE.values(), *UNREADABLE.values(), mail("after")):
            await deliver(tmp_path, raw)
        await ticket(running, "Question after")
        await ticket(running, "Large")

        async def all_read() -> bool:
            opened = {line["ticket_id"] for line in running.lines if line["event"] == "ticket.opened"}
            return len(opened) == 6 + 2 + len(STRANGE)

        await eventually(all_read, within=20)
        quarantined = (await running.get("/v1/quarantine"))["data"]
        subjects = {one["subject"] for one in await running.tickets()}
        code, listed = await ombud(tmp_path, "quarantine", "list", "--json")

        assert {"Question before", "Question without a sender", "Question without an id"} <= subjects
        assert not [subject for subject in subjects if "\r" in subject or "\n" in subject]
        assert len(quarantined) == len(UNREADABLE)
        assert {one["reason"].partition(" ")[0] for one in quarantined} == {"it", "its"}
        assert (code, len(listed.splitlines())) == (0, len(UNREADABLE))
        assert (await readiness(running))[0] == 200


async def test_a_stranger_who_quotes_a_ticket_s_mail_does_not_change_that_ticket(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:
        await deliver(tmp_path, mail("known", text="my secret question"))
        before = await ticket(running, "Question known")
        quoted = {"In_Reply_To": "<known@example.org>", "References": "<known@example.org>"}
        await deliver(tmp_path, mail("x", sender="eve@evil.example", subject="Re: Question known", **quoted))
        other = await ticket(running, "Re: Question known")
        now = await ticket(running, "Question known")

        assert other["id"] != before["id"]
        assert other["customer"]["address"] == "eve@evil.example"
        assert (now["status"], now["customer"]) == (before["status"], before["customer"])


async def test_only_what_a_machine_wrote_is_not_answered_whatever_marks_a_stranger_sets(
    tmp_path: Path,
) -> None:
    async with embedded(tmp_path) as running:
        await deliver(tmp_path, mail("auto", Auto_Submitted="auto-replied"))
        await deliver(tmp_path, mail("marked", X_Ombud_Loop="tkt_1.0123456789abcdef0123456789abcdef"))
        await ticket(running, "Question auto")
        await ticket(running, "Question marked")
        await eventually(lambda: addressed(running)["marked@example.org"], within=20)

        assert addressed(running)["marked@example.org"] == 1
        assert addressed(running)["auto@example.org"] == 0


async def test_an_acknowledgement_that_another_ombud_would_send_is_not_answered(tmp_path: Path) -> None:
    """Two of us facing each other: what ours wrote is read by another with a secret of its own."""
    async with embedded(tmp_path / "one") as first:
        await deliver(tmp_path / "one", mail("start"))
        await eventually(lambda: addressed(first)["start@example.org"], within=20)
        letter = next(one for one in first.letters() if one["X-Envelope-To"] == "start@example.org")
    letter.replace_header("From", "support@other.example")
    async with embedded(tmp_path / "two") as second:
        await deliver(tmp_path / "two", letter.as_bytes())
        await deliver(tmp_path / "two", mail("person"))
        opened = await ticket(second, str(letter["Subject"]))
        await eventually(lambda: addressed(second)["person@example.org"], within=20)

        assert opened["status"] == "new"
        assert addressed(second)["support@other.example"] == 0


async def poison(data: Path) -> None:
    """Events that nobody can read, put on both topics by a process of its own kind."""
    async with AsyncExitStack() as stack:
        wired = await open_platform(read_settings(data=data), stack, "poison")
        await wired.platform.bus.publish(
            [
                Message(TICKETS_TOPIC, "k", b"\xff\x00", {}),
                Message(TICKETS_TOPIC, "k", b"{}", {"ce_type": "ombud.ticket.opened.v1"}),
                Message(TICKETS_TOPIC, "k", b"{}", {"ce_type": "ombud.not.known.v9"}),
                Message(MAIL_TOPIC, "k", b"\xff\x00", {}),
            ]
        )


async def test_poisoned_events_are_set_aside_once_a_group_and_their_neighbours_go_on(tmp_path: Path) -> None:
    async with embedded(tmp_path) as running:
        await poison(tmp_path)
        await deliver(tmp_path, mail("behind"))
        await eventually(lambda: addressed(running)["behind@example.org"], within=20)

        groups = {"api", "escalation", "notify", "triage"}

        async def dead() -> list[dict[str, Any]]:
            """Of the groups that act on new tickets or mail; another service has poison of its own."""
            listed = map(json.loads, (await ombud(tmp_path, "dead", "list", "--json"))[1].splitlines())
            return [one for one in listed if one["group"] in groups | {"intake"}]

        found = await eventually(lambda: all_dead(dead, 2 * len(groups) + 1), within=20)
        of_mail = next(one for one in found if one["topic"] == MAIL_TOPIC)
        code, shown = await ombud(tmp_path, "dead", "show", of_mail["id"])
        replayed = await ombud(tmp_path, "dead", "replay", of_mail["id"])
        again = await eventually(lambda: all_dead(dead, len(found) + 1), within=20)

        assert Counter(one["group"] for one in found) == {**dict.fromkeys(groups, 2), "intake": 1}
        assert all(one["reason"].startswith("unreadable: ") for one in found)
        assert (code, json.loads(shown)["attempts"]) == (0, 1)
        assert replayed == (0, f"replayed {of_mail['id']} to {MAIL_TOPIC}\n")
        assert [one["replays"] for one in again if one["id"] == of_mail["id"]] == [1]
        assert (await readiness(running))[0] == 200


async def all_dead(dead: Any, wanted: int) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = await dead()
    return found if len(found) >= wanted else None


def mailbox(box: ImapBox) -> dict[str, str]:
    """The settings of this mailbox, and no relay."""
    prefix = "OMBUD_MAILBOXES__SALES__"
    return {
        f"{prefix}ADDRESS": box.user,
        f"{prefix}HOST": box.host,
        f"{prefix}PORT": str(box.port),
        f"{prefix}TLS": "none",
        f"{prefix}USERNAME": box.user,
        f"{prefix}PASSWORD": box.password,
        "OMBUD_INGEST__RETRY_LONGEST": "1",
    }


class Serving:
    """`ombud ingest` on embedded data: a process that answers readiness before it is ready."""

    def __init__(self, data: Path, port: int, settings: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._environment = {**BARE, **settings, "OMBUD_DATA": str(data), "OMBUD_HTTP__PORT": str(port)}
        self.log = data / "log"

    async def __aenter__(self) -> "Serving":
        self.log.parent.mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "services", "ingest", env=self._environment, stdout=log, stderr=log
            )
        self._client = httpx2.AsyncClient(base_url=self.url, timeout=5)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()
        self.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(self.process.wait(), 30) == 0

    async def state(self) -> str:
        """What readiness says of the mailbox; empty while nobody answers."""
        try:
            answer = await self._client.get("/readyz")
        except httpx2.TransportError:
            return ""
        return str(answer.json()["checks"]["mailbox sales"])


async def test_a_refused_password_is_told_with_what_to_do_and_mended_without_a_restart(
    tmp_path: Path,
) -> None:
    if not Dovecot.available():
        missing("dovecot", "it is not installed")
    server = Dovecot(tmp_path / "imap", users={})
    box = ImapBox(server, f"{unique('box')}@example.com", "the-right-one")
    server.add_user(box.user, "another-one")
    settings = mailbox(box)
    async with Serving(tmp_path / "data", free_port(), settings) as serving:

        async def says(words: str) -> bool:
            return words in await serving.state()

        await eventually(lambda: says("Connection refused"), within=30)  # no server yet
        await asyncio.to_thread(server.start)
        try:
            await eventually(lambda: says("mend OMBUD_MAILBOXES__SALES__USERNAME or"), within=30)
            assert serving.process.returncode is None
            server.add_user(box.user, box.password)
            await eventually(lambda: says("ok"), within=30)
        finally:
            await asyncio.to_thread(server.stop)

    assert "the-right-one" not in serving.log.read_text()


async def test_verbs_beside_a_running_process_answer_and_do_not_disturb_it(tmp_path: Path) -> None:
    verbs = [
        "doctor",
        "mailbox status",
        "mailbox reconcile support",
        "quarantine list",
        "dead list",
        "letters list",
        "key list",
        "config",
        "prepare",
    ]
    async with embedded(tmp_path) as running:
        await eventually(lambda: len(running.letters()) >= 5, within=20)
        for verb in verbs:
            told = await ombud(tmp_path, *verb.split())
            code, data = await ombud(tmp_path, *verb.split(), "--json")
            assert (told[0], code) == (0, 0), (verb, told, data)
            assert all(isinstance(json.loads(line), dict) for line in data.splitlines()), verb

        assert (await readiness(running))[0] == 200
        assert set(addressed(running).values()) == {1}


async def test_a_killed_process_leaves_no_server_behind_and_its_folder_can_be_moved(tmp_path: Path) -> None:
    async with embedded(tmp_path / "one") as running:
        await eventually(lambda: len(running.letters()) >= 5, within=20)
        smtp, imap = running.ready["smtp"]["port"], running.ready["imap"]
        await running.kill()
        await eventually(lambda: silent(smtp), within=10)
        if imap:
            await eventually(lambda: silent(imap["port"]), within=10)
    shutil.move(tmp_path / "one", tmp_path / "two")
    async with embedded(tmp_path / "two") as again:
        assert len(await again.tickets()) == 6


async def silent(port: int) -> bool:
    """Whether nobody listens there."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return True
    writer.close()
    await writer.wait_closed()
    return False
