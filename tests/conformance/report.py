"""The table that `make conformance` prints: right, asked and per cent, and the wrong ones in short."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from tests.conformance.groups import BY_CASE, GATES, Answer

SHOWN = 160
"""Characters of a text that are shown on either side."""

Row = tuple[str, int, int]


def table(answers: Sequence[Answer]) -> list[str]:
    """By corpus and field, then by group."""
    counted = [one for one in answers if not one.informative and not one.disputed]
    lines = ["right  asked    %     corpus: field"]
    lines += [_line(*row) for row in _rows(counted, lambda one: f"{one.corpus}: {one.field}")]
    lines += ["", "right  asked    %     group"]
    lines += [_line(*row) + _promise(row) for row in _group_rows(counted)]
    informative = [one for one in answers if one.informative and one.got is not None]
    if informative:
        lines += ["", "informative, counted nowhere"]
        lines += [_line(*row) for row in _rows(informative, lambda one: one.field)]
    return lines


def wrong(answers: Iterable[Answer]) -> list[str]:
    """Each wrong one with what was expected and what came, shortened to where they part."""
    lines = []
    for one in answers:
        if one.right or one.informative:
            continue
        mark = " (disputed)" if one.disputed else ""
        expected, got = _parting(one.expected, one.got)
        lines += [f"{one.case} {one.field} {one.op}{mark}", f"    expected {expected}", f"    got      {got}"]
    return lines


def group_rows(answers: Iterable[Answer]) -> list[Row]:
    """Group, right, asked; disputed and informative answers left out."""
    return _group_rows([one for one in answers if not one.informative and not one.disputed])


def _group_rows(counted: Sequence[Answer]) -> list[Row]:
    rows: list[Row] = []
    for group in sorted({one.group for one in counted}):
        members = [one for one in counted if one.group == group]
        if group in BY_CASE:
            by_case: dict[str, bool] = {}
            for one in members:
                by_case[one.case] = by_case.get(one.case, True) and one.right
            rows.append((group, sum(by_case.values()), len(by_case)))
        else:
            rows.append((group, sum(one.right for one in members), len(members)))
    return rows


def _rows(answers: Iterable[Answer], name: Callable[[Answer], str]) -> list[Row]:
    found: dict[str, list[bool]] = {}
    for one in answers:
        found.setdefault(name(one), []).append(one.right)
    return [(key, sum(rights), len(rights)) for key, rights in sorted(found.items())]


def _line(name: str, right: int, asked: int) -> str:
    return f"{right:5}  {asked:5}  {100 * right / asked:6.1f}  {name}"


def _promise(row: Row) -> str:
    name, right, asked = row
    counted = ", by case" if name in BY_CASE else ""
    promised = GATES.get(name)
    if promised is None:
        return counted
    short = "" if 100 * right >= promised * asked else "  BELOW"
    return f"{counted} (promised: {promised:g} %){short}"


def _parting(expected: Any, got: Any) -> tuple[str, str]:
    """Both as one line each, from a little before the place where they differ."""
    if not isinstance(expected, str) or not isinstance(got, str):
        return repr(expected)[: 2 * SHOWN], repr(got)[: 2 * SHOWN]
    pairs = zip(expected, got, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(expected), len(got)))
    start = max(0, same - SHOWN // 4)
    return _cut(expected, start), _cut(got, start)


def _cut(text: str, start: int) -> str:
    shown = text[start : start + SHOWN]
    return ("…" if start else "") + repr(shown) + ("…" if len(text) > start + SHOWN else "")
