"""Counters in MongoDB: one document a counter, changed in one step together with the tokens it has seen.

What callers add to one counter while a call is under way is added up and sent as one change. The changes of
many counters go in one bulk call, and their numbers are read by a second one: so what another process added
in between is in the answer too. A change without a token must get an answer of its own, so it is a call that
changes and reads in one.

A change that holds a token the counter knows already is not made at all: the server would have to insert a
second counter of that name, which it refuses. It is made again without those tokens.

Tokens are kept as numbers of 64 bits, in two lists: `seen`, which only grows at its end, and `seen_before`,
whose place it takes when it is full. A list that is shifted at every change is written anew as a whole, by
the server and into its log: that took five times as long with 2,000 tokens. Until a counter's first such
turn its `tokens`, which the version before wrote as texts, are looked at too.

A counter that is to be forgotten has `expires_at`; the server removes it, looking once a minute. Most changes
of such counters are their first, so they are tried as inserts: a third of what finding none costs.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any
from weakref import WeakValueDictionary

from pymongo import ASCENDING, InsertOne, ReturnDocument, UpdateOne
from pymongo.errors import BulkWriteError

from shared.adapters.gather import Gatherer
from shared.adapters.mongo import Mongo, calling, ours_by_index
from shared.domain.errors import Duplicate, OmbudError

TOKENS_KEPT = 2000
"""Tokens that a counter remembers at least, the contract's number, and not more than twice as many."""

EXPIRY_STEPS = 32
"""`expires_at` is moved on in steps of this part of the time: not every change of a counter is one of it."""

COLLECTION = "_counters"

_ESCAPES = {"%": "%25", ".": "%2E", "$": "%24", "\0": "%00"}

Numbers = dict[str, int]


@dataclass(frozen=True)
class Addition:
    """What one caller adds to one counter."""

    counter: str
    by: Mapping[str, int]
    once: str | None = None
    kept_for: float | None = None


@dataclass(frozen=True)
class Change:
    """What is added to one counter at once: all of it, or none if the counter knows one of the tokens."""

    counter: str
    by: Mapping[str, int]
    tokens: Sequence[str]
    kept_for: float | None

    @classmethod
    def of(cls, additions: Sequence[Addition]) -> "Change":
        """All of the additions, which are to one counter."""
        sums: Numbers = {}
        for addition in additions:
            for name, number in addition.by.items():
                sums[name] = sums.get(name, 0) + number
        tokens = [addition.once for addition in additions if addition.once is not None]
        kept_for = max((one.kept_for for one in additions if one.kept_for is not None), default=None)
        return cls(additions[0].counter, sums, tokens, kept_for)

    def query(self) -> dict[str, Any]:
        """Matches the counter if it knows none of the tokens."""
        if not self.tokens:
            return {"_id": self.counter}
        numbers = [_numbered(token) for token in self.tokens]
        return {
            "_id": self.counter,
            "seen": {"$nin": numbers},
            "seen_before": {"$nin": numbers},
            "tokens": {"$nin": self.tokens},
        }

    def update(self) -> dict[str, Any]:
        """Adds the numbers and the tokens."""
        update: dict[str, Any] = {
            "$inc": {f"numbers.{_escaped(name)}": number for name, number in self.by.items()}
        }
        if self.tokens:
            update["$push"] = {"seen": {"$each": [_numbered(token) for token in self.tokens]}}
        if self.kept_for is not None:
            update["$max"] = {"expires_at": _expiry(self.kept_for)}
        return update

    def first(self) -> dict[str, Any]:
        """The counter that this change makes."""
        counter: dict[str, Any] = {
            "_id": self.counter,
            "numbers": {_escaped(name): number for name, number in self.by.items()},
            "seen": [_numbered(token) for token in self.tokens],
        }
        return counter if self.kept_for is None else counter | {"expires_at": _expiry(self.kept_for)}


class MongoCounters:
    """The counters of the documents port."""

    def __init__(self, mongo: Mongo) -> None:
        self._stored = mongo.collection(COLLECTION)
        # One change of a counter at a time, so that of one process nobody's answer counts what came later.
        self._by_counter: WeakValueDictionary[str, Gatherer[Addition, Numbers]] = WeakValueDictionary()
        self._changes: Gatherer[Change, Numbers] = mongo.gatherer(self._change_all)

    async def prepare(self) -> None:
        """Have the server forget what has expired."""
        with calling("prepare"):
            await self._stored.create_index([("expires_at", ASCENDING)], expireAfterSeconds=0)

    async def increment(self, addition: Addition) -> Numbers:
        """See the port."""
        counter = addition.counter
        gatherer = self._by_counter.get(counter)
        if gatherer is None:
            gatherer = self._by_counter[counter] = Gatherer(self._add_all, parallel=1)
        return await gatherer.ask(addition)

    async def read(self, names: Sequence[str]) -> dict[str, Numbers]:
        """See the port."""
        with calling("counters"):
            stored = await self._stored.find({"_id": {"$in": list(names)}}, {"numbers": 1}).to_list(
                length=None
            )
        return {one["_id"]: _numbers(one) for one in stored}

    async def set(self, counter: str, to: Mapping[str, int]) -> None:
        """See the port."""
        numbers = {_escaped(name): number for name, number in to.items()}
        with calling("set_counter"):
            await self._stored.update_one({"_id": counter}, {"$set": {"numbers": numbers}}, upsert=True)

    async def _add_all(self, additions: list[Addition]) -> list[Numbers | BaseException]:
        """Add what is not known yet; everyone's answer is as if they had been served one after the other."""
        counter = additions[0].counter
        applied = _first_of_each_token(additions)
        while applied:
            change = Change.of(applied)
            try:
                if len(change.tokens) == len(applied):
                    after = await self._changes.ask(change)
                else:
                    after = await self._change(change)
                return _answers(additions, applied, after)
            except Duplicate:  # the counter is there, and knows one of the tokens
                known = await self._known(counter, change.tokens)
                applied = [addition for addition in applied if addition.once not in known]
        return _answers(additions, [], (await self.read([counter])).get(counter, {}))

    async def _change(self, change: Change) -> Numbers:
        """Make one change, and return the numbers as it left them. Raises `Duplicate` for a known token."""
        with calling("increment"):
            stored = await self._stored.find_one_and_update(
                change.query(),
                change.update(),
                {"numbers": 1},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return _numbers(stored)

    async def _change_all(self, changes: list[Change]) -> list[Numbers | BaseException]:
        """Make each change, of as many counters; the answers are the numbers read after all of them."""
        passing = [change for change in changes if change.kept_for is not None]
        failed = await self._write_all([InsertOne(change.first()) for change in passing])
        made = {change.counter: dict(change.by) for n, change in enumerate(passing) if n not in failed}
        others = [change for change in changes if change.counter not in made]
        failed = await self._write_all([UpdateOne(one.query(), one.update(), upsert=True) for one in others])
        errors = {others[number].counter: error for number, error in failed.items()}
        after = made | await self._after([change.counter for change in others])
        return [errors.get(change.counter, after.get(change.counter, {})) for change in changes]

    async def _write_all(self, writes: list[InsertOne[Any]] | list[UpdateOne]) -> dict[int, OmbudError]:
        """The errors of single writes, by their index."""
        if not writes:
            return {}
        try:
            with calling("increment"):
                await self._stored.bulk_write(writes, ordered=False)
        except BulkWriteError as error:
            return ours_by_index(error)
        return {}

    async def _after(self, counters: Sequence[str]) -> dict[str, Numbers]:
        """The numbers now; a list of tokens that is full takes the place of the one before."""
        if not counters:
            return {}
        wanted = {"numbers": 1, "held": {"$size": {"$ifNull": ["$seen", []]}}}
        with calling("increment"):
            stored = await self._stored.find({"_id": {"$in": list(counters)}}, wanted).to_list(length=None)
            if full := [one["_id"] for one in stored if one["held"] >= TOKENS_KEPT]:
                await self._stored.update_many(
                    {"_id": {"$in": full}, f"seen.{TOKENS_KEPT - 1}": {"$exists": True}},
                    [{"$set": {"seen_before": "$seen", "seen": []}}, {"$unset": "tokens"}],
                )
        return {one["_id"]: _numbers(one) for one in stored}

    async def _known(self, counter: str, tokens: Sequence[str]) -> frozenset[str]:
        with calling("increment"):
            stored = await self._stored.find_one({"_id": counter}, {"numbers": 0})
        held = stored or {}
        known = {*held.get("seen", ()), *held.get("seen_before", ()), *held.get("tokens", ())}
        return frozenset(token for token in tokens if token in known or _numbered(token) in known)


def _numbered(token: str) -> int:
    """The token as 64 bits: of 4,000 tokens two are the same once in two million million counters."""
    return int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), signed=True)


def _expiry(kept_for: float) -> datetime:
    """An instant at least so many seconds ahead, the same for a while."""
    step = max(kept_for / EXPIRY_STEPS, 0.001)
    seconds = ceil((datetime.now(UTC).timestamp() + kept_for) / step) * step
    return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)


def _first_of_each_token(additions: Iterable[Addition]) -> list[Addition]:
    seen: set[str] = set()
    firsts = []
    for addition in additions:
        if addition.once is None or addition.once not in seen:
            firsts.append(addition)
        if addition.once is not None:
            seen.add(addition.once)
    return firsts


def _answers(
    additions: list[Addition], applied: list[Addition], after: Numbers
) -> list[Numbers | BaseException]:
    """Go back from the numbers after all to those after each."""
    made = {id(addition) for addition in applied}
    now = dict(after)
    answers: list[Numbers | BaseException] = []
    for addition in reversed(additions):
        answers.append({name: now.get(name, 0) for name in addition.by})
        if id(addition) in made:
            for name, number in addition.by.items():
                now[name] = now.get(name, 0) - number
    return answers[::-1]


def _numbers(stored: Mapping[str, Any]) -> Numbers:
    return {_plain(name): int(number) for name, number in stored.get("numbers", {}).items()}


def _escaped(name: str) -> str:
    """The name as one step of a path: a dot would lead deeper."""
    return "".join(_ESCAPES.get(letter, letter) for letter in name)


def _plain(name: str) -> str:
    for letter, escape in reversed(_ESCAPES.items()):
        name = name.replace(escape, letter)
    return name
