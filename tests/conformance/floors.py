"""The floors that results may not fall below, and the cases that are disputed. Both are committed.

`floors.toml`: for each corpus, how many answers of a field were right. They only rise: `raised` never lowers
one. `disputed.toml`: a case and field with the reason why its expectation is believed wrong; such answers are
shown apart and count for nothing, so a disputed answer that comes out right is reported as no dispute.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.conformance.groups import Answer

HERE = Path(__file__).parent
FLOORS = HERE / "floors.toml"
DISPUTED = HERE / "disputed.toml"

Floors = dict[str, dict[str, int]]

_HEAD = """\
# How many answers were right, by corpus and field. They only rise: `make conformance ARGS=--raise`.
"""


def read_floors(file: Path = FLOORS) -> Floors:
    """By corpus and field. Raises OSError and `tomllib.TOMLDecodeError`."""
    return tomllib.loads(file.read_text()) if file.exists() else {}


def read_disputed(file: Path = DISPUTED) -> dict[tuple[str, str], str]:
    """The reason by case (`corpus/id`) and field."""
    entries = tomllib.loads(file.read_text()).get("disputed", []) if file.exists() else []
    return {(one["case"], one["field"]): one["reason"] for one in entries}


def reached(answers: Iterable[Answer]) -> Floors:
    """The counts of this run, of what is counted."""
    counts: dict[str, Counter[str]] = {}
    for one in answers:
        if not one.informative and not one.disputed:
            counts.setdefault(one.corpus, Counter())[one.field] += one.right
    return {corpus: dict(fields) for corpus, fields in counts.items()}


def excused(answers: Iterable[Answer]) -> Floors:
    """How many answers are disputed: a floor from before the dispute may lack so many."""
    counts: dict[str, Counter[str]] = {}
    for one in answers:
        if one.disputed:
            counts.setdefault(one.corpus, Counter())[one.field] += 1
    return {corpus: dict(fields) for corpus, fields in counts.items()}


def fallen(
    floors: Mapping[str, Mapping[str, int]], now: Floors, disputed: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """A sentence for each floor that is not reached; only what this run asked is looked at."""
    return [
        f"{corpus} {field}: {now[corpus][field]} right, the floor is {floor}"
        for corpus, fields in sorted(floors.items())
        for field, floor in sorted(fields.items())
        if field in now.get(corpus, {})
        and now[corpus][field] + disputed.get(corpus, {}).get(field, 0) < floor
    ]


def raised(floors: Mapping[str, Mapping[str, int]], now: Floors) -> Floors:
    """The higher of both."""
    both = {corpus: dict(fields) for corpus, fields in floors.items()}
    for corpus, fields in now.items():
        kept = both.setdefault(corpus, {})
        for field, right in fields.items():
            kept[field] = max(right, kept.get(field, 0))
    return both


def write_floors(floors: Floors, file: Path = FLOORS) -> None:
    """In the order of their names, so that a change shows as one line."""
    lines = [_HEAD]
    for corpus, fields in sorted(floors.items()):
        lines.append(f'["{corpus}"]')
        lines += [f"{field} = {right}" for field, right in sorted(fields.items())]
        lines.append("")
    file.write_text("\n".join(lines))
