"""`ombud` on a data folder of its own, in an environment without settings of ours."""

import io
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from services.__main__ import main


@dataclass(frozen=True)
class Answer:
    """How a verb ended and what it printed."""

    code: int
    out: str
    err: str


Ombud = Callable[..., Answer]


@pytest.fixture
def process_as_before() -> Iterator[None]:
    """What a program sets for its whole process is put back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    umask = os.umask(0o077)
    yield
    os.umask(umask)
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def ombud(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    process_as_before: None,
) -> Ombud:
    """Run a verb from its arguments to its exit; keywords are variables, `stdin` is what it reads."""
    for name in list(os.environ):
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OMBUD_DATA", str(tmp_path / "data"))

    def run(*arguments: str, stdin: bytes = b"", **variables: str) -> Answer:
        with monkeypatch.context() as now:
            for name, value in variables.items():
                now.setenv(name, value)
            now.setattr(sys, "argv", ["ombud", *arguments])
            now.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
            code = _exit_code()
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run


def _exit_code() -> int:
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
