"""The API's own settings, and what it reads of the others'."""

from collections.abc import Mapping
from typing import Protocol

from pydantic import Field

from shared.runtime.settings import MailboxSettings, Section

MIB = 1024 * 1024


class ShowingSettings(Section):
    """Showing the HTML of mails. Past a limit the mail's text is shown, with a sentence that says why."""

    html_bytes: int = Field(default=MIB, ge=1024, description="of one mail's HTML; longer HTML is not shown")
    seconds: float = Field(default=5.0, gt=0, le=60, description="to make one mail's HTML harmless")
    memory: int = Field(
        default=512 * MIB, ge=256 * MIB, description="bytes of address space for that, as seconds"
    )
    page_bytes: int = Field(
        default=16 * MIB, ge=1024, description="of what is made of it, embedded pictures included"
    )
    workers: int = Field(default=2, ge=1, description="processes at most that do it")
    data_bytes: int = Field(
        default=256 * 1024, ge=0, description="of a picture that stands in the HTML; a larger one is left out"
    )
    embedded_bytes: int = Field(
        default=5 * MIB, ge=0, description="of a mail's own pictures together, where they are to be embedded"
    )


class ApiSettings(Section):
    """`OMBUD_API__…`."""

    body_limit: int = Field(default=1024 * 1024, ge=1024, description="bytes of a request's body")
    mail_limit: int = Field(
        default=50 * 1024 * 1024, ge=1024, description="bytes of a mail that is sent as a request's body"
    )
    key_cache_seconds: float = Field(
        default=5.0, ge=0, le=60, description="how long a revoked key may still work"
    )
    showing: ShowingSettings = ShowingSettings()
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
