"""The settings that every service shares: read once, checked at start, every fault named at once.

From the environment (`OMBUD_…`, `__` for nesting), then a TOML file (`OMBUD_CONFIG`), then secrets from files
(`OMBUD_SECRETS`: a folder of files named like the variables). The environment wins.
"""

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from shared.domain.errors import Refused


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
        default=45.0, gt=1, description="a member silent for longer is taken for dead"
    )


class MongoSettings(Section):
    """The database. Empty `url`: the embedded store under `data`."""

    url: SecretStr = SecretStr("")
    database: str = "ombud"


class MailboxSettings(Section):
    """A mailbox we serve. `host` for IMAP, or `maildir` for a local folder."""

    address: str = Field(description="the address customers write to", pattern=r"^[^@\s]+@[^@\s]+$")
    name: str = Field(default="Support", description="the name in From")
    host: str = ""
    port: int = Field(default=0, ge=0, le=65535, description="0: 993 with TLS, else 143")
    tls: Literal["implicit", "starttls", "none"] = "implicit"
    username: str = ""
    password: SecretStr = SecretStr("")
    folder: str = "INBOX"
    maildir: Path | None = None
    language: str = "en"
    team: str | None = None


class SmtpSettings(Section):
    """The relay for outgoing mail. Empty `host`: letters wait."""

    host: str = ""
    port: int = Field(default=587, ge=1, le=65535)
    tls: Literal["implicit", "starttls", "none"] = "starttls"
    username: str = ""
    password: SecretStr = SecretStr("")


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

    data: Path = Field(default=Path("data"), description="where the embedded adapters keep their state")
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
        toml = TomlConfigSettingsSource(settings_cls, os.environ.get("OMBUD_CONFIG"))
        return init_settings, env_settings, toml, file_secret_settings

    @property
    def embedded(self) -> bool:
        """Whether this process stands on the embedded adapters."""
        return not self.kafka.bootstrap and not self.mongo.url.get_secret_value()


def told(fault: ValidationError) -> Refused:
    """Every fault of the settings at once, each with the variable to set."""
    lines = []
    for error in fault.errors():
        variable = "OMBUD_" + "__".join(str(part).upper() for part in error["loc"])
        lines.append(f"  {variable}: {error['msg']}")
    return Refused("the settings are wrong:\n" + "\n".join(lines))
