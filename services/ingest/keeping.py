"""A mail over the limit, from its mailbox to the bus: its headers are read, the whole of it is streamed into
the blobs, piece by piece, up to a second limit.

Nothing of a mail stays in the blobs unless all of it does. Raises `MailboxFailed` and `Unavailable`.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import structlog

from services.ingest.large_mail import head_bytes, too_large
from services.ingest.ports import Mailbox, Place, Waiting
from services.ingest.publish import to_publish
from services.ingest.settings import Limits
from shared.domain.stand_in import stand_in
from shared.runtime.mails import ToPublish
from shared.runtime.service import Platform

PIECE = 1024 * 1024
"""Bytes that are asked for at a time."""

Call = Callable[..., Awaitable[Any]]
"""Makes a blocking call of the mailbox on the mailbox's own thread."""

log = structlog.get_logger()


class _NotKept(Exception):
    """It has more bytes than may be kept, or was removed in the middle."""


async def large(
    platform: Platform,
    limits: Limits,
    place: Place,
    uidvalidity: int,
    mail: Waiting,
    mailbox: Mailbox,
    call: Call,
) -> ToPublish | None:
    """The event of a mail that is over the limit; None when the server does not give it."""
    head = await call(mailbox.head, mail.uid, head_bytes(limits))
    if head is None:
        return None
    digest = await _kept(platform, limits, mail, mailbox, call)
    log.info("mailbox.large_mail", mailbox=place.label, uid=mail.uid, size=mail.size, kept=digest is not None)
    notice = too_large(mail.size, digest is not None, limits)
    standing_in = replace(head, raw=stand_in(head.raw, notice))
    made = to_publish(place, uidvalidity, standing_in, platform.clock.now())
    fetched = replace(made.fetched, digest=digest or made.fetched.digest, partial=digest is None)
    return replace(made, fetched=fetched)


async def _kept(
    platform: Platform, limits: Limits, mail: Waiting, mailbox: Mailbox, call: Call
) -> str | None:
    """The digest of the whole mail in the blobs, or None when it cannot be kept."""
    if mail.size > limits.kept_bytes:
        return None
    try:
        async with aclosing(_pieces(limits, mail, mailbox, call)) as pieces:
            return await platform.blobs.put_stream(pieces)
    except _NotKept:
        return None


async def _pieces(limits: Limits, mail: Waiting, mailbox: Mailbox, call: Call) -> AsyncGenerator[bytes, None]:
    start = 0
    while piece := await call(mailbox.piece, mail.uid, start, PIECE):
        start += len(piece)
        if start > limits.kept_bytes:  # servers err about sizes
            raise _NotKept
        yield piece
    if not await call(mailbox.exists, mail.uid):
        raise _NotKept
