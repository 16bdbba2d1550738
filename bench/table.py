"""How figures are printed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One figure: what, how much, its limit of the same run and what the limit is, its goal."""

    what: str
    figure: float
    unit: str
    limit: float | None = None
    limit_is: str = ""
    goal: str = ""


def show(bench: str, rows: list[Row]) -> None:
    """Print a bench's rows."""
    print(f"== {bench}")
    for row in rows:
        beside = ""
        if row.limit:
            beside = f"  limit {_number(row.limit)} ({row.limit_is}), ratio {row.figure / row.limit:.2f}"
        goal = f"  goal {row.goal}" if row.goal else ""
        print(f"  {row.what:<46} {_number(row.figure):>10} {row.unit:<8}{beside}{goal}")
    print(flush=True)


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
