"""Descriptions as the page shows them."""

from services.api.docs import prose


def test_backquotes_are_code_and_paragraphs_are_parted() -> None:
    assert prose("Follow `next_cursor`,\nor the header.\n\nMore.") == (
        "Follow <code>next_cursor</code>, or the header.<br><br>More."
    )


def test_nothing_in_a_description_becomes_markup() -> None:
    assert "<script>" not in prose("`<script>alert(1)</script>`")
