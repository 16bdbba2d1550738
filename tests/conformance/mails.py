"""The cases of `mail/`, each mail through `ombud explain` in this process, one after another.

An exception is an answer too: every check of its case is wrong, and it is told apart at the end.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from services.ingest.explain import explain
from tests.conformance.cases import Case
from tests.conformance.fields import Told, informative, judged
from tests.conformance.groups import Answer, group_of

Explain = Callable[[bytes, str], Told]
"""A raw mail and its file's name to the object that is told of it."""


@dataclass
class Run:
    """What the run as a whole saw: mails, seconds, the slowest, and what was raised, by case."""

    mails: int = 0
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    raised: dict[str, str] = field(default_factory=dict)


def answers(cases: Iterable[Case], run: Run, explained: Explain = explain) -> Iterator[Answer]:
    """An answer for each check of each case; `run` is filled on the way."""
    for case in cases:
        told = _told(case, run, explained)
        for check in case.checks:
            shown_only = informative(case, check)
            try:
                got, right = judged(check, told)
            except KeyError:
                if told and not shown_only:
                    raise  # a field that nobody has mapped yet
                got, right = None, False
            yield Answer(
                case.corpus,
                case.name,
                check.field,
                check.op,
                check.value,
                got,
                right,
                group_of(case.corpus, check.field, check.value),
                shown_only,
            )


def _told(case: Case, run: Run, explained: Explain) -> Told:
    """The object of `explain`; empty when it raised."""
    raw = case.mail.read_bytes()
    started = time.perf_counter()
    try:
        told = explained(raw, case.mail.name)
    except Exception as fault:  # noqa: BLE001 (that there is none is what is shown here)
        run.raised[case.name] = f"{type(fault).__name__}: {fault}"
        told = {}
    seconds = time.perf_counter() - started
    run.mails += 1
    run.seconds += seconds
    run.slowest = max(run.slowest, (seconds, case.name))
    return told and {**told, "seconds": seconds}
