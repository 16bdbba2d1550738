"""Words to search for: what people type becomes quoted words, and what MongoDB finds is looked at once more.

MongoDB joins words by "or", but a document must hold every quoted phrase. A phrase however also matches
inside a longer word, so each document found is checked for whole words. Case and accents do not matter.

To rank, the server must fetch every document that holds any of the words, which takes seconds for common ones
in a large collection. So a search that finds more than `RANKED` documents or takes longer than `SEARCH_MS` is
not ranked: the newest documents are looked through instead, `WALKED` of them at most.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pymongo import ASCENDING, DESCENDING
from pymongo.errors import ExecutionTimeout

RANKED = 2_000
"""Documents that a search ranks; words that more of them hold say too little about any."""

SEARCH_MS = 1_000
"""Milliseconds of the server for each of the two questions of a ranked search."""

WALKED = 5_000
"""Newest documents that are looked through for words that are not ranked."""

_BEST_FIRST = [("score", {"$meta": "textScore"}), ("_id", ASCENDING)]


async def searched(
    stored: Any, words: Sequence[str], fields: Sequence[str], conditions: Mapping[str, Any], limit: int
) -> list[dict[str, Any]]:
    """Up to `limit` documents of `stored` that hold all `words`; see the module for their order."""
    whole = WholeWords(words, fields)
    query = {"$text": {"$search": phrases(words)}, **conditions}
    try:
        candidates = stored.find(query, {"_id": 1}).limit(RANKED + 1).max_time_ms(SEARCH_MS)
        if len(await candidates.to_list(length=None)) <= RANKED:
            return await _first(stored.find(query).sort(_BEST_FIRST).max_time_ms(SEARCH_MS), whole, limit)
    except ExecutionTimeout:
        pass  # as for too many: look through the newest
    return await _first(stored.find(conditions).sort("_id", DESCENDING).limit(WALKED), whole, limit)


async def _first(cursor: Any, whole: "WholeWords", limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    try:
        async for one in cursor:
            if whole.match(one):
                found.append(one)
            if len(found) == limit:
                break
    finally:
        await cursor.close()
    return found


def words_of(text: str) -> list[str]:
    """The words of `text`: letters, digits, marks and `_`; everything else, operators too, stands between."""
    spaced = "".join(letter if _in_word(letter) else " " for letter in unicodedata.normalize("NFC", text))
    return list(dict.fromkeys(spaced.split()))


def phrases(words: Iterable[str]) -> str:
    """A text query for documents that hold all the words."""
    return " ".join(f'"{word}"' for word in words)


class WholeWords:
    """Tells whether a stored document holds all the words in its text fields, each as a word of its own."""

    def __init__(self, words: Iterable[str], fields: Sequence[str]) -> None:
        self._patterns = [re.compile(rf"(?<!\w){re.escape(_folded(word))}(?!\w)") for word in words]
        self._fields = fields

    def match(self, stored: Mapping[str, Any]) -> bool:
        """Whether every word stands in one of the fields."""
        texts = [_folded(text) for field in self._fields if isinstance(text := stored.get(field), str)]
        return all(any(pattern.search(text) for text in texts) for pattern in self._patterns)


def _in_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_" or unicodedata.category(letter).startswith("M")


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    spread = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in spread if not unicodedata.combining(letter)).casefold()
