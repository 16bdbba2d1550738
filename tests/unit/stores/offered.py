"""A publisher that publishes nothing and remembers what it was offered."""

from typing import Any

from shared.domain.documents import Document
from shared.ports.documents import Collection


class Offered:
    """See the module; `ids` are those of the events, in the order of the offers."""

    def __init__(self) -> None:
        self.ids: list[list[str]] = []

    def offer(self, _collection: Collection[Any], document: Document) -> None:
        self.ids.append([envelope.id for envelope in document.outbox])
