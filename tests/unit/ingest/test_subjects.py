"""Subjects without prefixes."""

import pytest

from services.ingest.subjects import base_subject, same_subject


@pytest.mark.parametrize(
    ("subject", "base"),
    [
        ("Fire", "fire"),
        ("Re: Fire", "fire"),
        ("RE: AW: Fwd: Fire", "fire"),
        ("Re[3]: Fire", "fire"),
        ("Re: [team] [#10042] Fire", "fire"),
        ("回复\N{FULLWIDTH COLON}打印机", "打印机"),
        ("Note: Fire", "note: fire"),
        ("Re: ", ""),
    ],
)
def test_prefixes_and_tags_are_no_part_of_a_subject(subject: str, base: str) -> None:
    assert base_subject(subject) == base


def test_words_added_at_an_end_or_left_out_make_no_other_subject() -> None:
    assert same_subject("Re: Fire (was: smoke)", "Fire")
    assert same_subject("", "Fire")
    assert not same_subject("Re: Water", "Fire")
