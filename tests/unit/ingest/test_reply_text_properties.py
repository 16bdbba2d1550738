"""What holds for any text and markup: nothing is invented, nothing raises, the work grows linearly."""

import sys
from collections import Counter
from types import FrameType
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.ingest.html_text import text_from
from services.ingest.reply_text import split

PIECES = st.sampled_from(
    [
        "On 4 Mar 2025 at 09:15 Ann <ann@mail.example> wrote:",
        "Ann wrote:",
        "wrote:",
        "> quoted",
        ">> quoted twice",
        ">",
        "> wrote:",
        "From: Ann <ann@mail.example>",
        "To: Bob",
        "Subject: lamp",
        "Date: 4 March 2025",
        "-----Original Message-----",
        "Begin forwarded message:",
        "________________",
        "-- ",
        "--",
        "Kind regards,",
        "Ann",
        "-Ann",
        "Sent from my iPhone",
        "Dear Bob,",
        "",
        "  ",
        "the lamp flickers",
        "-- reply above this line --",
    ]
)
TEXTS = st.lists(st.one_of(PIECES, st.text(max_size=30)), max_size=14).map("\n".join)
MARKUP = st.lists(
    st.sampled_from(
        [
            "<div>", "</div>", "<p>", "</p>", "<blockquote>", "<blockquote type=cite>", "</blockquote>",
            "<br>",
            '<div class="gmail_quote">', '<div class="gmail_signature">', '<div id="divRplyFwdMsg">', "<hr>",
            "<span>", "</span>", "<!--", "-->", "<", "a lamp", "Ann wrote:", "another", "<pre>", "</pre>",
            '<div class="moz-cite-prefix">', '<div style="display:none">', "&lt;",
        ]
    ),
    max_size=25,
).map("".join)  # fmt: skip


def lines_of(text: str) -> "Counter[str]":
    return Counter(line.strip() for line in text.split("\n") if line.strip())


@given(TEXTS, MARKUP, st.sampled_from(["", "Re: lamp", "Fwd: lamp"]))
@example("\n>", "", "")
def test_every_line_of_the_text_is_in_exactly_one_part(text: str, html: str, subject: str) -> None:
    found = split(text, html, subject)
    parts = lines_of(found.reply_text) + lines_of(found.quoted_text) + lines_of(found.signature)
    assert parts == lines_of(text)
    assert lines_of(found.quotes_removed_text) == lines_of(found.reply_text) + lines_of(found.signature)


@given(MARKUP)
def test_every_line_of_markup_walked_to_text_is_in_exactly_one_part(html: str) -> None:
    text = text_from(html)
    found = split(text, html)
    parts = lines_of(found.reply_text) + lines_of(found.quoted_text) + lines_of(found.signature)
    assert parts == lines_of(text)


@given(TEXTS)
def test_a_forward_is_told_only_with_its_inner_mail(text: str) -> None:
    found = split(text)
    assert found.is_forward == (found.forwarded is not None)


@given(st.lists(st.text(alphabet="abc .\n", max_size=40), max_size=6).map("\n".join))
def test_words_without_any_sign_of_quoting_are_all_kept(text: str) -> None:
    assert lines_of(split(text).reply_text) == lines_of(text)


@given(TEXTS)
def test_the_reply_of_a_reply_is_cut_no_further_once_nothing_is_cut(text: str) -> None:
    reply = split(text).reply_text
    for _ in range(len(text) + 1):
        again = split(reply).reply_text
        assert len(again) <= len(reply)
        if again in (reply, ""):
            return
        reply = again
    raise AssertionError("it never comes to rest")


def work(text: str, html: str) -> int:
    """Lines of Python executed in splitting them: the same on every machine, whatever its load."""
    steps = 0

    def count(_: FrameType, event: str, __: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        split(text, html)
    finally:
        sys.settrace(before)
    return steps


HOSTILE_TEXTS = [
    "> quoted words\n",
    ">> deeper\n> quoted\n",
    "wrote:\n",
    "On 4 Mar 2025 at 09:15 a@b wrote\n",
    "On 4 Mar 2025 at 09:15 a@b wrote:\n> q\n\nanswer\n",
    "From: a@b\n",
    "From: a@b\nTo: c\n\n",
    "Subject: a\n",
    "-----Original Message-----\n> q\n",
    "Begin forwarded message:\n> q\n",
    "\n",
    "----------\n",
    "--\n",
    "-- \nAnn\n> q\n",
    "Sent from my iPhone\nDear Ann\n> q\n",
    "Kind regards,\n",
    "Ann <\n> wrote:\n",
    "> a line so long that its rest was wrapped once and then lost its mark in doing so\nrest\n",
    "2025/3/4 Ann <a@b>\n",
    "Dear Bob,\n",
]

HOSTILE_MARKUP = [
    "<blockquote>",
    "<blockquote>a</blockquote>b",
    "<div class=gmail_quote>",
    "<div class=gmail_quote>a</div>",
    "</div><blockquote>",
    "<div><span></div>",
    "<div class=gmail_signature>a",
    "a<blockquote type=cite>",
]


@pytest.mark.parametrize("piece", HOSTILE_TEXTS)
def test_the_work_grows_with_the_text_and_no_faster(piece: str) -> None:
    small, large = work(piece * 500, ""), work(piece * 2000, "")
    assert large <= 4.5 * small


@pytest.mark.parametrize("piece", HOSTILE_MARKUP)
def test_the_work_grows_with_the_markup_and_no_faster(piece: str) -> None:
    small, large = (work(text_from(piece * times), piece * times) for times in (300, 1200))
    assert large <= 4.5 * small


@pytest.mark.parametrize(
    "piece", ["x", "> ", "a@", "1.", "On 4 Mar 2025 ", "wrote: ", "<", "From: ", "-", " ", "1 "]
)
def test_one_long_line_is_work_for_no_more_than_a_short_one(piece: str) -> None:
    long = piece * (64 * 1024 // len(piece)) + ":"
    assert work(long, "") <= work("a line:", "") + 200
