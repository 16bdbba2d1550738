"""Ids that a repeat finds again."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shared.domain.ids import derived, digest, sortable, thread_id_for

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_an_id_follows_from_its_parts_alone(parts: list[str]) -> None:
    assert derived("msg", *parts) == derived("msg", *parts)
    assert derived("msg", *parts) != derived("msg", *parts, "more")


def test_parts_that_join_to_the_same_text_give_different_ids() -> None:
    assert derived("msg", "a", "bc") != derived("msg", "ab", "c")


@given(st.integers(min_value=0, max_value=10**9), st.integers(min_value=1, max_value=10**9))
def test_sortable_ids_sort_as_their_instants_do(start: int, later: int) -> None:
    first = sortable("tkt", NOON + timedelta(milliseconds=start), "z")
    second = sortable("tkt", NOON + timedelta(milliseconds=start + later), "a")

    assert first < second
    assert len(first) == len(second) == 30


def test_ids_of_one_instant_differ_by_their_parts() -> None:
    assert sortable("tkt", NOON, "a") != sortable("tkt", NOON, "b")


def test_an_instant_before_1970_has_an_id_too() -> None:
    assert sortable("tkt", datetime(1900, 1, 1, tzinfo=UTC), "a").startswith("tkt_0000000000")


def test_a_digest_is_sha256_in_hex() -> None:
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_message_id_is_known_with_and_without_its_brackets() -> None:
    assert thread_id_for("<a@example.org>") == thread_id_for(" a@example.org ")
    assert thread_id_for("<a@example.org>") != thread_id_for("<A@example.org>")
