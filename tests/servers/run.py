"""One test run and the servers its processes share: at most one Kafka and one MongoDB, whatever `-n` says.

The process that opens the run (pytest itself, with xdist its controller) holds a lock while it lives; the
servers' keepers end with it (`tests/servers/keeper.py`). A worker joins the run by its folder.
"""

import fcntl
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from services.sandbox.process import tail
from tests.helpers import eventually_sync

CHECKOUT = Path(__file__).resolve().parents[2]
START_WITHIN = 110.0  # seconds; the first time Java, Maven and the jars may have to be fetched
STOP_WITHIN = 20.0  # seconds


class Missing(Exception):  # it is not an error: the caller decides between skip and failure
    """This machine cannot run the server; the text is the reason."""


class Run:
    """The folder of a run; `owner` is the process whose end is the run's end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._alive = None if folder.joinpath("alive").exists() else folder.joinpath("alive").open("w")
        if self._alive is not None:
            fcntl.flock(self._alive, fcntl.LOCK_EX)

    @classmethod
    def open(cls) -> "Run":
        """A new run, owned by this process until `close()` or its death."""
        return cls(Path(tempfile.mkdtemp(prefix="ombud-run-")))

    @classmethod
    def join(cls, folder: Path) -> "Run":
        """The run of another process, which owns it."""
        return cls(folder)

    def address(self, kind: str) -> str:
        """The address of this run's server (`kafka` or `mongo`), started by whoever asks first."""
        file = self.folder / f"{kind}.json"
        with (self.folder / f"{kind}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.exists():
                self._start_keeper(kind, file)
        content = json.loads(file.read_text())
        if "missing" in content:
            raise Missing(content["missing"])
        return str(content["address"])

    def _start_keeper(self, kind: str, file: Path) -> None:
        log = self.folder / f"{kind}.keeper.log"
        command = [sys.executable, "-m", "tests.servers.keeper", kind, str(self.folder)]
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        output = [(os.POSIX_SPAWN_OPEN, 1, str(log), flags, 0o600), (os.POSIX_SPAWN_DUP2, 1, 2)]
        # The keeper serves the whole run and is nobody's child to wait for: it ends by the lock, not by us.
        pid = os.posix_spawn(sys.executable, command, environment, file_actions=output, setsid=True)

        def settled() -> bool:
            return file.exists() or os.waitpid(pid, os.WNOHANG)[0] == pid

        eventually_sync(settled, awaited=f"the {kind} of this test run", within=START_WITHIN)
        if not file.exists():
            file.write_text(json.dumps({"missing": f"its keeper ended: {tail(log)}"}))

    def close(self) -> None:
        """End the run: its servers stop, and when this returns they are gone and so is the folder."""
        if self._alive is None:
            return
        self._alive.close()
        self._alive = None
        for held in self.folder.glob("*.held"):
            if not _released(held, STOP_WITHIN):
                os.kill(int(json.loads(held.with_suffix(".json").read_text())["pid"]), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)


def _released(held: Path, within: float) -> bool:
    """Whether the keeper that holds this file's lock goes away in time."""
    deadline = time.monotonic() + within
    with held.open("w") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.05)
            else:
                return True
    return False
