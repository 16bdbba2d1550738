"""Words to search for: what people type becomes quoted words, and what MongoDB finds is looked at once more.

MongoDB joins words by "or", but a document must hold every quoted phrase. A phrase however also matches
inside a longer word, so each document found is checked for whole words. Case and accents do not matter.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


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
