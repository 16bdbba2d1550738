"""Which charset bytes are in that nobody declared, or declared wrongly. Pure; never raises.

Asked only when what was declared failed and the bytes are no UTF-8. Letters of the Latin script stand alone
between ASCII letters: for those there is no guess. Bytes above 127 in runs are another script: East Asian
charsets tell themselves by the lead bytes of their commonest characters, the others by how many letters are
among the commonest of their language. When nothing is plain, there is no guess.
"""

import re

SAMPLE = 8192
"""Bytes that are looked at."""
LEAST = 12
"""Bytes above 127 below which a guess is too often wrong."""

_RUN = re.compile(rb"[\x80-\xff]{2,}")
_PAIR = re.compile(rb"[\x81-\xfe][\x40-\xfe]")
_SHIFT_JIS_KANA = re.compile(rb"\x82[\x9f-\xf1]|\x83[\x40-\x96]")
_EUC_PAIR = re.compile(rb"([\xa1-\xfe])[\xa1-\xfe]")
_BIG5_COMMON = re.compile(rb"[\xa4-\xc6][\x40-\x7e\xa1-\xfe]")

# The commonest letters of a language, in lower case: of its texts they are two thirds and more.
_COMMONEST = {
    "cp1251": "оеаинтсрвлі",
    "koi8-r": "оеаинтсрвлі",
    "iso8859-5": "оеаинтсрвлі",
    "cp866": "оеаинтсрвлі",
    "cp1253": "αοιετσνηυρ",
    "cp1255": "יוהלאםתרמנש",
    "cp1256": "اليمونرتبة",
    "cp874": "านรอกเงมยลว่้ิัี",
}
_PLAIN = 0.55
"""Share of letters among the commonest from which on a guess is plain."""


def guess(data: bytes) -> str | None:
    """The name of a codec, or None."""
    sample = data[:SAMPLE]
    high = len(sample) - len(sample.translate(None, bytes(range(128, 256))))
    in_runs = sum(len(run) for run in _RUN.findall(sample))
    if high < LEAST or in_runs < 0.6 * high:
        return None
    return _east_asian(sample, high) or _by_letters(sample)


def _east_asian(sample: bytes, high: int) -> str | None:
    if _fits(sample, "cp932") and 4 * len(_SHIFT_JIS_KANA.findall(sample)) >= high * 0.5:
        return "cp932"
    leads = [pair[0] for pair in _EUC_PAIR.findall(sample)]
    if leads and 2 * len(leads) >= 0.95 * high:
        return _euc(sample, leads)
    common = _BIG5_COMMON.findall(sample)
    if _fits(sample, "big5hkscs") and len(common) >= 0.8 * len(_PAIR.findall(sample)):
        return "big5hkscs"
    return None


def _euc(sample: bytes, leads: list[int]) -> str | None:
    """Of the charsets whose characters are two bytes above 160 the one whose commonest rows these are."""
    kana = sum(lead in (0xA4, 0xA5) for lead in leads)
    hangul = sum(0xB0 <= lead <= 0xC8 for lead in leads)
    hanzi = sum(0xB0 <= lead <= 0xD7 for lead in leads)
    if kana >= 0.3 * len(leads) and _fits(sample, "euc_jp"):
        return "euc_jp"
    if hangul >= 0.95 * len(leads) and b" " in sample and _fits(sample, "cp949"):
        return "cp949"
    if hanzi >= 0.75 * len(leads) and _fits(sample, "gb18030") and _by_letters(sample) is None:
        return "gb18030"
    return None


def _by_letters(sample: bytes) -> str | None:
    rated = max((_rate(sample, codec), codec) for codec in _COMMONEST)
    return rated[1] if rated[0] >= _PLAIN else None


def _rate(sample: bytes, codec: str) -> float:
    """The share of letters above ASCII that are common ones; one in the wrong case counts as none."""
    letters = [one for one in sample.decode(codec, "replace") if not one.isascii() and not one.isspace()]
    common = _COMMONEST[codec]
    words = sum(one in common for one in letters)
    return words / len(letters) if letters else 0.0


def _fits(sample: bytes, codec: str) -> bool:
    """Whether the codec takes the sample; its last character may be cut in two."""
    for end in (len(sample), len(sample) - 1):
        try:
            sample[:end].decode(codec)
        except ValueError:
            continue
        return True
    return False
