"""Text of format=flowed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.flowed import unflowed
from services.ingest.parsing import parse


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("one \ntwo\nthree", "one two\nthree"),
        ("a \nb \nc", "a b c"),
        ("fixed\nlines", "fixed\nlines"),
        (" From here\n >not a quote", "From here\n>not a quote"),
        ("> quoted \n> more\nmine", "> quoted more\nmine"),
        (">> deep \n> less", "> > deep\n> less"),
        (">text", "> text"),
        ("bye \n-- \nAda", "bye\n-- \nAda"),
        ("-- \nAda \nLovelace", "-- \nAda Lovelace"),
        ("ends open ", "ends open"),
        ("", ""),
        ("one\n\ntwo", "one\n\ntwo"),
    ],
)
def test_lines_are_put_together_as_their_writer_saw_them(written: str, text: str) -> None:
    assert unflowed(written) == text


def test_with_delsp_the_space_was_never_there() -> None:
    assert unflowed("日本 \n語", joins_words=True) == "日本語"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("text/plain; format=flowed", "long line\nnext"),
        ('text/plain; charset=utf-8; Format="Flowed"; DelSp=yes', "longline\nnext"),
        ("text/plain; format=fixed", "long \nline\nnext"),
        ("text/plain; name=flowed.txt; format=", None),
    ],
)
def test_a_mail_is_put_together_only_when_it_says_so(kind: str, text: str | None) -> None:
    found = parse(f"From: ada@example.org\r\nContent-Type: {kind}\r\n\r\nlong \r\nline\r\nnext\r\n".encode())

    assert found.text == (text or "")


@given(st.text(st.sampled_from("> -a\n"), max_size=60), st.booleans())
@example(written=">a \n>", joins_words=False)
def test_nothing_but_white_space_and_marks_of_quotes_is_lost_and_nothing_added(
    written: str, joins_words: bool
) -> None:
    """Lines of one quote that are put together have one mark."""

    def bare(text: str) -> str:
        return "".join(text.replace(">", "").split())

    found = unflowed(written, joins_words)

    assert bare(found) == bare(written)
    assert found.count(">") <= written.count(">")
