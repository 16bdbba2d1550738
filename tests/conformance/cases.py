"""The corpora as they lie on disk, read. They are not part of this repository, and nothing here copies them.

Their folder is `OMBUD_CORPORA`, or `shared/corpora` beside the checkout; its README tells the format. Reading
raises what the operating system or the JSON parser raises: a broken corpus is no result.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation: `op` is one of tests/conformance/ops.py."""

    field: str
    op: str
    value: Any


@dataclass(frozen=True, slots=True)
class Case:
    """A mail and what is expected of it."""

    corpus: str
    id: str
    mail: Path
    checks: tuple[Check, ...]

    @property
    def name(self) -> str:
        return f"{self.corpus}/{self.id}"

    def states(self, field: str) -> Any:
        """What it expects of another field; None when it says nothing of it."""
        return next((check.value for check in self.checks if check.field == field), None)


def corpora() -> Path | None:
    """The folder; None when there is none on this machine."""
    named = os.environ.get("OMBUD_CORPORA")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "corpora"
    return folder if folder.is_dir() else None


def mail_cases(folder: Path) -> Iterator[Case]:
    """Every case of `mail/`, by corpus and id."""
    for told in sorted((folder / "mail").glob("*/*.json")):
        case = json.loads(told.read_bytes())
        checks = tuple(Check(one["field"], one["op"], one["value"]) for one in case["checks"])
        yield Case(told.parent.name, case["id"], told.with_suffix(".eml"), checks)


def read_list(file: Path) -> list[dict[str, Any]]:
    """The cases of a file that holds a list of them."""
    found: list[dict[str, Any]] = json.loads(file.read_bytes())
    return found
