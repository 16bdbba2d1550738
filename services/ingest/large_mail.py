"""A mail that is too large to be read: how much of it is asked for, what its ticket says of the rest. Pure.

The notice follows from the mail and the limits alone: however often the mail is fetched, the same bytes stand
for it (shared/domain/stand_in.py).
"""

from services.ingest.settings import MIB, Limits
from shared.domain.stand_in import LONGEST_HEAD

ROOM = 1024
"""Bytes of a head that are left for the fields that we put into it."""


def head_bytes(limits: Limits) -> int:
    """How much of a large mail is asked for to find its headers in."""
    return min(LONGEST_HEAD, max(limits.head_bytes - ROOM, ROOM))


def too_large(size: int, kept: bool, limits: Limits) -> str:
    """The notice for a mail of `size` bytes; `kept`: whether the whole of it can be downloaded."""
    said = (
        f"This mail has {_mib(size)}, more than the {_mib(limits.mail_bytes)} that are read "
        "(OMBUD_INGEST__LIMITS__MAIL_BYTES). Only its headers were read: its text and its attachments are "
        "left out here.\r\n"
    )
    if kept:
        return f"{said}The whole mail is kept: download the raw mail of this message."
    return (
        f"{said}It also has more than the {_mib(limits.kept_bytes)} that are kept "
        "(OMBUD_INGEST__LIMITS__KEPT_BYTES): it is on its mail server alone."
    )


def _mib(size: int) -> str:
    """Whole MiB, for a mail that comes twice may differ by a few bytes of trace headers."""
    return f"{-(-size // MIB)} MiB"
