"""The settings that every service shares: read once, checked at start, every fault named at once.

From the environment (`OMBUD_…`, `__` for nesting), then a TOML file (`OMBUD_CONFIG`), then secrets from files
(`OMBUD_SECRETS`: a folder of files named like the variables). The environment wins.

A file or folder that is named but cannot be read is `Refused`, as is every wrong value. A variable that is no
setting is ignored, for the environment is not ours alone; `unknown` lists them, to be told at the start.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    NestedSecretsSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from shared.domain.errors import Refused
from shared.runtime import failpoint_plan

_TOKEN_URL = re.compile(r"https://[^/]|http://(127\.0\.0\.1|localhost|\[::1\])[:/]")
_BROKER = re.compile(r"(\w+://)?([^\s,:\[\]]+|\[[0-9a-fA-F:]+\])(:\d{1,5})?")


class Section(BaseModel):
    """A group of settings. An unknown name in it is a fault, so that a typing mistake is found."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(Section):
    """The broker. Empty `bootstrap`: the embedded bus under `data`."""

    bootstrap: str = Field(default="", description="host:port, comma separated")
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    username: str = ""
    password: SecretStr = SecretStr("")
    partitions: int = Field(
        default=24, ge=1, description="of new topics; at least twice the largest replica count"
    )
    replication: int = Field(default=1, ge=1, description="of new topics")
    session_seconds: float = Field(
        default=30.0, gt=1, description="a member silent for longer is taken for dead"
    )

    @field_validator("bootstrap")
    @classmethod
    def _addresses(cls, value: str) -> str:
        if value and not all(_BROKER.fullmatch(one.strip()) for one in value.split(",")):
            raise ValueError(f"{value!r} is not host:port, or several with commas between")
        return value


class MongoSettings(Section):
    """The database. Empty `url`: the embedded store under `data`."""

    url: SecretStr = SecretStr("")
    database: str = "ombud"


class OAuthSettings(Section):
    """Logging in with tokens (OAuth 2.0) in place of a password. Empty `token_url`: no."""

    token_url: str = Field(default="", description="where tokens are given")
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    refresh_token: SecretStr = Field(
        default=SecretStr(""), description="empty, and no file: the client's own credentials are used"
    )
    refresh_token_file: Path | None = Field(
        default=None,
        description="read at each renewal; a refresh token given in place of another is kept there",
    )
    scope: str = Field(default="", description="of the tokens; several with spaces between")
    mechanism: Literal["XOAUTH2", "OAUTHBEARER"] = "XOAUTH2"

    @field_validator("token_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        if value and not _TOKEN_URL.match(value):
            raise ValueError("it has to begin with https://; http:// is for this machine alone")
        return value

    @model_validator(mode="after")
    def _has_client(self) -> Self:
        if self.token_url and not self.client_id:
            raise ValueError("client_id has to be set too")
        return self


class MailboxSettings(Section):
    """A mailbox we serve. `host` for IMAP, or `maildir` for a local folder."""

    address: str = Field(description="the address customers write to", pattern=r"^[^@\s]+@[^@\s]+$")
    name: str = Field(default="Support", description="the name in From")
    host: str = ""
    port: int = Field(default=0, ge=0, le=65535, description="0: 993 with TLS, else 143")
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    username: str = ""
    password: SecretStr = SecretStr("")
    oauth: OAuthSettings = OAuthSettings()
    folder: str = Field(default="INBOX", description="the main folder")
    folders: list[str] = Field(default=[], description="all folders that are read; empty: the main one")
    handled: str = Field(
        default="leave",
        pattern=r"^(leave|delete|flag|flag:[^\s(){%*\"\]]+|move:\S.*)$",
        description="what becomes of a mail on the server once the ledger has it: leave, flag (as read), "
        "flag:FLAG, move:FOLDER, delete",
    )
    maildir: Path | None = None
    language: str = "en"
    team: str | None = None
    plus_address: bool = Field(
        default=True,
        description="letters ask for answers to address+tag, which names the ticket; "
        "off where the server takes no such addresses",
    )
    authserv_id: str = Field(
        default="",
        description="whose Authentication-Results are believed (RFC 8601): the name that the server which "
        "takes in this mailbox's mail writes there; `unnamed` for one that writes no name but puts its own "
        "above all others, as Exchange Online does; empty: nobody's",
    )
    require_authentication: bool = Field(
        default=False,
        description="a sender that authserv_id does not confirm, and who answers no letter of ours, is "
        "shown as unverified and moves nothing",
    )

    @property
    def read_folders(self) -> list[str]:
        """The folders that are read, each once."""
        return list(dict.fromkeys(self.folders or [self.folder]))

    @model_validator(mode="after")
    def _can_be_handled(self) -> Self:
        if self.maildir is not None and self.handled != "leave":
            raise ValueError("handled: mail in a folder on this machine is always left")
        if self.handled.startswith("move:") and self.handled.removeprefix("move:") in self.read_folders:
            raise ValueError("handled: mail must not be moved into a folder that is read")
        return self


class SmtpSettings(Section):
    """The relay for outgoing mail. Empty `host`: letters wait."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")
    oauth: OAuthSettings = OAuthSettings()

    @model_validator(mode="after")
    def _tokens_have_an_account(self) -> Self:
        if self.oauth.token_url and not self.username:
            raise ValueError("oauth: username has to be set too, to the account that the tokens are for")
        return self


class HttpSettings(Section):
    """Where the process answers: the API, `/livez`, `/readyz`, `/metrics`."""

    host: str = "127.0.0.1"
    port: int = Field(default=8025, ge=0, le=65535, description="0: a free one")


class LogSettings(Section):
    """One line an event on stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class ConsumerSettings(Section):
    """The runner of handlers."""

    concurrency: int = Field(default=256, ge=1, description="events in flight a consumer")
    attempts: int = Field(default=8, ge=1, description="tries of one event before it goes to the dead topic")
    handler_seconds: float = Field(
        default=120.0, gt=0, description="an event's handling is broken off after this, and tried again"
    )
    first_pause: float = Field(
        default=0.2, gt=0, description="seconds before the second try, doubled each time"
    )
    longest_pause: float = Field(default=30.0, gt=0, description="seconds at most between two tries")
    commit_every: float = Field(default=1.0, gt=0, description="seconds between commits")
    drain: float = Field(default=20.0, gt=0, description="seconds to finish what is in flight when stopping")
    dead_share: float = Field(
        default=0.5, gt=0, le=1, description="stop when more than this share goes dead …"
    )
    dead_window: int = Field(default=100, ge=1, description="… of the last so many events")
    silent_after: float = Field(
        default=120.0, gt=0, description="seconds with lag but no event: give up, restart"
    )


class Settings(BaseSettings):
    """What all services share; `services/settings.py` adds each service's own section."""

    model_config = SettingsConfigDict(
        env_prefix="OMBUD_", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    environment: Literal["production", "test"] = Field(
        default="production", description="test: failpoints may be set"
    )
    failpoints: str = Field(
        default="", description="where to die, fail or wait; for tests, see shared/runtime/failpoint_plan.py"
    )
    data: Path = Field(default=Path("data"), description="where the embedded adapters keep their state")
    bus_days: float = Field(
        default=7.0,
        gt=0,
        description="how long the embedded bus keeps events that every service has dealt with",
    )
    instance: str = Field(
        default="", description="this process's name, the same at each start; empty: from the host"
    )
    secret: SecretStr = Field(
        default=SecretStr(""), description="signs what we hand out; empty: kept under data"
    )
    kafka: KafkaSettings = KafkaSettings()
    mongo: MongoSettings = MongoSettings()
    mailboxes: dict[str, MailboxSettings] = {}
    smtp: SmtpSettings = SmtpSettings()
    http: HttpSettings = HttpSettings()
    log: LogSettings = LogSettings()
    consumer: ConsumerSettings = ConsumerSettings()

    @field_validator("failpoints")
    @classmethod
    def _only_in_tests(cls, value: str, others: ValidationInfo) -> str:
        try:
            failpoint_plan.parsed(value)
        except Refused as fault:
            raise ValueError(str(fault)) from fault
        if value.strip() and others.data.get("environment") != "test":
            raise ValueError("it is for tests alone: unset it, or set OMBUD_ENVIRONMENT=test")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 (pydantic-settings passes it by name)
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment first, then the TOML file, then secrets."""
        toml = TomlConfigSettingsSource(settings_cls, _toml_file())
        secrets = NestedSecretsSettingsSource(file_secret_settings, _secrets_folder())
        return init_settings, env_settings, toml, secrets

    @property
    def embedded(self) -> bool:
        """Whether this process stands on the embedded adapters."""
        return not self.kafka.bootstrap and not self.mongo.url.get_secret_value()


def _toml_file() -> Path | None:
    name = os.environ.get("OMBUD_CONFIG")
    if not name:
        return None
    try:
        tomllib.loads(Path(name).read_text("utf-8"))
    except OSError as fault:
        raise Refused(f"OMBUD_CONFIG: cannot read {name}: {fault.strerror}") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise Refused(f"OMBUD_CONFIG: {name} is no TOML: {fault}") from fault
    return Path(name)


def _secrets_folder() -> Path | None:
    name = os.environ.get("OMBUD_SECRETS")
    if name and not Path(name).is_dir():
        raise Refused(f"OMBUD_SECRETS: {name} is no folder: name one with a file for each secret")
    return Path(name) if name else None


def unknown(settings: type[Settings], names: Iterable[str]) -> list[str]:
    """A sentence for each of these variables that looks like a setting and is none."""
    prefix = "OMBUD_"
    known = {prefix + name.upper() for name in settings.model_fields} | {"OMBUD_CONFIG", "OMBUD_SECRETS"}
    sentences = []
    for name in sorted(names):
        section, separator, rest = name.upper().partition("__")
        if section.startswith(prefix) and section not in known:
            near = difflib.get_close_matches(section, known, 1)
            meant = f": did you mean {near[0]}{separator}{rest}?" if near else ""
            sentences.append(f"{name} is not a setting and is ignored{meant}")
    return sentences


def told(fault: ValidationError) -> Refused:
    """Every fault of the settings at once, each with the variable to set."""
    lines = []
    for error in fault.errors():
        variable = "OMBUD_" + "__".join(str(part).upper() for part in error["loc"])
        says = _AS_PEOPLE_SAY.get(error["type"], error["msg"].removeprefix("Value error, "))
        lines.append(f"  {variable}: {says}")
    return Refused("the settings are wrong:\n" + "\n".join(lines))


_AS_PEOPLE_SAY = {
    "extra_forbidden": "there is no such setting",
    "missing": "it has to be set",
    "string_pattern_mismatch": "it does not have the form of such a value",
    "dict_type": "it is a group: set its members, after two underscores",
    "model_type": "it is a group: set its members, after two underscores",
}
