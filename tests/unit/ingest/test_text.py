"""Bytes to text."""

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
    ],
)
def test_bytes_become_the_text_their_sender_meant(data: bytes, label: str | None, text: str) -> None:
    assert decode(data, label) == text


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
