"""A mailbox over time: its handled mail is deleted, its folders are several, its server dies, readers change.

Real server, real bus, real store; the service as a process builds it.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.ingest.mailboxes import status
from services.sandbox.dovecot import Dovecot
from shared.adapters.system_clock import SystemClock
from shared.domain.ids import digest
from tests.helpers import eventually
from tests.platforms import embedded
from tests.servers.mailbox import ImapBox, settings_of
from tests.story.test_ingest import QUICK, SUPPORT, Seen, ingesting, letter

pytestmark = pytest.mark.dovecot

OWN = QUICK.model_copy(update={"clear_seconds": 0.1, "poll_seconds": 0.5, "reconcile_grace": 0.5})
FOLDERS = ["INBOX", "Sales"]


@pytest.fixture
def box(tmp_path: Path, dovecot_server: Dovecot) -> Iterator[ImapBox]:
    """A mailbox with two folders on a server of the test's own, to be killed."""
    server = Dovecot(tmp_path / "dovecot", users={})
    server.start()
    made = ImapBox.on(server)
    with made.client() as client:
        client.create_folder("Sales")
    yield made
    server.stop()


def put(box: ImapBox, folder: str, *mails: bytes) -> None:
    with box.client() as client:
        for mail in mails:
            client.append(folder, mail)


def left(box: ImapBox) -> int:
    with box.client() as client:
        return sum(int(client.folder_status(name, ["MESSAGES"])[b"MESSAGES"]) for name in FOLDERS)


async def test_with_deleting_on_and_the_server_killed_each_mail_is_kept_whole_and_taken_in_once(
    tmp_path: Path, box: ImapBox
) -> None:
    sent = {f"{name}{number}": letter(f"{name}{number}") for name in ("a", "b", "c") for number in range(15)}
    series = {name: [raw for key, raw in sent.items() if key[0] == name] for name in "abc"}
    async with embedded(tmp_path / "data", SystemClock()) as ground:
        first, second = (replace(ground.platform, instance=name) for name in ("first", "second"))
        seen = Seen(ground)
        changed: dict[str, Any] = {"folders": FOLDERS, "handled": "delete"}
        put(box, "INBOX", *series["a"])
        put(box, "Sales", *series["b"])
        async with ingesting(second, box, own=OWN, **changed):
            async with ingesting(first, box, own=OWN, **changed):
                await seen.has(5)
                box.server.kill()
                box.server.start()
                put(box, "Sales", *series["c"])
                await seen.has(30)
            await eventually(lambda: left(box) == 0, within=30)
            await seen.has(45)
        messages = await seen.messages()
        raws = {message.subject: await ground.platform.blobs.read(message.raw) for message in messages}
        boxes = {"support": settings_of(box, address=SUPPORT, folders=FOLDERS)}
        found = await status(ground.platform, OWN, boxes)

    assert len(messages) == 45
    assert raws == sent
    assert {digest(raw) for raw in sent.values()} == {message.raw for message in messages}
    assert [(one.folder, one.seen, one.outcomes["ingested"], one.warning) for one in found] == [
        ("", 15, 15, ""),
        ("Sales", 30, 30, ""),
    ]
