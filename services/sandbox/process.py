"""One server as a child process: started, watched, stopped by its pid, its output in a log file.

Promises:
- A server never outlives the process that started it: where `setpriv` exists (Linux) the kernel ends the
  child when its parent dies, even by SIGKILL. Elsewhere only `stop()` ends it.
- `stop()` asks (SIGTERM), waits, then kills; it returns when the process is gone. Twice is harmless.
- `wait_until()` gives up at once when the child has died, and then shows the end of its log.

Failures: a server that does not get ready raises `Refused` with the last lines of its log.
"""

import contextlib
import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from shared.domain.errors import Refused

READY_WITHIN = 60.0  # seconds
POLL_EVERY = 0.05  # seconds
TAIL_BYTES = 16_384

# A parent that died before the signal was asked for would never cause it. $0 is that parent's process id.
UNLESS_ORPHANED = '[ "$PPID" = "$0" ] && exec "$@"'

# The kernel's parent-death signal follows the THREAD that forked, not the process: a child started from a
# short-lived worker thread would be killed with it. This thread lives until the interpreter ends.
_spawner = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")


def free_port() -> int:
    """A TCP port of the loopback address that nobody listens on; on Linux no other is given it while we live.

    There a bound socket that does not listen keeps the kernel from choosing the port for others, and a server
    that asks for it by number (with SO_REUSEADDR, as servers do) gets it, again after each of its deaths.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        if sys.platform == "linux":
            probe.detach()
        return port


def answers(port: int) -> bool:
    """Whether somebody accepts connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def bound_to_parent(
    command: Sequence[str], death_signal: signal.Signals = signal.SIGKILL, user: str | None = None
) -> list[str]:
    """The command such that the kernel sends it `death_signal` when its parent dies; the pid stays.

    With `user`, root becomes that user, but may still read and write every file. Raises `Refused` where
    `setpriv` is missing and a user is asked for.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if user is not None:
            raise Refused(f"setpriv is missing, without which root cannot become {user}")
        return list(command)
    options = ["--pdeathsig", death_signal.name.removeprefix("SIG")]
    if user is not None:
        group = grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name
        options += ["--reuid", user, "--regid", group, "--clear-groups"]
        options += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
        # access(2) forgets the capabilities of a user who is not root, unless this bit is set.
        options += ["--securebits", "+no_setuid_fixup"]
    return [setpriv, *options, "--", "/bin/sh", "-c", UNLESS_ORPHANED, str(os.getpid()), *command]


def tail(log: Path, lines: int = 15) -> str:
    """The last lines of a log file; empty when there is none."""
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    return ""


class Process:
    """A child process with a name for people; its stdout and stderr are appended to `log`."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        *,
        environment: Mapping[str, str] | None = None,
        death_signal: signal.Signals = signal.SIGKILL,
        user: str | None = None,
        grace: float = 15.0,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._death_signal = death_signal
        self._user = user
        self._grace = grace
        self._environment = None if environment is None else dict(environment)
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id of the running child; raises `Refused` before `start()`."""
        if self._child is None:
            raise Refused(f"{self.name} was not started")
        return self._child.pid

    @property
    def running(self) -> bool:
        """Whether the child lives at this moment."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_status(self) -> int | None:
        """How the child ended: its exit code, or minus the signal that ended it; None while it runs."""
        return None if self._child is None else self._child.poll()

    def start(self) -> None:
        """Start the child; one that runs already is left as it is."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._child = _spawner.submit(self._spawn, output.fileno()).result()

    def _spawn(self, output: int) -> "subprocess.Popen[bytes]":
        # A session of its own: Ctrl-C in the terminal is for us to hear, and we stop the servers in order.
        return subprocess.Popen(  # noqa: S603  # the command is composed by our own code
            bound_to_parent(self._command, self._death_signal, self._user),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
        )

    def stop(self) -> int | None:
        """End the child: SIGTERM, after `grace` seconds SIGKILL; the exit status, None if it never ran."""
        child = self._child
        if child is None:
            return None
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(self._grace)
            except subprocess.TimeoutExpired:
                child.kill()
        return child.wait()

    def kill(self) -> None:
        """End the child at this instant (SIGKILL) and wait until it is gone."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def wait_until(self, ready: Callable[[], bool], within: float = READY_WITHIN) -> None:
        """Wait until `ready()`; raise `Refused` with the log's end if the child dies or the time is up."""
        deadline = time.monotonic() + within
        while True:
            if not self.running:
                raise Refused(f"{self.name} ended while starting:\n{tail(self.log)}")
            if ready():
                return
            if time.monotonic() > deadline:
                self.kill()
                raise Refused(f"{self.name} was not ready within {within:g} s:\n{tail(self.log)}")
            time.sleep(POLL_EVERY)


class Server:
    """What servers of one process have in common; a subclass says in `start()` how `_process` comes about."""

    name = "the server"

    def __init__(self) -> None:
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """The process; raises `Refused` before `start()`."""
        if self._process is None:
            raise Refused(f"{self.name} was not started")
        return self._process

    @property
    def pid(self) -> int:
        """The process id; raises `Refused` before `start()`."""
        return self.process.pid

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.running

    @property
    def exit_status(self) -> int | None:
        """How the process ended, as `Process.exit_status` says it."""
        return None if self._process is None else self._process.exit_status

    def stop(self) -> None:
        """Shut it down in order; harmless when it does not run."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """SIGKILL, as a power cut would; `start()` brings it back with its data."""
        if self._process is not None:
            self._process.kill()
