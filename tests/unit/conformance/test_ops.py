"""The comparer: each operation holds where it should and nowhere else."""

from typing import Any

import pytest

from tests.conformance.ops import holds


@pytest.mark.parametrize(
    ("op", "expected", "got"),
    [
        ("equals", "a", "a"),
        ("equals", "", None),
        ("equals", "a@example.org", ["a@example.org"]),
        ("equals", ["a@example.org"], "a@example.org"),
        ("equals", "", []),
        ("equals", True, True),
        ("equals", [1, 2], [1, 2]),
        ("equals_stripped", "Hello\n", "\nHello"),
        ("equals_stripped", "one\ntwo", "one\r\ntwo"),
        ("equals_stripped", "", None),
        ("equals_nows", "one two\n\nthree", "onetwo three"),
        ("contains", "b", "abc"),
        ("contains", "b.gif", ["a.png", "b.gif"]),
        ("not_contains", "z", "abc"),
        ("not_contains", "z", []),
        ("startswith", "Hi", "  Hi there"),
        ("matches", "(?m)^b", "a\nb"),
        ("not_matches", "^b", "a\nb"),
        ("not_matches", "^b", None),
    ],
)
def test_what_is_as_expected_holds(op: str, expected: Any, got: Any) -> None:
    assert holds(op, expected, got)


@pytest.mark.parametrize(
    ("op", "expected", "got"),
    [
        ("equals", "a", "a "),
        ("equals", False, None),
        ("equals", True, 1),
        ("equals", 0, None),
        ("equals", "a", ["a", "b"]),
        ("equals", ["a", "b"], ["b", "a"]),
        ("equals_stripped", "one two", "one  two"),
        ("equals_stripped", "one\ntwo", "one two"),
        ("equals_nows", "onetwo", "one"),
        ("contains", "z", "abc"),
        ("contains", "a", None),
        ("contains", "c", ["a", "b"]),
        ("not_contains", "b", ["abc", "x"]),
        ("startswith", "there", "Hi there"),
        ("matches", "^b", "a\nb"),
        ("matches", "(?m)^b", None),
        ("not_matches", "b", "abc"),
    ],
)
def test_what_is_not_as_expected_does_not_hold(op: str, expected: Any, got: Any) -> None:
    assert not holds(op, expected, got)


def test_an_operation_that_is_none_is_an_error_and_no_answer() -> None:
    with pytest.raises(KeyError):
        holds("resembles", "a", "a")
