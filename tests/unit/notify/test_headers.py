"""Header values of inbound origin: whatever a stranger wrote, one harmless line comes out."""

import re
from email.header import decode_header, make_header

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify import headers
from shared.domain.errors import Invalid

ANY_TEXT = st.text(st.characters(), max_size=400)
NASTY_TEXT = st.lists(
    st.sampled_from(
        ["=?", "?=", "utf-8", "?q?", "?b?", "=0A", "\r\n", "\n", "\r", "\0", "Bcc: x@y.z", " ", "é", "\u202e"]
    )
).map("".join)


@pytest.mark.parametrize(
    ("given_text", "expected"),
    [
        ("The printer is on fire", "The printer is on fire"),
        ("Hello\r\nBcc: victim@example.org", "Hello Bcc: victim@example.org"),
        ("Hello\nthere\rand\0here\x0b\x0c\x1b", "Hello there and here"),
        ("=?UTF-8?Q?=0A?=Bcc: x", "UTF-8?Q0ABcc: x"),
        ("=?=?utf-8?b?QQ==?=?=", "utf-8?b?QQ=="),
        ("==??", ""),
        ("line\u2028separator\u0085next", "line separator next"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("שלום עולם", "שלום עולם"),
        ("👩‍🚒 fire", "👩‍🚒 fire"),
        ("half a pair \ud83d", "half a pair ?"),
        ("   spread \t out  ", "spread out"),
        ("", ""),
    ],
)
def test_cleaning_leaves_what_people_read(given_text: str, expected: str) -> None:
    assert headers.clean(given_text, 100) == expected


def test_a_text_that_is_too_long_ends_with_an_ellipsis() -> None:
    assert headers.clean("x" * 2_000, 20) == "x" * 19 + "…"


@given(st.one_of(ANY_TEXT, NASTY_TEXT))
def test_whatever_is_cleaned_is_one_line_without_encoded_words(text: str) -> None:
    cleaned = headers.clean(text, 120)

    assert len(cleaned) <= 120
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", cleaned)
    assert "=?" not in cleaned
    assert "?=" not in cleaned
    assert cleaned == headers.clean(cleaned, 120)


@given(st.one_of(ANY_TEXT, NASTY_TEXT))
def test_a_text_header_is_read_back_as_it_was_cleaned(text: str) -> None:
    cleaned = headers.clean(text, 120)
    line = headers.text_header("Subject", cleaned)

    assert line.isascii()
    assert line.endswith("\r\n")
    assert all(0 < len(part) <= 998 for part in line.split("\r\n")[:-1])
    assert all(part.startswith(" ") for part in line.split("\r\n")[1:-1])
    unfolded = line.removeprefix("Subject:").replace("\r\n", "").strip()
    assert str(make_header(decode_header(unfolded))) == cleaned


def test_lines_are_folded_at_78_and_encoded_words_are_no_longer_than_75() -> None:
    for cleaned in ("word " * 40).strip(), "Überraschung " * 12:
        lines = headers.text_header("Subject", cleaned).removesuffix("\r\n").split("\r\n")

        assert max(len(line) for line in lines) <= 78
        assert all(len(word) <= 75 for line in lines for word in line.split())


def test_a_character_is_never_cut_in_two_between_encoded_words() -> None:
    words = headers.text_header("Subject", "🔥" * 60).removeprefix("Subject:").split()

    assert len(words) > 1
    assert all(str(make_header(decode_header(word))) in "🔥" * 60 for word in words)


@pytest.mark.parametrize(
    ("display", "expected"),
    [
        ("", "To: <ada@example.org>\r\n"),
        ("Ada Lovelace", 'To: "Ada Lovelace" <ada@example.org>\r\n'),
        ('Ada "the" \\ Countess', 'To: "Ada \\"the\\" \\\\ Countess" <ada@example.org>\r\n'),
        ("Ada, Inc. <x@y.z>", 'To: "Ada, Inc. <x@y.z>" <ada@example.org>\r\n'),
        ("Zoë", "To: =?utf-8?b?Wm/Dqw==?= <ada@example.org>\r\n"),
    ],
)
def test_a_display_name_cannot_be_taken_for_an_address(display: str, expected: str) -> None:
    assert headers.address_header("To", display, "ada@example.org") == expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("ada@example.org", "ada@example.org"),
        (" ada+tag@sub.example.org ", "ada+tag@sub.example.org"),
        ("o'neill/x=y@example.org", "o'neill/x=y@example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("zoë@example.org", "zoë@example.org"),
        ("ada@localhost", "ada@localhost"),
    ],
)
def test_an_address_is_kept_and_its_domain_written_in_ascii(address: str, expected: str) -> None:
    assert headers.checked_address(address) == expected


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.org",
        "ada@",
        "ada@example..org",
        "ada@exa mple.org",
        "ada lovelace@example.org",
        "ada@example.org\r\nBcc: x@y.z",
        "ada\n@example.org",
        "ada\0@example.org",
        "<ada@example.org>",
        "ada@example.org>",
        "ada@[127.0.0.1]",
        "a,b@example.org",
        '"a b"@example.org',
        "=?utf-8?q?=0ABcc:?=@example.org",
        "\u202eada@example.org",
        "a" * 65 + "@example.org",
        "ada@" + "a" * 64 + ".example",
        "ada@" + "é" * 80 + ".example",
        "ada@" + "a." * 130 + "org",
    ],
)
def test_an_address_that_cannot_be_written_is_refused(address: str) -> None:
    with pytest.raises(Invalid):
        headers.checked_address(address)


def test_only_message_ids_that_may_stand_in_a_header_are_used_each_once() -> None:
    given_ids = [
        "<a@b.c>",
        "a@b.c",
        " d@e.f ",
        "an-id-without-a-domain",
        "with space@x.y",
        "<in>side@x.y",
        "injected@x.y>\r\nBcc: <v@w.x",
        "=?utf-8?q?=0A?=@x.y",
        "nul\0@x.y",
        "ünï@x.y",
        "x" * 300 + "@y.z",
    ]

    assert headers.usable_ids(given_ids) == ["a@b.c", "d@e.f", "an-id-without-a-domain"]


def test_a_long_thread_keeps_its_first_mail_and_its_newest() -> None:
    usable = headers.usable_ids([f"{number}@x.y" for number in range(100)])

    assert usable == ["0@x.y", *(f"{number}@x.y" for number in range(81, 100))]
    lines = headers.ids_header("References", usable).split("\r\n")
    assert max(len(line) for line in lines) <= 78
