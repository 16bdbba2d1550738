"""The API's own settings, and what it reads of the others'."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from shared.runtime.settings import MailboxSettings, Section


class ApiSettings(Section):
    """`OMBUD_API__…`."""

    body_limit: int = Field(default=1024 * 1024, ge=1024, description="bytes of a request's body")
    key_cache_seconds: float = Field(
        default=5.0, ge=0, le=60, description="how long a revoked key may still work"
    )
    timeline_limit: int = Field(default=1000, ge=1, description="entries of each kind in a ticket's timeline")


class ApiProcessSettings(Protocol):
    """What `create_app` and `build` need of the settings."""

    @property
    def api(self) -> ApiSettings:
        """The API's own."""
        ...

    @property
    def mailboxes(self) -> Mapping[str, MailboxSettings]:
        """Those that tickets may be opened for."""
        ...
    mail_limit: int = Field(
        default=50 * 1024 * 1024, ge=1024, description="bytes of a mail that is sent as a request's body"
    )
