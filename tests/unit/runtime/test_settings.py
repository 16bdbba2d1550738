"""Settings: where they come from, and how a wrong one is told."""

import os
from pathlib import Path

import pytest

from services.settings import read_settings
from shared.domain.errors import Refused
from shared.runtime.wiring import _secret, make_folder


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in list(os.environ):
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)


def test_a_mailbox_is_configured_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_MAILBOXES__SUPPORT__ADDRESS", "help@example.org")
    monkeypatch.setenv("OMBUD_MAILBOXES__SUPPORT__HOST", "imap.example.org")
    mailbox = read_settings().mailboxes["support"]

    assert (mailbox.address, mailbox.host, mailbox.tls) == (
        "help@example.org",
        "imap.example.org",
        "implicit",
    )


def test_every_fault_is_named_at_once_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_HTTP__PORT", "many")
    monkeypatch.setenv("OMBUD_SMTP__TLS", "maybe")
    monkeypatch.setenv("OMBUD_MAILBOXES__SUPPORT__HOST", "imap.example.org")
    with pytest.raises(Refused) as refused:
        read_settings()
    said = str(refused.value)

    assert "OMBUD_HTTP__PORT" in said
    assert "OMBUD_SMTP__TLS" in said
    assert "OMBUD_MAILBOXES__SUPPORT__ADDRESS: it has to be set" in said


def test_a_misspelt_setting_in_a_section_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_SMTP__HSOT", "relay")
    with pytest.raises(Refused, match="OMBUD_SMTP__HSOT"):
        read_settings()


def test_the_environment_wins_over_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "ombud.toml"
    file.write_text('[smtp]\nhost = "from-file"\nport = 2525\n')
    monkeypatch.setenv("OMBUD_CONFIG", str(file))
    monkeypatch.setenv("OMBUD_SMTP__HOST", "from-environment")
    smtp = read_settings().smtp

    assert (smtp.host, smtp.port) == ("from-environment", 2525)


def test_secrets_are_masked_when_settings_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_SMTP__PASSWORD", "hunter2")
    monkeypatch.setenv("OMBUD_MONGO__URL", "mongodb://user:hunter2@host")

    assert "hunter2" not in str(read_settings().model_dump(mode="json"))


def test_without_servers_the_embedded_adapters_are_meant() -> None:
    assert read_settings().embedded


def test_a_secret_is_made_once_and_kept_for_its_owner(tmp_path: Path) -> None:
    settings = read_settings(data=tmp_path)
    first, second = _secret(settings), _secret(settings)

    assert first == second
    assert (tmp_path / "secret").stat().st_mode & 0o077 == 0


def test_servers_need_a_secret_that_all_services_share(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_KAFKA__BOOTSTRAP", "kafka:9092")
    with pytest.raises(Refused, match="OMBUD_SECRET"):
        _secret(read_settings())


def test_a_short_secret_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_SECRET", "short")
    with pytest.raises(Refused, match="too short"):
        _secret(read_settings())


def test_a_data_folder_that_cannot_be_made_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match="OMBUD_DATA"):
        make_folder(tmp_path / "file" / "below")
