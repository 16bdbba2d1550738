"""`ombud quarantine` on a mail that could not be read: shown, edited, tried again, let through."""

import asyncio
import json
import stat
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from services.settings import read_settings
from shared.domain.ledger import LedgerEntry, Outcome, entry_id
from shared.runtime.wiring import open_platform
from tests.unit.cli.conftest import Answer, Ombud

RAW = b"From: ada@example.org\r\nSubject: Help\r\n\r\nHello\r\n"
BETTER = b"From: ada@example.org\r\nSubject: Better\r\n\r\nHello\r\n"
ENTRY = entry_id("support", 7, 1)


@pytest.fixture
def set_aside(ombud: Ombud, monkeypatch: pytest.MonkeyPatch) -> str:
    """A quarantined mail on the data folder; its id."""

    async def put() -> None:
        async with AsyncExitStack() as stack:
            wired = await open_platform(read_settings(), stack, "test")
            await wired.prepare()
            platform, now = wired.platform, datetime(2026, 9, 1, tzinfo=UTC)
            digest = await platform.blobs.put(RAW)
            await platform.stores.ledger.add(
                LedgerEntry(
                    id=ENTRY, mailbox="support", uidvalidity=7, uid=1, digest=digest, fingerprint=digest,
                    outcome=Outcome.QUARANTINED, reason="too odd", fetched_at=now, at=now,
                )
            )  # fmt: skip

    asyncio.run(put())
    return ENTRY


def shown(ombud: Ombud) -> dict[str, object]:
    found: dict[str, object] = json.loads(ombud("quarantine", "show", ENTRY).out)
    return found


def editor(tmp_path: Path, script: str) -> str:
    """A program that stands for a person at an editor."""
    file = tmp_path / "editor"
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def refused(done: Answer, says: str) -> None:
    assert (done.code, done.out) == (1, "")
    assert says in done.err


def test_a_mail_is_edited_in_the_editor_and_the_original_is_kept(
    ombud: Ombud, set_aside: str, tmp_path: Path
) -> None:
    script = editor(tmp_path, 'sed -i s/Help/Better/ "$2"')
    done = ombud("quarantine", "edit", set_aside, EDITOR=f"{script} --wait", VISUAL="")
    original = ombud("quarantine", "show", set_aside, "--raw")
    edited = ombud("quarantine", "show", set_aside, "--raw", "--edited")

    assert (done.code, "ombud quarantine retry" in done.out) == (0, True)
    assert "Subject: Help" in original.out
    assert "Subject: Better" in edited.out
    assert shown(ombud)["reason"] == "too odd"


def test_a_mail_is_edited_from_a_file_or_standard_input(ombud: Ombud, set_aside: str, tmp_path: Path) -> None:
    file = tmp_path / "better.eml"
    file.write_bytes(BETTER)
    first = json.loads(ombud("quarantine", "edit", set_aside, "--file", str(file), "--json").out)
    second = json.loads(ombud("quarantine", "edit", set_aside, "--file", "-", "--json", stdin=RAW).out)

    assert first["edited"] not in ("", first["digest"])
    assert second["edited"] == ""


def test_without_an_editor_or_when_it_fails_nothing_is_changed(
    ombud: Ombud, set_aside: str, tmp_path: Path
) -> None:
    script = editor(tmp_path, 'echo >> "$1"; exit 3')
    refused(ombud("quarantine", "edit", set_aside, EDITOR="", VISUAL=""), "set EDITOR")
    refused(ombud("quarantine", "edit", set_aside, EDITOR=script, VISUAL=""), "the editor ended with 3")
    refused(ombud("quarantine", "edit", set_aside, EDITOR="/no/editor", VISUAL=""), "cannot start the editor")

    assert shown(ombud)["edited"] == ""


def test_a_mail_is_tried_again_or_let_through(ombud: Ombud, set_aside: str) -> None:
    again = ombud("quarantine", "retry", set_aside)
    through = json.loads(ombud("quarantine", "release", set_aside, "--json").out)

    assert again.out == f"{set_aside} is on its way again\n"
    assert through == {"event": "released", "id": set_aside}
