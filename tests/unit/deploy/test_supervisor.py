"""A child that dies comes back, one that keeps dying is given time, and stopping stops for good."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from deploy.local.supervisor import Child, Restarted, Supervisor
from services.sandbox.process import Process, tail
from shared.domain.errors import Refused
from tests.helpers import eventually

WORKER = """
import os, signal, sys, time
name = sys.argv[1]
def say(word):  # in one write, so that two workers' lines do not mix
    os.write(1, f"{time.monotonic()} {word} {name}\\n".encode())
def stop(*_):
    time.sleep(float(sys.argv[2]))
    say("end")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
say("begin")
time.sleep(60)
"""


def worker(folder: Path, name: str, drain: float = 0.0) -> Process:
    return Process(name, [sys.executable, "-c", WORKER, name, str(drain)], folder / "log")


def told_by(folder: Path) -> list[str]:
    """What the workers said, as `begin NAME` and `end NAME`, in the order of time."""
    lines = sorted(line.split(maxsplit=1) for line in tail(folder / "log", 100).splitlines())
    return [words for _, words in lines]


@pytest.fixture
def told() -> list[Restarted]:
    return []


@pytest.fixture
async def supervisor(told: list[Restarted]) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor(told.append, first_pause=0.02, longest_pause=0.1)
    yield supervisor
    await supervisor.stop()


async def test_a_killed_child_runs_again_and_that_is_told(
    supervisor: Supervisor, told: list[Restarted], tmp_path: Path
) -> None:
    child = worker(tmp_path, "triage-1")
    await supervisor.start({"triage-1": child})
    first = child.pid
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: told, awaited="the restart")

    assert told == [Restarted("triage-1", child.pid, -signal.SIGKILL)]
    assert child.pid != first
    assert child.running
    assert supervisor.pids() == {"triage-1": child.pid}


async def test_a_child_that_ends_by_itself_runs_again_with_its_exit_code_told(
    supervisor: Supervisor, told: list[Restarted], tmp_path: Path
) -> None:
    await supervisor.start(
        {"x": Process("x", [sys.executable, "-c", "raise SystemExit(3)"], tmp_path / "log")}
    )
    await eventually(lambda: len(told) >= 2, awaited="two restarts")

    assert {restart.exit for restart in told} == {3}


async def test_the_others_are_left_alone_when_one_dies(
    supervisor: Supervisor, told: list[Restarted], tmp_path: Path
) -> None:
    children = {name: worker(tmp_path, name) for name in ("a", "b")}
    await supervisor.start(dict[str, Child](children))
    before = supervisor.pids()
    os.kill(before["a"], signal.SIGKILL)
    await eventually(lambda: told, awaited="the restart of a")

    assert supervisor.pids()["b"] == before["b"]
    assert [restart.name for restart in told] == ["a"]


async def test_a_child_that_keeps_dying_is_started_ever_more_slowly(tmp_path: Path) -> None:
    """A service that dies at once must not eat a processor by being started."""
    moments: list[float] = []
    supervisor = Supervisor(lambda _: moments.append(time.monotonic()), first_pause=0.05, longest_pause=0.4)
    await supervisor.start({"x": Process("x", ["/bin/false"], tmp_path / "log")})
    await eventually(lambda: len(moments) >= 6, awaited="six restarts")
    await supervisor.stop()
    gaps = [later - sooner for sooner, later in pairwise(moments)]

    assert gaps[0] >= 0.1
    assert min(gaps[2:]) >= 0.4
    assert max(gaps) < 3


async def test_a_child_that_lived_long_enough_comes_back_quickly_again(tmp_path: Path) -> None:
    told: list[Restarted] = []
    supervisor = Supervisor(told.append, first_pause=0.01, longest_pause=30.0, calm_after=0.1)
    child = Process("x", [sys.executable, "-c", "import time; time.sleep(0.3)"], tmp_path / "log")
    await supervisor.start({"x": child})
    await eventually(lambda: len(told) >= 5, awaited="five restarts, of which none waited long", within=15)
    await supervisor.stop()

    assert all(restart.exit == 0 for restart in told)


async def test_a_stopped_supervisor_starts_nobody_anew(tmp_path: Path) -> None:
    told: list[Restarted] = []
    supervisor = Supervisor(told.append, first_pause=0.05)
    child = worker(tmp_path, "x")
    await supervisor.start({"x": child})
    await eventually(lambda: told_by(tmp_path) == ["begin x"], awaited="the child")
    await supervisor.stop()

    assert not child.running
    assert child.exit_status == 0
    assert told == []
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("supervise")]


async def test_what_was_started_last_has_ended_before_what_was_started_first_is_asked(tmp_path: Path) -> None:
    """Services drain into their servers: a server that went first would make them lose their time."""
    supervisor = Supervisor(lambda _: None)
    await supervisor.start({"server": worker(tmp_path, "server")})
    await supervisor.start({name: worker(tmp_path, name, drain=0.3) for name in ("one", "two")})
    await eventually(lambda: len(told_by(tmp_path)) == 3, awaited="all three")
    began = time.monotonic()
    await supervisor.stop()

    assert told_by(tmp_path)[-1] == "end server"
    assert set(told_by(tmp_path)[3:5]) == {"end one", "end two"}
    assert time.monotonic() - began < 5


async def test_a_child_that_cannot_be_started_at_all_is_refused(tmp_path: Path) -> None:
    supervisor = Supervisor(lambda _: None)

    class Broken(Process):
        def start(self) -> None:
            raise Refused("no such program")

    with pytest.raises(Refused, match="no such program"):
        await supervisor.start({"x": Broken("x", [], tmp_path / "log")})
    await supervisor.stop()


async def test_a_restart_that_is_refused_is_told_and_tried_again(
    supervisor: Supervisor, told: list[Restarted], tmp_path: Path
) -> None:
    (tmp_path / "works").touch()

    class Server(Process):
        def start(self) -> None:
            if not (tmp_path / "works").exists():
                raise Refused("the disk is gone")
            super().start()

    child = Server("x", [sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    await supervisor.start({"x": child})
    (tmp_path / "works").unlink()
    os.kill(child.pid, signal.SIGKILL)
    await eventually(lambda: told and told[-1].fault == "the disk is gone", awaited="the refusal")
    (tmp_path / "works").touch()
    await eventually(lambda: child.running, awaited="the restart")
    await eventually(lambda: told[-1].fault is None, awaited="its being told")
