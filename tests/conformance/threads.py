"""The cases of `threading.json`, each through `ombud thread`. An answer is a case: all labels, or wrong.

A case of policy `common` holds under any setting. One of policy `product` that asks for a setting which Ombud
does not have is informative: there is nothing to run it under.
"""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from services.cli.thread import threaded
from services.ingest.thread_cases import read_case
from tests.conformance.cases import read_list
from tests.conformance.groups import Answer

CORPUS = "threading"
FIELD = "tickets"


def answers(folder: Path) -> Iterator[Answer]:
    """An answer for each case."""
    for told in read_list(folder / "threading.json"):
        case = read_case(orjson.dumps(told))
        found = asyncio.run(threaded(case, folder / "mail"))
        expected = relabelled({one["key"]: one["ticket"] for one in told["messages"]})
        got = relabelled(found["tickets"])
        yield Answer(
            corpus=CORPUS,
            case=f"{CORPUS}/{case.id}",
            field=FIELD,
            op="equals",
            expected=expected,
            got=got,
            right=expected == got,
            group=f"threading ({told['policy']})",
            informative=told["policy"] != "common" and bool(found["unknown_settings"]),
        )


def relabelled(labels: Mapping[str, Any]) -> dict[str, str | None]:
    """The same, with labels in the order of their first message: equal for the same division."""
    names: dict[str, str] = {}
    return {
        key: None if label is None else names.setdefault(label, f"T{len(names) + 1}")
        for key, label in labels.items()
    }
