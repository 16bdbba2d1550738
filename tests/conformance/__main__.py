"""`python -m tests.conformance [--corpus X] [--field Y] [--verbose] [--raise]`.

Exits 1 when an answer falls below its committed floor, when anything was raised, or when a raw mail cannot be
had again byte for byte. Without the corpora it says so and exits 0.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from tests.conformance import floors, headers, mails, raws, report, threads
from tests.conformance.cases import corpora, mail_cases
from tests.conformance.groups import Answer

MOST_FAULTS = 20
"""That are listed; a fault in all of them says so with fewer lines."""


def main() -> int:
    """Run what is asked for and print it; the exit code."""
    asked = _arguments()
    folder = corpora()
    if folder is None:
        print(
            "conformance: there are no corpora on this machine, so nothing was measured: put them into "
            "../shared/corpora beside this checkout, or set OMBUD_CORPORA to their folder"
        )
        return 0
    run = mails.Run()
    answers = _marked(_answers(folder, asked, run))
    print("\n".join(report.table(answers)))
    if asked.verbose:
        print("\nwrong:\n" + "\n".join(report.wrong(answers)))
    return _verdict(answers, run, asked.raise_floors)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("--corpus", default="", help="only this corpus")
    parser.add_argument("--field", default="", help="only this field")
    parser.add_argument("--verbose", action="store_true", help="list the wrong ones")
    parser.add_argument(
        "--raise", dest="raise_floors", action="store_true", help="raise the floors to this run"
    )
    return parser.parse_args()


def _answers(folder: Path, asked: argparse.Namespace, run: mails.Run) -> list[Answer]:
    cases = [case for case in mail_cases(folder) if asked.corpus in ("", case.corpus)]
    found = list(mails.answers(cases, run))
    if asked.field in ("", "raw"):
        found += raws.answers(case.mail for case in cases)
    if asked.corpus in ("", threads.CORPUS):
        found += threads.answers(folder, run)
    if asked.corpus in ("", headers.CORPUS):
        found += headers.answers(folder)
    return [one for one in found if asked.field in ("", one.field)]


def _marked(answers: list[Answer]) -> list[Answer]:
    disputed = floors.read_disputed()
    return [replace(one, disputed=(one.case, one.field) in disputed) for one in answers]


def _verdict(answers: list[Answer], run: mails.Run, raising: bool) -> int:
    slowest, mail = run.slowest
    print(f"\n{run.mails} mails in {run.seconds:.1f} s, the slowest {mail} in {slowest:.2f} s")
    print(f"{len(run.raised)} cases raised an exception")
    for case, fault in list(run.raised.items())[:MOST_FAULTS]:
        print(f"RAISED {case}: {fault}")
    disputed = [one for one in answers if one.disputed]
    print(f"{len(disputed)} answers are disputed: tests/conformance/disputed.toml says why")
    for one in disputed:
        if one.right:
            print(f"NO DISPUTE {one.case} {one.field}: it comes out as expected")
    now, committed = floors.reached(answers), floors.read_floors()
    below = floors.fallen(committed, now, floors.excused(answers))
    for sentence in below:
        print(f"BELOW ITS FLOOR {sentence}")
    if raising:
        floors.write_floors(floors.raised(committed, now))
    return 1 if below or run.raised else 0


sys.exit(main())
