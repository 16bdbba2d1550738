"""What a cluster prints is for a program with `--json`, and for a person without."""

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.local.printing import Printer
from deploy.local.supervisor import Restarted

READY: dict[str, Any] = {
    "event": "ready",
    "api": "http://127.0.0.1:8025",
    "key": "ombud_key",
    "outbox": "/data/outbox",
    "imap": {
        "host": "127.0.0.1",
        "port": 1143,
        "user": "support",
        "password": "word",
        "tls": False,
        "folder": "INBOX",
    },
    "smtp": {"host": "127.0.0.1", "port": 1025},
    "address": "support@sandbox.example",
    "kafka": "127.0.0.1:9092",
    "mongo": "mongodb://127.0.0.1:27017",
    "processes": [{"name": "kafka", "pid": 1}, {"name": "api-1", "pid": 2}, {"name": "api-2", "pid": 3}],
}


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_each_line_is_an_object_and_the_first_is_the_ready_line(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(json_lines=True, data=Path("/data"))
    printer.ready(READY)
    printer.restarted(Restarted("triage-1", 17, -9))
    printer.restarted(Restarted("kafka", 17, 1, "the disk is full"))
    printer.stopping()

    assert [json.loads(line) for line in printed(capsys)] == [
        READY,
        {"event": "restarted", "name": "triage-1", "pid": 17, "exit": -9},
        {"event": "restarted", "name": "kafka", "pid": 17, "exit": 1, "fault": "the disk is full"},
    ]


def test_a_person_is_told_how_to_reach_everything(capsys: pytest.CaptureFixture[str]) -> None:
    Printer(json_lines=False, data=Path("/data")).ready(READY)
    shown = "\n".join(printed(capsys))

    for needed in (
        "http://127.0.0.1:8025",
        "ombud_key",
        "/data/outbox",
        "imap://127.0.0.1:1143",
        "password word",
    ):
        assert needed in shown
    for needed in ("127.0.0.1:1025", "127.0.0.1:9092", "/data/logs", "3 processes of 2 kinds"):
        assert needed in shown


def test_the_lines_for_a_person_stand_in_columns_and_fit_a_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Printer(json_lines=False, data=Path("/data")).ready(READY)
    rows = [line for line in printed(capsys) if line.startswith("  ")]

    assert len({len(row) - len(row[2:].partition("  ")[2].lstrip()) for row in rows}) == 1
    assert max(map(len, rows)) <= 100


def test_a_restart_is_told_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(json_lines=False, data=Path("/data"))
    printer.restarted(Restarted("triage-1", 17, -9))
    printer.restarted(Restarted("kafka", 17, 1, "the disk is full"))
    printer.stopping()

    assert printed(capsys) == [
        "triage-1 ended (-9) and runs again as 17",
        "kafka ended (1) and does not start: the disk is full",
        "stopping …",
    ]
