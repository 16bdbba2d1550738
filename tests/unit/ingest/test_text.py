"""Bytes to text."""

import codecs
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.text import clean, codec_for, decode, one_line


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        ("Grüße".encode(), "utf-8", "Grüße"),
        ("Grüße".encode(), None, "Grüße"),
        ("Grüße".encode(), "us-ascii", "Grüße"),
        ("Grüße".encode("latin-1"), None, "Grüße"),
        ("Grüße".encode("latin-1"), "utf-8", "Grüße"),
        ("“quoted” €5".encode("cp1252"), "iso-8859-1", "“quoted” €5"),
        ("髙橋".encode("cp932"), "shift_jis", "髙橋"),
        ("镕基".encode("gb18030"), "gb2312", "镕基"),
        ("똠방각하".encode("cp949"), "ks_c_5601-1987", "똠방각하"),
        ("日本".encode("iso-2022-jp"), "ISO-2022-JP", "日本"),
        ("Привет".encode("koi8-r"), '"KOI8-R"', "Привет"),
        ("Grüße".encode(), "no-such-charset", "Grüße"),
        ("Grüße".encode(), "rot13", "Grüße"),
        ("Grüße".encode(), "a\0b", "Grüße"),
        (b"\x81 undefined", None, "\ufffd undefined"),
        ("Dzień dobry".encode(), "iso-8859-2", "Dzień dobry"),
        ("für".encode(), "iso-8859-1", "für"),
        ("Příliš žluťoučký".encode(), "windows-1250", "Příliš žluťoučký"),
        ("Привет, мир".encode(), "windows-1251", "Привет, мир"),
        ("你好我的订单在哪里".encode(), "gb2312", "你好我的订单在哪里"),
        ("Dzień dobry".encode("iso-8859-2"), "iso-8859-2", "Dzień dobry"),
        ("Её".encode("koi8-r"), "koi8-r", "Её"),
        ("Чё".encode("cp1251"), "windows-1251", "Чё"),
        ("รกราก".encode("cp874"), "tis-620", "รกราก"),
        ("联通".encode("gb18030"), "gb2312", "联通"),
        ("Grüße an alle Leute".encode() + b" stra\xdfe", "utf-8", "Grüße an alle Leute straße"),
        ("Grüße, schöne Tage".encode() + b"\xc3", "utf-8", "Grüße, schöne Tage\ufffd"),
        ("\ufeffGrüße, schöne Tage".encode() + b"\xff", None, "Grüße, schöne Tage\ufffd"),
    ],
)
def test_bytes_become_the_text_their_sender_meant(data: bytes, label: str | None, text: str) -> None:
    assert decode(data, label) == text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("x-windows-1251", "cp1251"),
        ("cp-850", "cp850"),
        ("ibm437", "cp437"),
        ("dos-874", "cp874"),
        ("win1250", "cp1250"),
        ("x-mac-cyrillic", "mac_cyrillic"),
        ("TIS620.2533", "cp874"),
        ("x-gb18030", "gb18030"),
        ("csShiftJIS", "cp932"),
        ("iso-ir-100", "cp1252"),
        ("L1", "cp1252"),
    ],
)
def test_a_charset_is_known_by_the_names_that_programs_make_up(label: str, codec: str) -> None:
    assert codecs.lookup(codec_for(label) or "").name == codecs.lookup(codec).name


@pytest.mark.parametrize("bait", [b"\xc3", b"\xc3\xbc\xff", b"\xff", "ü".encode(), b"\xe6\x97"])
def test_half_a_megabyte_of_flaws_is_read_within_a_second(bait: bytes) -> None:
    data = "ü".encode() * 300_000 + bait * (512 * 1024 // len(bait))
    started = time.process_time()
    for label in ("utf-8", "iso-8859-1", None):
        decode(data, label)

    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("label", ["punycode", "idna", "unicode_escape", "undefined", "base64", "hex", ""])
def test_a_codec_that_is_no_charset_of_mails_is_refused(label: str) -> None:
    assert codec_for(label) is None


def test_clean_text_has_one_kind_of_line_end_and_nothing_that_no_store_takes() -> None:
    assert clean("a\r\nb\rc\0d\ud800e") == "a\nb\ncd\ufffde"


def test_one_line_turns_control_characters_into_spaces() -> None:
    assert one_line(" Hi\r\nBcc: x\x00\u2028y ") == "Hi Bcc: x y"


def test_one_line_keeps_what_joins_letters_in_scripts_and_emoji() -> None:
    assert one_line("क्\u200dष 👩\u200d💻") == "क्\u200dष 👩\u200d💻"


@given(st.binary(), st.text() | st.sampled_from(["utf-8", "utf-7", "gb2312", "iso-2022-jp", "utf-16"]))
def test_any_bytes_under_any_label_become_storable_text(data: bytes, label: str) -> None:
    clean(decode(data, label)).encode("utf-8")
