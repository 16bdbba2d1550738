"""Every collection of Ombud: its model, its indexes, and nothing else. `ombud prepare` makes them."""

from typing import Any

from shared.domain.deadlines import Deadline
from shared.domain.documents import Document, Instant, Sleeper
from shared.domain.events import Facts
from shared.domain.ledger import LedgerEntry
from shared.domain.letters import Letter
from shared.domain.messages import Message
from shared.domain.snoozes import Snooze
from shared.domain.suppressions import Suppression
from shared.domain.ticket import Ticket
from shared.domain.triage import Triage
from shared.domain.users import User, UserAddress
from shared.ports.documents import Index, Spec


class ThreadId(Document):
    """A Message-ID that a mail of a ticket carried or referred to; its own id follows from it.

    `carried` is false while only references to it are known: then the mail itself, when it arrives late,
    belongs to this ticket. Once carried, another mail with the same Message-ID is another mail: `message` is
    the document of the mail that carried it, and empty when a letter of ours did.
    """

    ticket_id: str
    carried: bool
    message: str = ""


class AgentMail(Document):
    """A mail by which a user commanded, known by what a signature of it vouches for: its id follows from the
    user, its Date and its body. `message` is the first that came of it: whatever comes later is a repeat.
    """

    message: str


class Lease(Sleeper):
    """Something that one process at a time may do; `wake_at` is when the lease ends."""

    owner: str = ""


class Cursor(Document):
    """How far a mailbox was read: every UID up to `uid` under `uidvalidity` is on the bus.

    `seen` counts all mails it ever passed, under any UIDVALIDITY, and None those of a cursor from before they
    were counted. `moved_at` is when it last passed one.
    """

    uidvalidity: int = 0
    uid: int = 0
    seen: int | None = None
    moved_at: Instant | None = None


class ApiKey(Document):
    """A key of the API; of the secret only the digest is kept."""

    name: str
    secret_digest: str
    scopes: list[str]
    created_at: Instant
    revoked_at: Instant | None = None


class DeadReplay(Document):
    """A dead event that was put back on its topic."""

    at: Instant
    times: int = 1


class OverviewRow(Document):
    """How the overview has counted a ticket: as `facts`, which the ticket had at version `counted`.

    `shard` is the counter it was counted in.
    """

    shard: int
    counted: int
    facts: Facts


TICKETS = Spec(
    "tickets",
    Ticket,
    indexes=(
        Index(("number",), unique=True),
        Index(("status", "updated_at")),
        Index(("priority", "updated_at")),
        Index(("assignee", "updated_at")),
        # An agent's open tickets, the view that is asked for most: few of all that were ever theirs.
        Index(("assignee", "status", "updated_at")),
        Index(("team", "updated_at")),
        Index(("mailbox", "updated_at")),
        Index(("also_in", "updated_at")),
        Index(("customer_address", "updated_at")),
        Index(("category", "updated_at")),
        Index(("updated_at",)),
        Index(("opened_at",)),
    ),
    text=("subject", "summary", "customer_address"),
)
MESSAGES = Spec("messages", Message, indexes=(Index(("ticket_id", "at")), Index(("message_id",))))
THREAD_IDS = Spec("thread_ids", ThreadId)
LEDGER = Spec(
    "ledger",
    LedgerEntry,
    indexes=(
        Index(("outcome", "at")),
        Index(("message_id",)),
        Index(("mailbox", "folder", "outcome")),
    ),
    retired=(Index(("ticket_id",)), Index(("mailbox", "uidvalidity", "uid")), Index(("mailbox",))),
)
LETTERS = Spec(
    "letters",
    Letter,
    indexes=(
        Index(("ticket_id", "created_at")),
        Index(("state", "created_at")),
        Index(("message_id",)),
        Index(("created_at",)),
    ),
    claimable=True,
)
DEADLINES = Spec("deadlines", Deadline, indexes=(Index(("ticket_id", "state")),), claimable=True)
TRIAGES = Spec("triages", Triage, indexes=(Index(("ticket_id", "at")),))
LEASES = Spec("leases", Lease, claimable=True)
CURSORS = Spec("cursors", Cursor)
API_KEYS = Spec("api_keys", ApiKey, indexes=(Index(("created_at",)),))
DEAD_REPLAYS = Spec("dead_replays", DeadReplay)
SUPPRESSIONS = Spec("suppressions", Suppression, indexes=(Index(("since",)),))
USERS = Spec("users", User, indexes=(Index(("since",)),))
USER_ADDRESSES = Spec("user_addresses", UserAddress)
AGENT_MAILS = Spec("agent_mails", AgentMail)
SNOOZES = Spec("snoozes", Snooze, indexes=(Index(("ticket_id",)),), claimable=True)
OVERVIEW_ROWS = Spec("overview_rows", OverviewRow, indexes=(Index(("shard",)),))

COLLECTIONS: tuple[Spec[Any], ...] = (
    TICKETS,
    MESSAGES,
    THREAD_IDS,
    LEDGER,
    LETTERS,
    DEADLINES,
    TRIAGES,
    LEASES,
    CURSORS,
    API_KEYS,
    DEAD_REPLAYS,
    OVERVIEW_ROWS,
    SUPPRESSIONS,
    USERS,
    USER_ADDRESSES,
    AGENT_MAILS,
    SNOOZES,
)
