"""A ticket and the causes of its changes, for the tests of the domain."""

from datetime import UTC, datetime, timedelta

from shared.domain.cause import Cause
from shared.domain.priority import Level, Sentiment
from shared.domain.ticket import Classification, Contact, Ticket

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def cause(key: str, *, minutes: int = 0, event_id: str = "", actor: str = "user:ada") -> Cause:
    return Cause(key, actor, NOON + timedelta(minutes=minutes), "corr", "00-trace", event_id)


def opened(**other: object) -> Ticket:
    given: dict[str, object] = {
        "mailbox": "support",
        "subject": "Help",
        "channel": "mail",
        "customer": Contact(address="eve@example.org", name="Eve"),
        "message_id": "msg_1",
        "may_auto_respond": True,
        "cause": cause("ingest:msg_1"),
    }
    return Ticket.open("tkt_1", 10_001, **(given | other))  # type: ignore[arg-type]


def kinds(ticket: Ticket) -> list[str]:
    return [envelope.type for envelope in ticket.outbox]


def found(**other: object) -> Classification:
    given: dict[str, object] = {
        "category": "billing",
        "severity": Level.HIGH,
        "urgency": Level.HIGH,
        "sentiment": Sentiment.ANGRY,
        "language": "de",
    }
    return Classification(**(given | other))
