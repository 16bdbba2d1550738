"""The mark on every letter of ours, by which a letter that comes back is known (header `X-Ombud-Loop`).

It is signed, so that nobody can have his mail passed over by writing the header himself.
"""

import hashlib
import hmac

HEADER = "X-Ombud-Loop"


def loop_mark(secret: bytes, ticket_id: str) -> str:
    """The header's value for a letter of this ticket: the ticket's id, a dot, 32 hex digits."""
    return f"{ticket_id}.{_signature(secret, ticket_id)}"


def marked_ticket(secret: bytes, value: str) -> str | None:
    """The ticket that a header's value names, or None when we did not sign it."""
    ticket_id, _, signature = value.strip().rpartition(".")
    expected = _signature(secret, ticket_id)
    return ticket_id if hmac.compare_digest(signature.encode("utf-8", "replace"), expected.encode()) else None


def _signature(secret: bytes, ticket_id: str) -> str:
    signed = b"loop\0" + ticket_id.encode("utf-8", "replace")
    return hmac.new(secret, signed, hashlib.sha256).hexdigest()[:32]
