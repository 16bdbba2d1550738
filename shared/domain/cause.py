"""Why something changes: who did it, when, and which mail or call began it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """What every change of a ticket is given.

    `key` names the deed: a ticket that has already done what this key asks for does it no second time, so it
    must be the same when an event is handled again; it begins with the name of the service. `event_id` is the
    event of this very ticket that is being handled, if one is: it has been published, so the outbox need not
    hold it any longer. `actor` is `customer:…`, `user:…`, `service:…` or
    `rule:…`. `correlation_id` is that of the mail or call that began it all; `traceparent` is W3C Trace
    Context's.
    """

    key: str
    actor: str
    at: datetime
    correlation_id: str = ""
    traceparent: str = ""
    event_id: str = ""
