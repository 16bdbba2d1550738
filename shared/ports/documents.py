"""Documents: collections of pydantic documents, by id, by declared index, by due time.

One document is changed at a time and wholly or not at all; there are no transactions over several.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel

from shared.domain.documents import Document

D = TypeVar("D", bound=Document)
G = TypeVar("G", bound=BaseModel)

Scalar = str | int | bool | datetime | None


@dataclass(frozen=True)
class AnyOf:
    """Matches a field that equals one of `values` (or, for a list field, holds one of them)."""

    values: Sequence[Scalar]


@dataclass(frozen=True)
class Range:
    """Matches `at_least <= field < below`; either end may be left open."""

    at_least: int | str | datetime | None = None
    below: int | str | datetime | None = None


@dataclass(frozen=True)
class Either:
    """Matches a field that equals `value`, and where it does not, a field `also` that equals it or holds it.

    A list by it is read in its order from indexes, if each of the two fields has one that goes on with the
    field of the order.
    """

    value: str | int | bool | datetime
    also: str


Condition = Scalar | AnyOf | Range | Either

Filter = Mapping[str, Condition]
"""Field name to condition, all of which must hold. A scalar means equality; on a list field, membership."""


@dataclass(frozen=True)
class Index:
    """Fields to filter and order by, in this order; top-level fields of the model alone.

    `unique`: no two documents have the same values in them; None is no value, so many may have it.
    """

    fields: tuple[str, ...]
    unique: bool = False


@dataclass(frozen=True)
class Spec(Generic[D]):
    """A collection: its name, its model, what may be asked of it.

    `indexes`: a filter or an order on a field that none of them names raises `UndeclaredFilter`.
    `text`: the string fields that `search` looks into.
    `claimable`: the model is a `Sleeper`, and `claim` may be called.
    `retired`: indexes that a version before declared and nothing asks any more; `prepare` drops them.
    """

    name: str
    model: type[D]
    indexes: tuple[Index, ...] = ()
    text: tuple[str, ...] = ()
    claimable: bool = False
    retired: tuple[Index, ...] = ()

    def declared(self) -> frozenset[str]:
        """Every field that a filter or an order may name."""
        return frozenset(name for index in self.indexes for name in index.fields) | {"id"}


@dataclass(frozen=True)
class Order:
    """By which declared field, and which way; equal values are ordered by id, the same way."""

    by: str = "id"
    descending: bool = False


BY_ID = Order()


@dataclass(frozen=True)
class Page(Generic[D]):
    """A page of documents. `after` continues behind the last one; None when there is no more."""

    items: list[D] = field(default_factory=list)
    after: str | None = None


class Collection(Protocol[D]):
    """One collection of documents.

    Durable: a write that returned survives the death of every process and of the store itself. A write
    whose caller was cancelled, or was told `Unavailable`, may or may not have happened. Instants are kept to
    the millisecond; what is finer is cut off.

    Callers are many and each awaits one operation; the adapter gathers what stands waiting into bulk calls
    and gives each caller its own answer. One caller's error is never another's.

    Every method raises `Unavailable` when the store does not answer.
    """

    async def get(self, doc_id: str) -> D:
        """The document. Raises `NotFound`."""
        ...

    async def get_many(self, doc_ids: Sequence[str]) -> dict[str, D]:
        """Those of the documents that exist, by id."""
        ...

    async def insert(self, document: D) -> None:
        """Store a new document. Raises `Duplicate` when its id or a unique value is taken."""
        ...

    async def replace(self, document: D, if_version: int) -> None:
        """Store a changed document in the place of the one that has version `if_version`.

        `document.version` must be greater than `if_version`. Raises `Conflict` when the stored one has
        another version, `NotFound` when there is none, `Duplicate` when a unique value is taken.
        """
        ...

    async def delete(self, doc_id: str) -> None:
        """Remove the document; it is no error when there is none."""
        ...

    async def clear_outbox(self, doc_id: str, event_ids: Sequence[str]) -> None:
        """Take published events out of the document's outbox; its version stays as it is.

        An event's id is of one document alone: adapters may look for it in others that are cleared too.
        """
        ...

    async def unpublished(self, older_than: float, limit: int) -> list[D]:
        """Documents whose outbox is not empty and that were last written more than `older_than` seconds ago.

        Those first that have waited longest.
        """
        ...

    async def find(
        self,
        where: Filter,
        order: Order = BY_ID,
        limit: int = 50,
        after: str | None = None,
    ) -> Page[D]:
        """A page by keyset: `after` is what the page before returned.

        Documents inserted or moved meanwhile make no other document appear twice or go missing.
        Raises `UndeclaredFilter`, and `Invalid` for an `after` that is not ours.
        """
        ...

    async def count(self, where: Filter) -> int:
        """How many documents meet `where`; from the index alone, if one begins with all its fields.

        Of documents that come and go meanwhile each may be counted or not. Raises `UndeclaredFilter`.
        """
        ...

    async def glance(self, part: type[G], where: Filter, limit: int, after: str = "") -> list[G]:
        """Of up to `limit` documents behind the id `after`, in the order of ids, the fields of `part` alone.

        `part` has `id` and any others of the documents' fields. For going through very many: what it does
        not name is not looked at, so a document may be seen whose rest is damaged. Raises `UndeclaredFilter`.
        """
        ...

    async def search(self, text: str, where: Filter | None = None, limit: int = 50) -> list[D]:
        """Documents whose text fields hold all the words of `text` (any case), best first.

        Words that very many documents hold may give the newest of them instead, and not all.
        Raises `UndeclaredFilter`. What people type is data: no operator in it has a meaning.
        """
        ...

    async def claim(self, now: datetime, lease: float, limit: int, where: Filter | None = None) -> list[D]:
        """Give up to `limit` due documents (`wake_at <= now`) to this caller alone, earliest first.

        Each has its `wake_at` moved to `now` + `lease` seconds and its version raised by one, so it comes
        back by itself when the caller dies, and a caller that outlived its lease gets `Conflict` on saving.
        """
        ...


class Documents(Protocol):
    """The store of documents."""

    def collection(self, spec: Spec[D]) -> Collection[D]:
        """The collection; its indexes are made by `prepare`."""
        ...

    async def prepare(self, specs: Sequence[Spec[Any]]) -> None:
        """Make collections and indexes where they are missing, and drop those that are retired.

        May be called by many processes at once. No other index is touched, whoever made it.
        """
        ...

    async def increment(
        self,
        counter: str,
        by: Mapping[str, int],
        once: str | None = None,
        kept_for: float | None = None,
    ) -> dict[str, int]:
        """Add to the named numbers of a counter and return them as they are after this call.

        With `once`, a token: the same token given again (within the last 2,000 of this counter) adds
        nothing, and what another process adds at the same time may be in the answer already. Without it, of
        two callers who add to one number no two get the same answer.

        `kept_for`: that many seconds after it was last added to, by the store's clock, the counter is
        forgotten with its tokens, soon but not at once. Without it a counter stays for ever.
        """
        ...

    async def counters(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
        """The numbers of the counters that exist, by counter."""
        ...

    async def set_counter(self, counter: str, to: Mapping[str, int]) -> None:
        """Make a counter hold these numbers and no others; its tokens are kept."""
        ...

    async def ping(self) -> None:
        """Return if the store answers writes. Raises `Unavailable`."""
        ...
