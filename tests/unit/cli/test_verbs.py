"""The verbs on an empty data folder: what they print and how they end."""

import json
import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from shared.domain.loop_mark import HEADER, loop_mark
from tests.unit.cli.conftest import Answer, Ombud

MAIL = b"From: ada@example.org\r\nSubject: Help\r\nMessage-ID: <one@example.org>\r\n\r\nHello\r\n"


def one_line(done: Answer) -> str:
    """What a verb that could not do its work said, which must be one line, and no traceback."""
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("ombud: ")
    assert done.err.count("\n") == 1
    return done.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("quarantine", "show", "mail_x"),
        ("quarantine", "retry", "mail_x"),
        ("dead", "show", "ombud.mail.v1.dead:0:99"),
        ("dead", "replay", "ombud.mail.v1.dead:0:99"),
        ("letters", "show", "let_x"),
        ("letters", "retry", "let_x"),
        ("letters", "cancel", "let_x"),
        ("letters", "list", "--state", "bogus"),
        ("letters", "preview", "bogus"),
        ("letters", "preview", "reply", "--language", "tlh"),
        ("key", "revoke", "nobody"),
        ("user", "add", "--name", "Ada", "--address", "no address"),
        ("user", "add", "--name", " ", "--address", "ada@example.org"),
        ("user", "disable", "nobody"),
        ("user", "enable", "nobody@example.org"),
        ("key", "create", "--name", "a", "--scope", "bogus"),
        ("mailbox", "reconcile", "nowhere"),
        ("trace", "nothing@example.org"),
        ("explain", "/nowhere.eml"),
        ("sandbox", "send", "/nowhere.eml"),
        ("dead", "show", "not an id"),
        ("dead", "replay"),
    ],
)
def test_what_is_not_there_is_told_in_one_line(ombud: Ombud, arguments: tuple[str, ...]) -> None:
    one_line(ombud(*arguments))


@pytest.mark.parametrize("group", ["quarantine", "dead", "letters", "key", "user"])
def test_an_empty_list_says_so_to_people_and_nothing_to_programs(ombud: Ombud, group: str) -> None:
    told, data = ombud(group, "list"), ombud(group, "list", "--json")

    assert (told.code, data.code) == (0, 0)
    assert told.out.startswith("no ")
    assert data.out == ""


def test_a_key_is_made_listed_and_revoked_in_both_forms(ombud: Ombud) -> None:
    made = json.loads(ombud("key", "create", "--name", "a", "--scope", "admin", "--json").out)
    plain = ombud("key", "create", "--name", "b", "--scope", "mail:read", "--scope", "tickets:read").out
    listed = ombud("key", "list").out
    first, second = (json.loads(line) for line in ombud("key", "list", "--json").out.splitlines())

    assert made["key"].startswith("ombud_")
    assert plain.startswith("ombud_")
    assert "mail:read tickets:read" in listed
    assert made["key"] not in listed
    assert ombud("key", "revoke", first["id"]).out == f"revoked {first['id']}\n"
    assert json.loads(ombud("key", "revoke", second["id"], "--json").out) == {
        "event": "revoked",
        "id": second["id"],
    }


def test_mails_are_explained_one_object_a_line_also_from_standard_input(ombud: Ombud, tmp_path: Path) -> None:
    file = tmp_path / "mail.eml"
    file.write_bytes(MAIL)
    done = ombud("explain", str(file), "-", stdin=b"\x00\xff\xfe" * 3_000)
    first, second = map(json.loads, done.out.splitlines())

    assert done.code == 0
    assert (first["subject"], first["message_id"], first["ok"]) == ("Help", "one@example.org", True)
    assert (second["file"], second["from"]) == ("-", None)
    assert first.keys() == second.keys()


def test_a_mail_that_takes_too_long_to_read_is_told_so_and_the_next_ones_are_read(
    ombud: Ombud, tmp_path: Path
) -> None:
    bomb, file = tmp_path / "bomb.eml", tmp_path / "mail.eml"
    bomb.write_bytes(MAIL + b"word " * 200_000)
    file.write_bytes(MAIL)
    done = ombud("explain", str(bomb), str(file), OMBUD_INGEST__LIMITS__PARSE_SECONDS="0.0005")
    first, second = map(json.loads, done.out.splitlines())

    assert (done.code, done.err) == (0, "")
    assert (first["ok"], first["error"]) == (False, "reading it takes longer than parse_seconds=0.0005")
    assert (second["ok"], second["subject"]) == (True, "Help")


def test_a_mail_that_would_be_quarantined_is_explained_with_the_reason(ombud: Ombud) -> None:
    done = ombud("explain", "-", "--json", stdin=b"X: y\r\n" * 5_000 + b"\r\n")
    told = json.loads(done.out)

    assert (done.code, told["ok"]) == (0, False)
    assert "header fields" in told["error"]


def test_a_letter_of_ours_that_came_back_is_explained_as_one_by_the_secret_in_use(ombud: Ombud) -> None:
    """By that of the settings, or by the one kept with the data; where there is none, none is made."""
    given, file = "a secret of thirty-two characters", Path(os.environ["OMBUD_DATA"]) / "secret"
    before, made = ombud("explain", "-", stdin=marked(given.encode())), file.exists()
    ombud("prepare")
    kept = file.read_bytes()
    with_kept = ombud("explain", "-", stdin=marked(kept))
    with_given = ombud("explain", "-", stdin=marked(given.encode()), OMBUD_SECRET=given)
    with_another = ombud("explain", "-", stdin=marked(given.encode()))

    assert (json.loads(before.out)["kind"], made) == ("message", False)
    assert json.loads(with_kept.out)["kind"] == "own_loop"
    assert json.loads(with_given.out)["kind"] == "own_loop"
    assert json.loads(with_another.out)["kind"] == "message"


def marked(secret: bytes) -> bytes:
    return f"{HEADER}: {loop_mark(secret, 'tkt_1')}\r\n".encode() + MAIL


def test_preparing_twice_does_no_harm(ombud: Ombud) -> None:
    assert ombud("prepare").code == 0
    assert json.loads(ombud("prepare", "--json").out) == {"event": "prepared"}


def test_doctor_names_what_does_not_answer_and_ends_with_one(ombud: Ombud) -> None:
    mailbox = {
        "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@example.org",
        "OMBUD_MAILBOXES__SUPPORT__HOST": "127.0.0.1",
        "OMBUD_MAILBOXES__SUPPORT__PORT": "1",
        "OMBUD_MAILBOXES__SUPPORT__TLS": "none",
        "OMBUD_SMTP__HOST": "127.0.0.1",
        "OMBUD_SMTP__PORT": "1",
    }
    told, data = ombud("doctor", **mailbox), ombud("doctor", "--json", **mailbox)
    answers = {one["dependency"]: one["ok"] for one in map(json.loads, data.out.splitlines())}

    assert (told.code, data.code) == (1, 1)
    assert answers == {"store": True, "mailbox support": False, "smtp": False}
    assert [line[:4] for line in told.out.splitlines()] == ["ok  ", "FAIL", "FAIL"]
    assert "OMBUD_SMTP__" in told.out


def test_status_of_a_mailbox_that_cannot_be_reached_ends_with_one_and_says_why(ombud: Ombud) -> None:
    mailbox = {
        "OMBUD_MAILBOXES__SUPPORT__ADDRESS": "support@example.org",
        "OMBUD_MAILBOXES__SUPPORT__HOST": "127.0.0.1",
        "OMBUD_MAILBOXES__SUPPORT__PORT": "1",
    }
    done = ombud("mailbox", "status", "--json", **mailbox)

    assert done.code == 1
    assert "127.0.0.1:1" in json.loads(done.out)["error"]


def test_a_mailbox_without_a_place_is_refused(ombud: Ombud) -> None:
    said = one_line(ombud("run", OMBUD_MAILBOXES__A__ADDRESS="a@example.org", OMBUD_HTTP__PORT="0"))

    assert "OMBUD_MAILBOXES__A__HOST" in said


def make(data: Path, *statements: str) -> Path:
    data.mkdir(exist_ok=True)
    with closing(sqlite3.connect(data / "ombud.sqlite")) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    return data / "ombud.sqlite"


@pytest.mark.parametrize("verb", [("run",), ("letters", "list")])
def test_a_file_of_a_newer_version_is_refused_with_what_to_do(
    ombud: Ombud, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    ombud("prepare")
    make(tmp_path / "data", "PRAGMA user_version = 999")

    assert "newer version" in one_line(ombud(*verb, OMBUD_HTTP__PORT="0"))


def test_another_programs_database_is_refused_and_left_as_it_is(ombud: Ombud, tmp_path: Path) -> None:
    file = make(tmp_path / "data", "CREATE TABLE theirs (a)")
    before = file.read_bytes()

    assert "another program" in one_line(ombud("run", OMBUD_HTTP__PORT="0"))
    assert file.read_bytes() == before


@pytest.mark.parametrize("content", [b"my notes\n" * 2_000, None])
def test_what_is_no_database_is_refused(ombud: Ombud, tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "data" / "ombud.sqlite"
    file.parent.mkdir()
    if content is None:
        file.mkdir()
    else:
        file.write_bytes(content)

    assert str(file) in one_line(ombud("key", "list"))


def test_a_sandbox_that_cannot_be_made_is_refused_with_what_to_do(ombud: Ombud, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sandbox").write_text("in its way")

    assert "set OMBUD_DATA" in one_line(ombud("run", OMBUD_HTTP__PORT="0"))


def test_a_secret_that_cannot_be_read_is_told_in_one_line(ombud: Ombud, tmp_path: Path) -> None:
    (tmp_path / "data" / "secret").mkdir(parents=True)

    assert str(tmp_path / "data" / "secret") in one_line(ombud("key", "list"))


def test_a_locked_store_is_told_in_one_line(ombud: Ombud, tmp_path: Path) -> None:
    ombud("prepare")
    with closing(sqlite3.connect(tmp_path / "data" / "ombud.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        assert "lock" in one_line(ombud("key", "list"))


def test_a_secret_that_was_cut_short_is_refused_and_not_used(ombud: Ombud, tmp_path: Path) -> None:
    ombud("prepare")
    secret = tmp_path / "data" / "secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    secret.write_bytes(b"")

    assert "secret" in one_line(ombud("key", "list"))


SERVERS = {
    "OMBUD_KAFKA__BOOTSTRAP": "127.0.0.1:1",
    "OMBUD_MONGO__URL": "mongodb://user:hunter2@127.0.0.1:1/?serverSelectionTimeoutMS=100",
    "OMBUD_SECRET": "s" * 32,
}


def test_while_the_servers_are_down_a_verb_says_so_in_one_line(ombud: Ombud) -> None:
    assert "Kafka does not answer" in one_line(ombud("key", "list", **SERVERS))


def test_doctor_names_the_settings_of_servers_that_do_not_answer_and_no_password(ombud: Ombud) -> None:
    done = ombud("doctor", **SERVERS)

    assert (done.code, done.err) == (1, "")
    assert "OMBUD_KAFKA__BOOTSTRAP=127.0.0.1:1" in done.out
    assert "OMBUD_MONGO__URL" in done.out
    assert "hunter2" not in done.out


def test_a_letter_is_previewed_from_the_operators_templates(ombud: Ombud, tmp_path: Path) -> None:
    (tmp_path / "de").mkdir()
    (tmp_path / "de" / "acknowledgement.subject").write_text("Danke! #{{ number }}")

    def shown(*options: str) -> str:
        words = ("letters", "preview", "acknowledgement", "--language", "de-AT", *options)
        return ombud(*words, OMBUD_NOTIFY__TEMPLATES=str(tmp_path)).out

    assert shown().startswith("Subject: Danke! #10042\n\n")
    assert "Guten Tag," in shown()
    assert shown("--html").startswith("<!doctype html>")
    assert json.loads(shown("--json"))["subject"] == "Danke! #10042"
