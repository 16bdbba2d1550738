"""`ombud` as a person starts it, in an environment without settings of ours."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Answer = subprocess.CompletedProcess[str]
Ombud = Callable[..., Answer]


@pytest.fixture
def ombud(tmp_path: Path) -> Ombud:
    """Run a verb on its own data folder; keywords are variables, `stdin` is what it reads."""

    def run(*arguments: str, stdin: bytes = b"", **variables: str) -> Answer:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("OMBUD_")}
        environment = {**clean, "OMBUD_DATA": str(tmp_path / "data"), "COLUMNS": "100", **variables}
        done = subprocess.run(
            [sys.executable, "-m", "services", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            check=False,
            timeout=60,
        )
        return Answer(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
