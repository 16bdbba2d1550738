"""Wrong settings are told in words, all at once, and nothing is started on them."""

import os
from pathlib import Path

import pytest

from services.settings import OmbudSettings, read_settings
from shared.domain.errors import Refused
from shared.runtime.settings import unknown
from tests.unit.cli.conftest import Ombud


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)


def refusal() -> str:
    with pytest.raises(Refused) as refused:
        read_settings()
    return str(refused.value)


def test_wrong_values_end_a_verb_with_one_message_that_names_them_all(ombud: Ombud) -> None:
    done = ombud("run", OMBUD_HTTP__PORT="many", OMBUD_SMTP__TLS="x", OMBUD_MAILBOXES__A__HOST="h")

    assert done.code == 1
    assert done.out == ""
    assert "Traceback" not in done.err
    for name in ("OMBUD_HTTP__PORT", "OMBUD_SMTP__TLS", "OMBUD_MAILBOXES__A__ADDRESS: it has to be set"):
        assert name in done.err


def test_a_variable_that_is_no_setting_is_told_once_and_the_verb_goes_on(ombud: Ombud) -> None:
    done = ombud("config", OMBUD_MAILBOX__SUPPORT__HOST="imap.example.org")

    assert done.code == 0
    assert done.err == (
        "ombud: OMBUD_MAILBOX__SUPPORT__HOST is not a setting and is ignored: "
        "did you mean OMBUD_MAILBOXES__SUPPORT__HOST?\n"
    )


def test_settings_and_what_belongs_to_other_programs_are_not_called_unknown() -> None:
    assert (
        unknown(OmbudSettings, ["OMBUD_CONFIG", "OMBUD_SMTP__HOST", "ombud_data", "PATH", "MOMBUD_X"]) == []
    )


def test_a_name_that_is_like_no_setting_is_told_without_a_guess() -> None:
    (said,) = unknown(OmbudSettings, ["OMBUD_QQQQQQQQ"])

    assert said == "OMBUD_QQQQQQQQ is not a setting and is ignored"


@pytest.mark.parametrize("content", [b"a = = b", b"\xff\xfe\x00", None])
def test_a_settings_file_that_cannot_be_read_is_refused_by_its_name(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ombud.toml"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv("OMBUD_CONFIG", str(file))

    assert "OMBUD_CONFIG" in refusal()
    assert str(file) in refusal()


def test_a_misspelt_name_in_the_settings_file_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ombud.toml"
    file.write_text("[http]\nprot = 1\n")
    monkeypatch.setenv("OMBUD_CONFIG", str(file))

    assert "OMBUD_HTTP__PROT: there is no such setting" in refusal()


def test_secrets_are_read_from_files_named_like_their_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "OMBUD_SMTP__PASSWORD").write_text("hunter2\n")
    (tmp_path / "OMBUD_SECRET").write_text("a secret of its own")
    monkeypatch.setenv("OMBUD_SECRETS", str(tmp_path))
    settings = read_settings()

    assert settings.smtp.password.get_secret_value() == "hunter2"
    assert settings.secret.get_secret_value() == "a secret of its own"


def test_a_folder_of_secrets_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMBUD_SECRETS", str(tmp_path / "nowhere"))

    assert "OMBUD_SECRETS" in refusal()


def test_a_group_that_is_no_group_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_MAILBOXES", "support")

    assert "after two underscores" in refusal()


@pytest.mark.parametrize("address", ["::::", "kafka:", "kafka:many", "a:1 b:2", "a:1,,b:2"])
def test_an_address_of_a_broker_that_is_none_is_refused(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMBUD_KAFKA__BOOTSTRAP", address)

    assert "OMBUD_KAFKA__BOOTSTRAP" in refusal()


@pytest.mark.parametrize(
    "address", ["kafka:9092", "kafka", "a:1,b:2", "a:1, b:2", "[::1]:9092", "10.0.0.1:1"]
)
def test_an_address_of_a_broker_is_taken_as_it_is(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_KAFKA__BOOTSTRAP", address)

    assert read_settings().kafka.bootstrap == address


@pytest.mark.parametrize(
    ("given", "missing"),
    [("OMBUD_KAFKA__BOOTSTRAP", "OMBUD_MONGO__URL"), ("OMBUD_MONGO__URL", "OMBUD_KAFKA")],
)
def test_kafka_without_mongodb_or_the_other_way_is_refused(ombud: Ombud, given: str, missing: str) -> None:
    done = ombud("api", OMBUD_SECRET="x" * 32, **{given: "127.0.0.1:1"})

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert missing in done.err


def test_run_without_embedded_adapters_is_refused(ombud: Ombud) -> None:
    done = ombud("run", OMBUD_KAFKA__BOOTSTRAP="127.0.0.1:1")

    assert (done.code, done.err.count("\n")) == (1, 1)
    assert "unset" in done.err


def test_what_ombud_writes_is_for_its_owner_alone(ombud: Ombud, tmp_path: Path) -> None:
    tmp_path.joinpath("data").mkdir(mode=0o755)
    assert ombud("prepare").code == 0
    files = [one for one in tmp_path.joinpath("data").rglob("*") if one.is_file()]

    assert any(one.name == "ombud.sqlite" for one in files)
    assert [one.name for one in files if one.stat().st_mode & 0o077] == []
