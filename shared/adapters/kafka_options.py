"""What the Kafka adapters may be told, with units; the defaults are those for production."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REJOIN_SECONDS = 10.0
"""Room between a drained member and the moment the broker gives up on it: for a last commit and the join."""

GHOST_SECONDS = 5.0
"""A join waits for so much longer than a session: see `rebalance_seconds`."""


@dataclass(frozen=True, slots=True)
class KafkaOptions:
    """How to reach the cluster and how patient to be with it.

    aiokafka's own defaults would hurt here: a session of 10 s (a busy machine evicts the member), a rebalance
    timeout as short as the session (a member that still drains is evicted), `acks=1`, automatic commits. None
    of them is used.
    """

    bootstrap: str
    """`host:port`, several separated by commas."""

    partitions: int = 24
    """For topics that `prepare` makes. Never change it for a living topic: keys would move to others."""

    replicas: int = 1
    """For topics that `prepare` makes; not more than there are brokers."""

    session_seconds: float = 30.0
    """How long a member may be silent before its partitions go to others. The broker must allow it
    (`group.min.session.timeout.ms`, 6 s by default). A member that died and came back under its name within
    this time finds its partitions as they were."""

    heartbeat_seconds: float = 3.0
    """How often a member speaks to its coordinator: also how soon it hears of a rebalance."""

    drain_seconds: float = 25.0
    """How long `on_revoked` may take; the whole group stands still meanwhile (aiokafka#1126)."""

    answer_seconds: float = 10.0
    """How long one call may take before it is `Unavailable`; a publish then only says that it waits."""

    silent_seconds: float = 5.0
    """How long a member may hear nothing before it asks a broker whether it is still there (aiokafka#992)."""

    stop_seconds: float = 20.0
    """How long leaving the group may take before the connections are simply cut (aiokafka#512, #583)."""

    largest_message: int = 2 * 1024 * 1024
    """Bytes of a record with its key and headers, as Kafka counts them; topics are made to allow it."""

    partition_fetch: int = 128 * 1024
    """Bytes asked of one partition at a time. Small, so that partitions take turns and memory stays bounded;
    a larger record is still delivered, alone."""

    security: Mapping[str, Any] = field(default_factory=dict)
    """Passed to every client as it is: `security_protocol`, `ssl_context`, `sasl_mechanism`,
    `sasl_plain_username`, `sasl_plain_password`, `sasl_oauth_token_provider`."""

    @property
    def rebalance_seconds(self) -> float:
        """How long the broker waits for members to join again before it goes on without them.

        Longer than a session. A member that died and came back under another name waits here for the one it
        was. Were the session longer than the wait, the group would go on with the dead member holding its
        share, and wait once more as long: 60 s until its mail was read, now at most 30 (measured).
        """
        return max(self.drain_seconds + REJOIN_SECONDS, self.session_seconds + GHOST_SECONDS)

    def connection(self, client_id: str, request_seconds: float | None = None) -> dict[str, Any]:
        """The arguments that every aiokafka client takes."""
        return {
            "bootstrap_servers": self.bootstrap,
            "client_id": client_id,
            "request_timeout_ms": milliseconds(request_seconds or self.answer_seconds),
            **self.security,
        }


def milliseconds(seconds: float) -> int:
    """Kafka counts in milliseconds."""
    return int(seconds * 1000)
