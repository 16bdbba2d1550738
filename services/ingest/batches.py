"""How many mails to fetch at a time. Pure.

As many as allowed by number and bytes; a mail that alone exceeds the bytes goes alone. When fetching a batch
failed, its mails are fetched one by one, and the one at fault is given up after some tries: one bad mail must
not stop its mailbox.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from services.ingest.ports import Waiting


def batches(waiting: Iterable[Waiting], most: int, most_bytes: int) -> Iterator[list[Waiting]]:
    """The mails in order, in batches of at most `most` mails and `most_bytes` bytes."""
    batch: list[Waiting] = []
    size = 0
    for mail in waiting:
        if batch and (len(batch) >= most or size + mail.size > most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(mail)
        size += mail.size
    if batch:
        yield batch


class Care:
    """How carefully to fetch: `most` at a time, until the mail is found that makes fetching fail."""

    def __init__(self, most: int, tries: int) -> None:
        self._most = most
        self._tries = tries
        self._singles = 0
        self._failures: Counter[int] = Counter()

    @property
    def most(self) -> int:
        """Mails to fetch at a time now."""
        return 1 if self._singles else self._most

    def failed(self, uids: Sequence[int]) -> None:
        """Fetching these failed."""
        self._singles = max(self._singles, len(uids))
        if len(uids) == 1:
            self._failures[uids[0]] += 1

    def probe(self, waiting: Iterable[Waiting]) -> int | None:
        """While a mail is suspected: the smallest that is not, to see whether the server gives any at all.

        It is suspected too until it is settled, so that two bad mails do not speak for one another.
        """
        others = [mail for mail in waiting if mail.uid not in self._failures] if self._failures else []
        if not others:
            return None
        probe = min(others, key=lambda mail: mail.size).uid
        self._failures[probe] = 0
        return probe

    def cleared(self, uid: int) -> None:
        """The probe was given."""
        self._failures.pop(uid, None)

    def settled(self, uids: Sequence[int]) -> None:
        """These are fetched, or given up."""
        self._singles = max(0, self._singles - len(uids))
        for uid in uids:
            self._failures.pop(uid, None)

    def hopeless(self, uid: int) -> bool:
        """Whether this mail has failed often enough to be given up."""
        return self._failures[uid] >= self._tries
