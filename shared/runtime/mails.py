"""Mails onto the bus: those that a mailbox gave, and those that a person gives back from the quarantine.

A mail too large to travel is put into the blobs first and travels by reference. What `publish` returned for
is durable. Publishing a mail again is harmless: intake finds its ledger entry. Raises `Unavailable`.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.domain.events import MAIL_TOPIC
from shared.domain.mail_fetched import INLINE_LIMIT, MailFetched
from shared.ports.bus import Message
from shared.runtime.service import Platform


@dataclass(frozen=True, slots=True)
class ToPublish:
    """A mail with its key on the bus; `headers` go beside those of the mail."""

    fetched: MailFetched
    key: str
    headers: Mapping[str, str] = field(default_factory=dict)


async def publish(platform: Platform, mails: Sequence[ToPublish]) -> None:
    """Publish all of them in one call."""
    if mails:
        messages = await asyncio.gather(*(_message(platform, mail) for mail in mails))
        await platform.bus.publish(messages)


async def _message(platform: Platform, mail: ToPublish) -> Message:
    fetched = mail.fetched
    if fetched.raw is not None and len(fetched.raw) > INLINE_LIMIT:
        await platform.blobs.put(fetched.raw)
        fetched = replace(fetched, raw=None)
    return Message(MAIL_TOPIC, mail.key, fetched.raw or b"", {**fetched.headers(), **mail.headers})
