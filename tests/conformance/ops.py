"""The ways in which a case compares what it expects with what it got. Pure.

Text is compared as Unicode with `\\n`. Nothing and empty text are the same; so are a single value and a list
of it, for the corpora write either. On a list, the operations on text look at its elements.
"""

import re
from collections.abc import Callable
from typing import Any

_SPACE = re.compile(r"\s+")


def holds(op: str, expected: Any, got: Any) -> bool:
    """Whether it does. Raises KeyError for an operation that is none."""
    if op == "equals":
        return _same(expected, got)
    compare, wanted = _ON_TEXT[op]
    texts = [_text(one) for one in got] if isinstance(got, list) else [_text(got)]
    return any(compare(_text(expected), text) for text in texts) is wanted


def _same(expected: Any, got: Any) -> bool:
    if isinstance(expected, list) != isinstance(got, list):
        return _as_list(expected) == _as_list(got)
    if isinstance(expected, bool) or isinstance(got, bool):
        return expected is got
    return bool(_nothing(expected) == _nothing(got))


def _as_list(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value in (None, "") else [value]


def _nothing(value: Any) -> Any:
    return None if value == "" else value


def _text(value: Any) -> str:
    return "" if value is None else str(value).replace("\r\n", "\n")


_ON_TEXT: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "equals_stripped": (lambda expected, got: expected.strip() == got.strip(), True),
    "equals_nows": (lambda expected, got: _SPACE.sub("", expected) == _SPACE.sub("", got), True),
    "contains": (lambda expected, got: expected in got, True),
    "not_contains": (lambda expected, got: expected in got, False),
    "startswith": (lambda expected, got: got.lstrip().startswith(expected.strip()), True),
    "matches": (lambda expected, got: re.search(expected, got) is not None, True),
    "not_matches": (lambda expected, got: re.search(expected, got) is not None, False),
}
