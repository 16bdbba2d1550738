"""A container engine of one's own: Debian's `dockerd` as an ordinary process, in a folder of its own.

Promises:
- `start()` returns when the engine answers. It shares nothing with another engine on this machine: own
  socket, images and networks, no rule in the firewall, no default bridge.
- `stop()` ends it and its containers, unmounts what it mounted and removes the folder; `traces()` then finds
  nothing. Were this process killed, the kernel would ask the engine to end.
- `docker()` and `compose()` run the clients against this engine alone, with none of the user's own settings.

Failures: `Refused` says that it needs root, which package is missing, or shows the end of a log.

Containers reach one another by name and are reached by published ports; they do not reach the outside, for
that needs rules in the firewall. Builds do, on the host's network.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deploy.local.packages import require
from services.sandbox.process import Process, Server
from shared.domain.errors import Refused

PACKAGES = {"dockerd": "docker.io", "docker-compose": "docker-compose", "debootstrap": "debootstrap"}
ANSWER_WITHIN = 30.0  # seconds
COMMAND_WITHIN = 300.0  # seconds; the longest is a build that fetches packages
STOP_GRACE = 60.0  # seconds, in which the engine stops every container
SHOWN_LINES = 25


def install() -> None:
    """Have the engine and what goes with it on this machine; raises `Refused` where that cannot be."""
    if os.geteuid() != 0:
        raise Refused("an engine of one's own needs root: sudo make containers")
    for program, package in PACKAGES.items():
        require(program, [package])


class Engine(Server):
    """The engine; use it with `with`, or `start()` and `stop()`."""

    name = "the container engine"

    def __init__(self) -> None:
        super().__init__()
        # Short: the name of a socket may have about 100 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="ombud-engine-"))

    @property
    def address(self) -> str:
        """What clients take as `DOCKER_HOST`."""
        return f"unix://{self.folder}/docker.sock"

    @property
    def environment(self) -> dict[str, str]:
        """For programs that shall use this engine."""
        return {
            **os.environ,
            "DOCKER_HOST": self.address,
            "DOCKER_CONFIG": str(self.folder / "client"),
            "DOCKER_BUILDKIT": "1",
        }

    def start(self) -> None:
        """Start it; return when it answers."""
        command = [
            "dockerd",
            "--data-root",
            str(self.folder / "data"),
            "--exec-root",
            str(self.folder / "exec"),
        ]
        command += ["--pidfile", str(self.folder / "pid"), "-H", self.address, "--storage-driver", "overlay2"]
        command += [
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
        ]
        self._process = Process(
            self.name, command, self.folder / "engine.log", death_signal=signal.SIGTERM, grace=STOP_GRACE
        )
        self._process.start()
        self._process.wait_until(self._answers, within=ANSWER_WITHIN)

    def stop(self) -> None:
        """End it with all its containers and remove what it left."""
        if self.running:
            self._remove_networks()
        super().stop()
        for place in reversed(mounts_under(self.folder)):
            subprocess.run(["umount", place], check=False, capture_output=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def traces(self) -> list[str]:
        """What is still there of it: mounts, processes, its folder. Empty after `stop()`."""
        processes = [f"process {pid}: {line}" for pid, line in command_lines() if str(self.folder) in line]
        folder = [str(self.folder)] if self.folder.exists() else []
        return [*mounts_under(self.folder), *processes, *folder]

    def __enter__(self) -> "Engine":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_fault: object) -> None:
        self.stop()

    def docker(self, *arguments: str) -> str:
        """Run the client to its end; its output. Raises `Refused` with what it said."""
        return self.run([client(), *arguments])

    def logs(self, container: str) -> str:
        """The last lines that a container wrote, on stdout or stderr. Raises `Refused`."""
        asked = shlex.join([client(), "logs", "--tail", str(SHOWN_LINES), container])
        return self.run(["sh", "-c", f"exec {asked} 2>&1"])

    def compose(self, *arguments: str, environment: Mapping[str, str]) -> str:
        """Run `docker-compose` to its end; its output. Raises `Refused` with what it said."""
        return self.run(["docker-compose", *arguments], environment)

    def run(
        self, command: list[str], environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> str:
        """Run a program that uses this engine to its end; its output. Raises `Refused` with what it said."""
        name = " ".join([Path(command[0]).name, *command[1:3]])
        try:
            done = subprocess.run(
                command,
                env=self.environment | dict(environment or {}),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=COMMAND_WITHIN,
            )
        except subprocess.TimeoutExpired as late:
            raise Refused(f"`{name} …` was not done within {COMMAND_WITHIN:g} s") from late
        if done.returncode != 0:
            said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-SHOWN_LINES:])
            raise Refused(f"`{name} …` failed with exit status {done.returncode}:\n{said}")
        return done.stdout

    def _remove_networks(self) -> None:
        """Their bridges would outlive the engine; a network goes when its containers are gone."""
        with contextlib.suppress(Refused):  # an engine that does not answer is ended all the same
            if containers := self.docker("ps", "--all", "--quiet").split():
                self.docker("rm", "--force", "--volumes", *containers)
            self.docker("network", "prune", "--force")

    def _answers(self) -> bool:
        with contextlib.suppress(Refused):
            return bool(self.docker("version", "--format", "{{.Server.Version}}").strip())
        return False


def client() -> str:
    """The engine's own client; another one that stands before it on the path may lack its builder."""
    return shutil.which("docker", path="/usr/bin") or "docker"


def mounts_under(folder: Path) -> list[str]:
    """What is mounted below this folder, outer places before inner ones."""
    places = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    return sorted(place for place in places if place.startswith(f"{folder}/"))


def command_lines() -> list[tuple[int, str]]:
    """Every process of this machine with its command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            words = process.joinpath("cmdline").read_bytes().split(b"\0")
            found.append((int(process.name), b" ".join(words).decode(errors="replace").strip()))
    return found
