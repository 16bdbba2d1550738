"""Settings of notify: whom it tells, how fast it sends, when it gives up."""

from pathlib import Path

from pydantic import Field

from shared.runtime.settings import Section


class BrakeSettings(Section):
    """The most automatic letters in a span of time; what is above is kept as failed and shown."""

    ten_minutes: int = Field(default=3, ge=1)
    hour: int = Field(default=10, ge=1)
    day: int = Field(default=30, ge=1)


class RetrySettings(Section):
    """When a letter that the relay did not take is tried again (RFC 5321 §4.5.4.1)."""

    first_pause: float = Field(default=60.0, gt=0, description="seconds before the second try, then tripled")
    longest_pause: float = Field(default=14_400.0, gt=0, description="seconds at most between two tries")
    greylist_pause: float = Field(
        default=60.0,
        gt=0,
        description="seconds before the second try when greylisted; longer by as many each time",
    )
    give_up_after: float = Field(
        default=345_600.0, gt=0, description="seconds from the letter's making; 4 days"
    )


class NotifySettings(Section):
    """Letters and the relay that takes them; the relay's own address is under `smtp`."""

    lead_address: str = Field(default="", description="who hears of missed deadlines; empty: nobody")
    templates: Path | None = Field(
        default=None, description="a folder whose files take the place of the built-in templates"
    )
    brake: BrakeSettings = Field(default=BrakeSettings(), description="a customer's address, and a ticket")
    lead_brake: BrakeSettings = Field(
        default=BrakeSettings(ten_minutes=30, hour=100, day=300),
        description="the lead's address, and agents'",
    )
    retry: RetrySettings = RetrySettings()
    undo_seconds: float = Field(
        default=10.0, ge=0, description="so long an agent's reply is held and may be cancelled; 0: not"
    )
    domain_rate: int = Field(
        default=0,
        ge=0,
        description="letters a minute to one recipient domain at most; 0: no limit",
    )
    domain_rates: dict[str, int] = Field(
        default={}, description='of certain domains, as {"example.org": 20}; in place of domain_rate'
    )

    connections: int = Field(default=20, ge=1, description="connections to the relay at most")
    connection_seconds: float = Field(default=60.0, gt=0, description="a connection's age at most")
    connection_mails: int = Field(default=100, ge=1, description="letters a connection at most")
    idle_seconds: float = Field(
        default=3.0, gt=0, description="a connection idle for longer is asked (NOOP) before it is used"
    )
    hello: str = Field(default="", description="our name in EHLO; empty: this machine's")

    queue: int = Field(default=1_000, ge=1, description="letters in memory, waiting for a connection")
    poll_seconds: float = Field(default=1.0, gt=0, description="between looks for letters that are due")
    lease_seconds: float = Field(
        default=15.0,
        gt=0,
        description="a letter that its process neither sends nor renews for so long is free",
    )
    connect_seconds: float = Field(default=20.0, gt=0, description="to connect, encrypt and log in")
    answer_seconds: float = Field(default=60.0, gt=0, description="for the relay's answer to a command")
    accept_seconds: float = Field(
        default=600.0, gt=0, description="for the relay to take a mail's content (RFC 5321 §4.5.3.2.6)"
    )
    margin_seconds: float = Field(
        default=60.0,
        gt=0,
        description="so long after accept_seconds the sender of a letter counts as dead if it says nothing",
    )
    stop_seconds: float = Field(default=15.0, gt=0, description="to finish what is being sent when stopping")
