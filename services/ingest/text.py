"""Bytes to text, whatever the mail claims about them; the text is fit for every store.

Never raises. Mails name charsets wrongly, so: UTF-8, when the bytes are so plainly UTF-8 that no text in the
declared charset looks like it; else what the declared name is known to mean, strictly; then UTF-8, strictly,
or but for a few bytes; then what the bytes look like (charset_guess.py); then Windows-1252, with U+FFFD for
what has no meaning. Clean text holds no NUL, no lone surrogate (neither can be stored as JSON or in a
database) and only `\\n` at line ends.
"""

import codecs
import re
from functools import lru_cache

from services.ingest.charset_guess import guess

# A label on the left is sent for text in the wider charset on the right (WHATWG Encoding Standard §4.2).
_MEANT = {
    "ascii": "utf-8",
    "us-ascii": "utf-8",
    "ansi_x3.4-1968": "utf-8",
    "unknown-8bit": "utf-8",
    "8bit": "utf-8",
    "default": "utf-8",
    "default_charset": "utf-8",
    "x-unknown": "utf-8",
    "x-user-defined": "utf-8",
    "utf8mb4": "utf-8",
    "unicode": "utf-8",
    "iso-10646": "utf-8",
    "utf-8-sig": "utf-8",
    "unicode-1-1-utf-7": "utf-7",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "gb2312_charset": "gb18030",
    "euc-cn": "gb18030",
    "chinese": "gb18030",
    "cp936": "gb18030",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso_8859-1": "cp1252",
    "iso8859_1": "cp1252",
    "iso88591": "cp1252",
    "l1": "cp1252",
    "ansi": "cp1252",
    "cp-1252": "cp1252",
    "win-1252": "cp1252",
    "windows1252": "cp1252",
    "win-1251": "cp1251",
    "windows1251": "cp1251",
    "x-cp1251": "cp1251",
    "x-cp1252": "cp1252",
    "iso-8859-8-i": "cp1255",
    "iso-8859-8-e": "cp1255",
    "iso-8859-8": "cp1255",
    "iso-8859-11": "cp874",
    "iso-8859-9": "cp1254",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "sjis": "cp932",
    "shiftjis": "cp932",
    "x-sjis": "cp932",
    "x-ms-cp932": "cp932",
    "windows-31j": "cp932",
    "ms_kanji": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "x-euc-jp": "euc_jp",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ks_c_5601-1989": "cp949",
    "ksc5601": "cp949",
    "euc-kr": "cp949",
    "x-windows-949": "cp949",
    "big5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "windows-874": "cp874",
    "tis-620": "cp874",
}

# Spellings that programs make up of names that are known.
_MADE_UP = (
    (re.compile(r"^x-mac-"), "mac_"),
    (re.compile(r"^(?:x-|cs)"), ""),
    (re.compile(r"^(?:dos|win|windows|cp|ibm|ms)[-_ ]?(?=\d)"), "cp"),
    (re.compile(r"^(tis)-?(620).*$"), "cp874"),
)
_WIDER = {
    "ascii": "utf-8",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859-1": "cp1252",
    "iso8859-8": "cp1255",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "tis-620": "cp874",
    "iso2022_jp": "iso2022_jp_ext",
}
"""As `_MEANT`, by the names of the codecs that are found for labels."""

_LATIN = frozenset(
    "cp1250 cp1252 cp1254 cp1257 cp437 cp850 cp852 cp858 mac-roman mac_roman iso8859-2 iso8859-3 iso8859-4"
    " iso8859-10 iso8859-13 iso8859-14 iso8859-15 iso8859-16".split()
)
_NOT_LATIN = frozenset(
    "cp1251 cp1253 cp1255 cp1256 cp1258 cp866 cp874 koi8-r koi8-u mac-cyrillic mac_cyrillic iso8859-5"
    " iso8859-6 iso8859-7 gb18030 big5hkscs cp932 cp949 euc_jp".split()
)
_PLAIN_LATIN = 1
_PLAIN = 4
"""Characters above ASCII from which on UTF-8 is plain, whatever is declared: letters of the Latin script are
followed by letters, so a single one does; of other scripts a word or two may look like UTF-8 by chance."""

_GOOD_TO_BAD = 2
"""Characters of UTF-8 for each byte that is none, from which on the text is UTF-8 with a flaw: a line of a
gateway below it, or cut off within a character."""

# Codecs that are no charset of a mail; punycode takes quadratic time, unicode_escape writes what it likes.
_REFUSED = frozenset({"punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})

_LONGEST_LABEL = 60
_SURROGATE = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")


@lru_cache(maxsize=512)
def codec_for(label: str) -> str | None:
    """The name of the codec that a charset label means; None when it means none that we use."""
    name = label.strip().strip("\"'").lower()
    found = _codec(_MEANT.get(name, name))
    for form, plain in _MADE_UP:
        if found is not None or len(name) > _LONGEST_LABEL:
            break
        name = form.sub(plain, name)
        found = _codec(_MEANT.get(name, name))
    return found


def _codec(name: str) -> str | None:
    try:
        found = codecs.lookup(name).name
        "".encode(name)  # refuses rot13, base64 and the other codecs that do not make text of bytes
    except (LookupError, ValueError):
        return None
    return None if found.replace("-", "_") in _REFUSED else _WIDER.get(found, name)


def decode(data: bytes, label: str | None = None) -> str:
    """`data` as text; see the module. Not yet clean."""
    declared = codec_for(label or "us-ascii")
    if declared in (None, "utf-8") and (marked := _marked(data)):
        declared = marked
    if declared is not None and (text := _utf8_all_the_same(data, declared)) is not None:
        return text
    for name in (declared, "utf-8"):
        if name is not None and (text := _strictly(data, name)) is not None:
            return text.removeprefix("\ufeff")
    if declared in (None, "utf-8") and (text := _utf8_with_flaws(data)) is not None:
        return text
    guessed = guess(data)
    return data.decode(guessed or "cp1252", "replace")


def _utf8_all_the_same(data: bytes, declared: str) -> str | None:
    """The text, when it is UTF-8 under the name of another charset."""
    codec = codecs.lookup(declared).name
    least = _PLAIN_LATIN if codec in _LATIN else _PLAIN if codec in _NOT_LATIN else 0
    if not least or data.isascii():
        return None
    text = _strictly(data, "utf-8")
    return text if text is not None and _above_ascii(text) >= least else None


def _utf8_with_flaws(data: bytes) -> str | None:
    """The text, when all but a few bytes are UTF-8; those are read as Windows-1252."""
    valid = data.decode("utf-8", "ignore")
    flaws = len(data) - len(valid.encode())
    if _above_ascii(valid) < _GOOD_TO_BAD * flaws:
        return None
    return data.decode("utf-8", _FLAWS).removeprefix("\ufeff")


def _above_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _read_flaw(fault: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: a byte that is no UTF-8; a character that was cut off is unknown."""
    if not isinstance(fault, UnicodeDecodeError):
        raise fault
    if fault.end == len(fault.object):
        return "\ufffd", fault.end
    return fault.object[fault.start : fault.end].decode("cp1252", "replace"), fault.end


_FLAWS = "ombud.flaws"
codecs.register_error(_FLAWS, _read_flaw)


def _marked(data: bytes) -> str | None:
    """The charset that the bytes name themselves: by a byte order mark, or by the escapes of ISO 2022."""
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        return "utf-16"
    if b"\x1b$" in data:
        return "iso2022_kr" if b"\x1b$)C" in data else "iso2022_jp_ext"
    return None


def _strictly(data: bytes, codec: str) -> str | None:
    try:
        return data.decode(codec)
    except ValueError:
        return None


def clean(text: str) -> str:
    """Text that every store takes, with `\\n` at line ends."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        text = text.replace("\0", "")
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def one_line(text: str) -> str:
    """Clean text of one line: control characters, line ends among them, become one space (RFC 5322 §2.2)."""
    if not text.isprintable():
        text = _CONTROLS.sub(" ", _SURROGATE.sub("\ufffd", text))
    return text.strip()
