"""`make chaos`: the long form of every scenario, a few times from new seeds, and the table of what came out.

`ARGS="--rounds 1 --short -k burst"` chooses. A form's table stands in docs/reliability.md between its two
marks; it is written when no scenario was left out. The exit status is 1 when anything was wrong in any round;
the table says so, too.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.chaos.harness import seed_of

AS_IN_CHECK = ["-n", "2", "--dist", "loadgroup"]
"""The short form runs two trials side by side, as the Makefile's `test` does."""

CHECKOUT = Path(__file__).resolve().parents[2]
DOCUMENT = CHECKOUT / "docs" / "reliability.md"
MARKS = "<!-- results: {form} form -->", "<!-- end of the {form} form -->"
FIGURES = ("mails", "tickets", "letters", "held", "fired", "killed", "offsets", "seconds")
"""Of a trial's report (harness.py), in the order of the table, where they are summed over the rounds."""


@dataclass(frozen=True)
class Round:
    """One run of all scenarios: pytest's outcomes by test, the figures of the trials, its exit status."""

    seed: str
    outcomes: Mapping[str, tuple[str, float]]
    trials: Sequence[Mapping[str, Any]]
    status: int


def one_round(folder: Path, chosen: Sequence[str], *, short: bool) -> Round:
    """Run the scenarios once, with a seed of its own."""
    seed, results, report = seed_of(), folder / "results.jsonl", folder / "report.xml"
    environment = {**os.environ, "OMBUD_CHAOS_SEED": seed, "OMBUD_CHAOS_RESULTS": str(results)}
    environment["OMBUD_CHAOS"] = form_of(short=short)
    beside = AS_IN_CHECK if short else []
    command = [sys.executable, "-m", "pytest", "tests/chaos", f"--junitxml={report}", *beside, *chosen]
    done = subprocess.run(command, cwd=CHECKOUT, env=environment, check=False)
    trials = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    return Round(seed, _outcomes(report), trials, done.returncode)


def _outcomes(report: Path) -> dict[str, tuple[str, float]]:
    """By test: passed, failed or skipped, and seconds."""
    found = {}
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 (pytest wrote it a moment ago)
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        file = (case.get("classname") or "").rpartition(".")[2]
        found[f"{file}::{case.get('name')}"] = (outcome, float(case.get("time") or 0))
    return found


def tables(rounds: Sequence[Round], *, short: bool) -> str:
    """The results as Markdown."""
    form, seeds = form_of(short=short), ", ".join(f"`{one.seed}`" for one in rounds)
    lines = [
        f"The {form} form, run on {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores, seeds {seeds}.",
        "",
        "| " + " | ".join(["scenario", "runs", *FIGURES, "wrong"]) + " |",
        "|---" * (len(FIGURES) + 3) + "|",
    ]
    trials = [row for one in rounds for row in one.trials]
    for scenario in sorted({row["scenario"] for row in trials}):
        runs = [row for row in trials if row["scenario"] == scenario]
        sums = [round(sum(row[figure] for row in runs)) for figure in FIGURES]
        wrong = [f"{row['seed']}: {'; '.join(row['wrong'])[:200]}" for row in runs if row["wrong"]]
        said = " / ".join(wrong).replace("|", "/") or "nothing"
        lines.append("| " + " | ".join(map(str, [scenario, len(runs), *sums, said])) + " |")
    lines += ["", "| tests of | " + " | ".join(f"round {n}" for n in range(1, len(rounds) + 1)) + " |"]
    lines.append("|---|" + "---|" * len(rounds))
    files = dict.fromkeys(name.partition("::")[0] for one in rounds for name in one.outcomes)
    for file in files:
        lines.append(f"| `{file}.py` | " + " | ".join(_summed(one, file) for one in rounds) + " |")
    return "\n".join(lines)


def _summed(one: Round, file: str) -> str:
    mine = [found for name, found in one.outcomes.items() if name.startswith(f"{file}::")]
    counts = {kind: sum(outcome == kind for outcome, _ in mine) for kind in ("passed", "failed", "skipped")}
    said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return f"{said} in {sum(seconds for _, seconds in mine):.0f} s"


def form_of(*, short: bool) -> str:
    """The form's name."""
    return "short" if short else "long"


def write(document: Path, form: str, results: str) -> None:
    """Put the results between the form's marks."""
    begin, end = (mark.format(form=form) for mark in MARKS)
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{begin}\n\n{results}\n\n{end}{after}")


def main() -> int:
    """Run the rounds and write the table."""
    parser = argparse.ArgumentParser(prog="chaos")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--short", action="store_true", help="minutes instead of hours")
    options, chosen = parser.parse_known_args()
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory(prefix="ombud-chaos-", ignore_cleanup_errors=True) as folder:
            rounds.append(one_round(Path(folder), chosen, short=options.short))
    results = tables(rounds, short=options.short)
    print(results)
    if not chosen:
        write(DOCUMENT, form_of(short=options.short), results)
    return int(any(one.status for one in rounds))


if __name__ == "__main__":
    sys.exit(main())
