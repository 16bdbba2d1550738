"""Counters in MongoDB: one document a counter, changed in one step together with the tokens it has seen.

What callers add to one counter while a call is under way is added up and sent as one change. A change that
holds a token the counter knows already is not made at all; it is made again without those tokens.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymongo import ReturnDocument

from shared.adapters.gather import Gatherer
from shared.adapters.mongo import Mongo, calling
from shared.domain.errors import Duplicate

TOKENS_KEPT = 2000
"""Tokens that a counter remembers: the contract's number."""

COLLECTION = "_counters"

_ESCAPES = {"%": "%25", ".": "%2E", "$": "%24", "\0": "%00"}


@dataclass(frozen=True)
class Addition:
    """What one caller adds to one counter."""

    counter: str
    by: Mapping[str, int]
    once: str | None


class MongoCounters:
    """The counters of the documents port."""

    def __init__(self, mongo: Mongo) -> None:
        self._mongo = mongo
        self._stored = mongo.collection(COLLECTION)
        self._by_counter: dict[str, Gatherer[Addition, dict[str, int]]] = {}

    async def increment(self, counter: str, by: Mapping[str, int], once: str | None) -> dict[str, int]:
        """See the port."""
        gatherer = self._by_counter.get(counter)
        if gatherer is None:
            gatherer = self._by_counter[counter] = self._mongo.gatherer(self._add_all)
        return await gatherer.ask(Addition(counter, dict(by), once))

    async def read(self, names: Sequence[str]) -> dict[str, dict[str, int]]:
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

    async def _add_all(self, additions: list[Addition]) -> list[dict[str, int] | BaseException]:
        """Add what is not known yet; everyone's answer is as if they had been served one after the other."""
        counter = additions[0].counter
        applied = _first_of_each_token(additions)
        while True:
            tokens = [addition.once for addition in applied if addition.once is not None]
            try:
                after = await self._add(counter, applied, tokens)
                break
            except Duplicate:  # the counter is there, and knows one of the tokens
                known = await self._known(counter, tokens)
                applied = [addition for addition in applied if addition.once not in known]
        return _answers(additions, applied, after)

    async def _add(self, counter: str, applied: list[Addition], tokens: list[str]) -> dict[str, int]:
        """Make one change of all. Raises `Duplicate` when one of the tokens is known."""
        sums: dict[str, int] = {}
        for addition in applied:
            for name, number in addition.by.items():
                sums[name] = sums.get(name, 0) + number
        change: dict[str, Any] = {
            "$inc": {f"numbers.{_escaped(name)}": number for name, number in sums.items()}
        }
        query: dict[str, Any] = {"_id": counter}
        if tokens:
            query["tokens"] = {"$nin": tokens}
            change["$push"] = {"tokens": {"$each": tokens, "$slice": -TOKENS_KEPT}}
        with calling("increment"):
            stored = await self._stored.find_one_and_update(
                query, change, {"numbers": 1}, upsert=True, return_document=ReturnDocument.AFTER
            )
        return _numbers(stored)

    async def _known(self, counter: str, tokens: list[str]) -> frozenset[str]:
        known = {"$setIntersection": [{"$ifNull": ["$tokens", []]}, {"$literal": tokens}]}
        with calling("increment"):
            stored = await self._stored.find_one({"_id": counter}, {"known": known})
        return frozenset(stored["known"]) if stored else frozenset()


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
    additions: list[Addition], applied: list[Addition], after: dict[str, int]
) -> list[dict[str, int] | BaseException]:
    """Go back from the numbers after all to those after each."""
    made = {id(addition) for addition in applied}
    now = dict(after)
    answers: list[dict[str, int] | BaseException] = []
    for addition in reversed(additions):
        answers.append({name: now.get(name, 0) for name in addition.by})
        if id(addition) in made:
            for name, number in addition.by.items():
                now[name] = now.get(name, 0) - number
    return answers[::-1]


def _numbers(stored: Mapping[str, Any]) -> dict[str, int]:
    return {_plain(name): int(number) for name, number in stored.get("numbers", {}).items()}


def _escaped(name: str) -> str:
    """The name as one step of a path: a dot would lead deeper."""
    return "".join(_ESCAPES.get(letter, letter) for letter in name)


def _plain(name: str) -> str:
    for letter, escape in reversed(_ESCAPES.items()):
        name = name.replace(escape, letter)
    return name
