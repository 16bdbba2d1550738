"""Whether a line is one that a telephone or a mail program puts below a mail. Pure, never raises; linear.

People's last words may begin like such a line ("Sent from my wife's account"), so it has to name a device or
a program, and to say nothing to the reader but "excuse the typing errors".
"""

import re

from services.ingest.device_words import (
    APOLOGY,
    APPS,
    BY_MAIL,
    DEVICE_ENDS,
    DEVICE_FRAMES,
    DEVICES,
    GADGETS,
    GETS,
    NO_GADGETS,
    PLATFORMS,
    SMALL_WORDS,
    WHOLE,
)
from services.ingest.quote_words import folded

_LONGEST = 120
_MOST_WORDS = 12
_MOST_WORDS_SURE = 8
_SENT_FROM = "sent from "
_SENT_FROM_MY = "sent from my "
_AROUND = "*_[]<>()- \t"
_LINK = re.compile(r"[<(] ?https?://[^<>()\s]{1,200} ?[)>]")
_PARTS = re.compile(r"[.,;!]+\s+|\s[-\N{EN DASH}\N{EM DASH}]\s|[.!]$")
_SENTENCE_ENDS = (".", "!", "。", "\N{FULLWIDTH EXCLAMATION MARK}")
_QUESTION_ENDS = ("?", "\N{FULLWIDTH QUESTION MARK}")


def is_device(line: str) -> bool:
    """ "Sent from my telephone", with an apology for its brevity perhaps, and nothing more."""
    line, link = _without_link(line) if len(line) <= _LONGEST else ("", "")
    line, sorry = _without_apology(line.strip(_AROUND))
    words = folded(line.strip(_AROUND))
    if not words or len(words.split()) > _MOST_WORDS or words.endswith(_QUESTION_ENDS):
        return False
    if words in WHOLE:
        return True
    says_more = "," in words and words.endswith(_SENTENCE_ENDS) and not sorry
    if says_more or NO_GADGETS.search(words) is not None:
        return False
    return _is_sent_from(words, line, bool(link)) or _names_device(words.rstrip(" .!。"), link)


def _names_device(words: str, link: str) -> bool:
    """What such lines begin and end with in any language, and a device or a program, be it in the link."""
    if APPS.search(words) and PLATFORMS.search(words) and (words.startswith(GETS) or words.endswith(GETS)):
        return len(words.split()) <= _MOST_WORDS_SURE
    framed = any(words.startswith(start) and words.endswith(end) for start, end in DEVICE_FRAMES)
    named = framed or words.startswith(DEVICES) or words.endswith(DEVICE_ENDS)
    return named and GADGETS.search(f"{BY_MAIL.sub(' ', words)} {link.casefold()}") is not None


def _without_link(line: str) -> tuple[str, str]:
    """The line without a link in brackets, and the link."""
    found = _LINK.search(line)
    return (line, "") if found is None else (f"{line[: found.start()]} {line[found.end() :]}", found[0])


def _without_apology(line: str) -> tuple[str, bool]:
    """The line without the part that asks to excuse brevity or typing errors, and whether it had one."""
    parts = [part for part in _PARTS.split(line) if part.strip()]
    kept = [part for part in parts if APOLOGY.search(folded(part)) is None]
    return (" ".join(kept), True) if len(kept) == 1 < len(parts) else (line, False)


def _is_sent_from(words: str, line: str, link: bool) -> bool:
    """ "Sent from my …", whatever it is, or "Sent from" something that is written like a name."""
    if not words.startswith(_SENT_FROM) or (not link and len(words.split()) > _MOST_WORDS_SURE):
        return False
    if link or words.startswith(_SENT_FROM_MY):
        return True
    named = all(not one[0].islower() or one in SMALL_WORDS for one in line.split()[2:])
    return named and not words.endswith(".")
