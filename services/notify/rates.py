"""How many letters a minute go to one recipient domain: what is too many waits, and is not blamed for it.

Counted in the store, so all replicas together keep the rate. A letter above it is given the instant at which
its turn would come if the others wait as it does; there it is counted anew. Without a rate nothing is asked.

On failure: `Unavailable` of the store is passed on; the letter waits.
"""

from datetime import UTC, datetime, timedelta

from services.notify.settings import NotifySettings
from shared.domain.ids import derived
from shared.domain.letters import Letter
from shared.ports.documents import Documents

MINUTE = 60

KEPT_SECONDS = 10 * MINUTE
"""How long a counter outlives its last letter: longer than its minute."""


class Rates:
    """See the module."""

    def __init__(self, documents: Documents, settings: NotifySettings) -> None:
        self._documents = documents
        self._default = settings.domain_rate
        self._rates = {domain.lower(): rate for domain, rate in settings.domain_rates.items()}

    async def put_off(self, letter: Letter, now: datetime) -> datetime | None:
        """When this letter may be tried; None: now."""
        domain = letter.to.address.rpartition("@")[2].lower()
        rate = self._rates.get(domain, self._default)
        if rate <= 0:
            return None
        minute = int(now.timestamp()) // MINUTE
        counter = f"{derived('rate', domain)}:{minute}"
        counted = await self._documents.increment(counter, {"letters": 1}, kept_for=KEPT_SECONDS)
        ahead, place = divmod(counted["letters"] - 1, rate)
        if not ahead:
            return None
        turn = datetime.fromtimestamp((minute + ahead) * MINUTE, UTC)
        return turn + timedelta(seconds=place * MINUTE / rate)
