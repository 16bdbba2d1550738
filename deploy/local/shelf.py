"""What is fetched or made once for all runs of a checkout, in `.servers/`: jars, a system's files.

Promises: `shelved()` returns a folder that is whole: it is filled beside its place and then renamed, so one
cut short is never taken for a whole one. Any number of processes may ask at once; one fills, the others wait.
A name should hold the digest of what the content depends on, for nothing on the shelf is ever made anew.

Failures: those of `fill`; the shelf is then as it was.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

SHELF = Path(__file__).resolve().parents[2] / ".servers"


def shelved(name: str, fill: Callable[[Path], None], shelf: Path = SHELF) -> Path:
    """The folder of this name; `fill` is given an empty folder the first time."""
    folder = shelf / name
    if folder.exists():
        return folder
    shelf.mkdir(exist_ok=True)
    with (shelf / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            _filled(folder, fill)
    return folder


def _filled(folder: Path, fill: Callable[[Path], None]) -> None:
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        fill(part)
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
