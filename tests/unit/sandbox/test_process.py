"""A child process starts, is watched, ends with us, and says why when it does not get ready."""

import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from services.sandbox.process import Process, answers, bound_to_parent, free_port, tail
from shared.domain.errors import Refused
from tests.helpers import eventually_sync

SLEEPER = [sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"]
IGNORES_SIGTERM = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""
STUBBORN = [sys.executable, "-c", IGNORES_SIGTERM]
PARENT = """
import sys, time
from pathlib import Path
from services.sandbox.process import Process
child = Process("child", [sys.executable, "-c", "import time; time.sleep(60)"], Path(sys.argv[1]))
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def started(command: list[str], tmp_path: Path, grace: float = 15.0) -> Process:
    process = Process("child", command, tmp_path / "logs" / "child.log", grace=grace)
    process.start()
    process.wait_until(lambda: "up" in tail(process.log), within=20)
    return process


def test_a_stopped_child_is_gone_and_stopping_it_again_harms_nothing(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path)
    pid = process.pid

    assert process.running
    assert process.stop() == -signal.SIGTERM
    assert process.stop() == -signal.SIGTERM
    assert not alive(pid)


def test_a_child_that_ignores_the_request_is_killed_when_its_time_is_up(tmp_path: Path) -> None:
    assert started(STUBBORN, tmp_path, grace=0.1).stop() == -signal.SIGKILL


def test_starting_a_child_that_runs_leaves_it_as_it_is(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path)
    pid = process.pid
    process.start()

    assert process.pid == pid

    process.kill()

    assert not process.running


def test_a_child_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    """Nobody is left then who could stop it."""
    command = [sys.executable, "-c", PARENT, str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())

        assert alive(child)

        parent.kill()
    eventually_sync(lambda: not alive(child), awaited="the orphan to end")


def test_a_child_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    """The kernel ties a child to the thread that forked it: a worker thread's end must not take it away."""
    with ThreadPoolExecutor(1) as thread:
        process = thread.submit(started, SLEEPER, tmp_path).result()

    assert process.running
    process.kill()


def test_a_child_that_dies_while_starting_is_refused_with_the_end_of_its_log(tmp_path: Path) -> None:
    process = Process("broken", [sys.executable, "-c", "raise SystemExit('no such disk')"], tmp_path / "log")
    process.start()

    with pytest.raises(Refused, match=r"(?s)broken ended while starting:.*no such disk"):
        process.wait_until(lambda: False, within=20)


def test_a_child_that_is_dead_is_not_ready_whoever_answers_in_its_place(tmp_path: Path) -> None:
    process = Process("broken", [sys.executable, "-c", "raise SystemExit('port taken')"], tmp_path / "log")
    process.start()
    eventually_sync(lambda: not process.running)

    with pytest.raises(Refused, match=r"(?s)broken ended while starting:.*port taken"):
        process.wait_until(lambda: True)


def test_a_child_that_never_gets_ready_is_refused_and_ended(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path)

    with pytest.raises(Refused, match=r"(?s)not ready within 0.1 s:\nup"):
        process.wait_until(lambda: False, within=0.1)
    assert not process.running


def test_the_log_is_appended_to_over_restarts(tmp_path: Path) -> None:
    process = started(SLEEPER, tmp_path)
    process.kill()
    process.start()
    eventually_sync(lambda: tail(process.log) == "up\nup", awaited="the second line")
    process.kill()


def test_a_child_that_was_never_started_has_no_pid_and_stops_without_a_status(tmp_path: Path) -> None:
    process = Process("none", SLEEPER, tmp_path / "log")

    with pytest.raises(Refused, match="none was not started"):
        _ = process.pid
    assert process.stop() is None
    process.kill()

    assert not process.running


def test_a_long_log_is_shown_by_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))

    assert tail(log, lines=2) == "line 9998\nline 9999"
    assert tail(tmp_path / "none") == ""


def test_a_free_port_has_no_listener() -> None:
    assert not answers(free_port())


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere two sockets cannot share an address so")
def test_a_free_port_is_nobody_elses_until_a_server_asks_for_it_by_its_number() -> None:
    port = free_port()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))
    for _ in range(2):
        with socket.create_server(("127.0.0.1", port)):
            assert answers(port)
    assert not answers(port)


def test_the_pid_of_a_bound_child_is_the_programs_own(tmp_path: Path) -> None:
    """Whoever sends it a signal must reach the program, not a wrapper."""
    process = started(
        [sys.executable, "-c", "import os, time; print('up', os.getpid(), flush=True); time.sleep(60)"],
        tmp_path,
    )

    assert tail(process.log) == f"up {process.pid}"
    process.kill()


def test_a_child_whose_parent_is_gone_already_does_not_begin(tmp_path: Path) -> None:
    """The kernel tells no death that happened before it was asked to."""
    bound = bound_to_parent(["echo", "begun"])
    stranger = subprocess.run(["sh", "-c", '"$@" & wait', "sh", *bound], capture_output=True, check=True)

    if bound != ["echo", "begun"]:
        assert stranger.stdout == b""


def test_a_command_is_bound_with_the_signal_asked_for() -> None:
    command = bound_to_parent(["server", "--flag"], signal.SIGTERM)

    assert command[-2:] == ["server", "--flag"]
    assert "KILL" not in command
