"""In which language a text is written, as far as its commonest words and its script tell. Pure.

Both triage, which keeps it with the ticket, and letters, which answer in it, ask here. When words of two
languages are as many, or hardly any is known, there is no answer. Devanagari is taken for Hindi: nothing else
that we write letters in is written with it.
"""

import re
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")

SURE_FROM = 2
"""Known words of a language that a text needs at least."""

LANGUAGES: dict[str, frozenset[str]] = {
    "en": frozenset(
        "the and is are was have has not you your with this that for can cannot please when my".split()
    ),
    "de": frozenset(
        "der die das und ist sind war habe hat nicht sie ihr mit dieses für kann bitte wenn ich".split()
    ),
    "es": frozenset(
        "el la los las y es son tengo tiene no usted con esto para puede por favor cuando mi".split()
    ),
    "fr": frozenset(
        "le la les et est sont avez pas vous votre avec cette pour peut quand mon je ne bonjour".split()
    ),
    "pt": frozenset(
        "o os as e é são tenho tem não você seu com isto para pode quando meu eu uma obrigado".split()
    ),
}
"""Common words that tell a language."""

SCRIPTS = {"hi": ("\u0900", "\u097f"), "ta": ("\u0b80", "\u0bff")}
"""Languages that their script tells: its first character and its last."""


def words(text: str) -> list[str]:
    """The words of a text, casefolded."""
    return _WORD.findall(text.casefold())


def language_of(said: Sequence[str]) -> str | None:
    """The language (ISO 639-1) that these words, casefolded, are in; None when they do not tell."""
    for language, (first, last) in SCRIPTS.items():
        if 2 * sum(first <= word[0] <= last for word in said) > len(said):
            return language
    known = set(said)
    scores = {language: len(known & common) for language, common in LANGUAGES.items()}
    best = max(scores, key=lambda language: scores[language])
    return best if scores[best] >= SURE_FROM and list(scores.values()).count(scores[best]) == 1 else None
