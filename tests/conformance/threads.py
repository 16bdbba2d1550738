"""The cases of `threading.json`, each through `ombud thread`. An answer is a case: all labels, or wrong.

A case of policy `common` holds under any setting. One of policy `product` that asks for a setting which Ombud
does not have is informative: there is nothing to run it under (docs/conformance.md names them, and why).
"""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from services.cli.thread import threaded
from services.ingest.settings import IngestSettings
from services.ingest.thread_cases import read_case
from tests.conformance.cases import read_list
from tests.conformance.groups import Answer
from tests.conformance.mails import Run

CORPUS = "threading"
FIELD = "tickets"


def answers(folder: Path, run: Run) -> Iterator[Answer]:
    """An answer for each case; what was raised is told in `run`."""
    for told in read_list(folder / "threading.json"):
        case = read_case(orjson.dumps(told))
        name = f"{CORPUS}/{case.id}"
        _, unknown = case.settings_over(IngestSettings())
        expected = relabelled({one["key"]: one["ticket"] for one in told["messages"]})
        try:
            got = relabelled(asyncio.run(threaded(case, folder / "mail"))["tickets"])
        except Exception as fault:  # noqa: BLE001 (that there is none is what is shown here)
            run.raised[name] = f"{type(fault).__name__}: {fault}"
            got = {}
        yield Answer(
            corpus=CORPUS,
            case=name,
            field=FIELD,
            op="equals",
            expected=expected,
            got=got,
            right=expected == got,
            group=f"threading ({told['policy']})",
            informative=told["policy"] != "common" and bool(unknown),
        )


def relabelled(labels: Mapping[str, Any]) -> dict[str, str | None]:
    """The same, with labels in the order of their first message: equal for the same division."""
    names: dict[str, str] = {}
    return {
        key: None if label is None else names.setdefault(label, f"T{len(names) + 1}")
        for key, label in labels.items()
    }
