"""A letter of ours that came back: it is marked, and its address is remembered for what it is.

Only a letter of ours is believed to have come back: the notice must name its Message-ID, which nobody knows
but its addressee's mail systems, and the very address that it was sent to. Any other notice is a mail on a
ticket and no more, so a forged one cannot keep us from writing to anybody.

Every step is found done when it comes again. Raises `Unavailable` and `Conflict` of the stores: then the mail
is handled again.
"""

from datetime import datetime, timedelta

import structlog

from services.ingest.bounces import Bounce, bounce_of
from services.ingest.bounces_reason import HARD
from services.ingest.parsing import ParsedMail
from services.ingest.recognise import Kind, Recognised
from services.ingest.settings import IngestSettings
from shared import metrics
from shared.domain.letters import Letter
from shared.domain.suppressions import Patience, Suppression, suppression_id
from shared.stores.stores import Stores

LETTERS_LOOKED_AT = 5
"""Of one Message-ID: there is one, as it is ours to give."""

log = structlog.get_logger()


class CameBack:
    """See the module."""

    def __init__(self, stores: Stores, settings: IngestSettings) -> None:
        self._stores = stores
        self._patience = Patience(settings.soft_bounces, timedelta(days=settings.soft_bounce_days))

    async def note(self, mail: ParsedMail, recognised: Recognised, message_id: str, at: datetime) -> None:
        """What follows from a notice that was taken in as `message_id`; nothing for any other mail."""
        if recognised.kind is not Kind.BOUNCE:
            return
        bounce = bounce_of(mail)
        letter = await self._letter(bounce)
        if letter is None:
            metrics.BOUNCES.labels("unknown").inc()
            return
        status, reason, hard = _about(bounce, letter.to.address)
        metrics.BOUNCES.labels("hard" if hard else "soft").inc()
        log.info("letter.bounced", letter=letter.id, ticket=letter.ticket_id, reason=reason, hard=hard)
        await self._stores.letters.change(letter.id, lambda one: one.bounced(at, reason, hard, status))
        await self._remember(letter.to.address, message_id, hard, reason, at)

    async def _letter(self, bounce: Bounce) -> Letter | None:
        """The letter that came back, if it is ours and went to one of the recipients."""
        if not bounce.original_message_id:
            return None
        page = await self._stores.letters.find(
            {"message_id": bounce.original_message_id}, limit=LETTERS_LOOKED_AT
        )
        told = {one.lower() for one in bounce.recipients}
        return next((one for one in page.items if one.to.address.lower() in told), None)

    async def _remember(self, address: str, message_id: str, hard: bool, reason: str, at: datetime) -> None:
        new = Suppression(id=suppression_id(address), address=address.lower(), since=at)
        held = await self._stores.suppressions.add(new)
        await self._stores.suppressions.change(
            held.id, lambda one: one.note_bounce(message_id, hard, reason, at, self._patience)
        )


def _about(bounce: Bounce, address: str) -> tuple[str, str, bool]:
    """Status, reason, and whether it is hard, for this recipient."""
    place = [one.lower() for one in bounce.recipients].index(address.lower())
    status, reason = bounce.statuses[place], bounce.reasons[place]
    return status, reason, reason in HARD
