"""How figures are printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: what, how much, its limit of the same run and what the limit is, its goal.

    A figure of None could not be measured here, and `note` says why.
    """

    what: str
    figure: float | None
    unit: str
    limit: float | None = None
    limit_is: str = ""
    goal: str = ""
    note: str = ""


def show(bench: str, rows: list[Row]) -> None:
    """Print a bench's rows."""
    print(f"== {bench}")
    for row in rows:
        figure = "-" if row.figure is None else _number(row.figure)
        print(f"  {row.what:<72} {figure:>10} {row.unit:<8}{_beside(row)}")
    print(flush=True)


def _beside(row: Row) -> str:
    parts = []
    if row.limit and row.figure is not None:
        ratio = row.figure / row.limit
        parts.append(f"limit {_number(row.limit)} ({row.limit_is}), ratio {ratio:.2f}")
    if row.goal:
        parts.append(f"goal {row.goal}")
    if row.note:
        parts.append(row.note)
    return "".join(f"  {part}" for part in parts)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
