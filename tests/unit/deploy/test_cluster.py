"""The cluster is the real product: a mail becomes a ticket, whatever is killed comes back, all of it ends."""

import contextlib
import json
import os
import signal
import smtplib
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

import pytest

from deploy.local.cluster import SERVICES, kept, main, owned
from services.sandbox.dovecot import Dovecot
from services.sandbox.process import answers, tail
from services.sandbox.samples import samples
from shared.domain.errors import Refused
from tests.conftest import missing
from tests.helpers import eventually_sync

START_WITHIN = 110.0  # seconds, on a machine that does other things too


class Running:
    """A cluster as a person starts it: a process that prints JSON lines."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self._output = data.parent / f"{data.name}.out"
        self._errors = data.parent / f"{data.name}.err"
        command = [sys.executable, "-m", "deploy.local.cluster", "--json", "--data", str(data)]
        with self._output.open("w") as output, self._errors.open("w") as errors:
            self.process = subprocess.Popen(command, stdout=output, stderr=errors)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(90)

    def lines(self) -> list[dict[str, Any]]:
        whole = self._output.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def ready(self) -> dict[str, Any]:
        """The ready line, awaited."""

        def said() -> bool:
            if self.process.poll() is not None:
                pytest.fail(tail(self._errors, 40), pytrace=False)
            return bool(self.lines())

        eventually_sync(said, awaited="the ready line", within=START_WITHIN)
        return self.lines()[0]

    def restarts(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if line["event"] == "restarted"]


def tickets(ready: dict[str, Any]) -> list[dict[str, Any]]:
    """The API's tickets; none while it does not answer."""
    headers = {"Authorization": f"Bearer {ready['key']}"}
    request = urllib.request.Request(f"{ready['api']}/v1/tickets", headers=headers)  # noqa: S310  # our own server
    with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        return list(json.load(answer)["data"])
    return []


def send(ready: dict[str, Any], raw: bytes) -> None:
    with smtplib.SMTP(ready["smtp"]["host"], ready["smtp"]["port"], timeout=10) as client:
        client.sendmail("marta.lindqvist@example.org", [ready["address"]], raw)


def pid_of(ready: dict[str, Any], name: str) -> int:
    return next(int(process["pid"]) for process in ready["processes"] if process["name"] == name)


def alive(pid: int) -> bool:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return listed.stdout.strip() != "" and not listed.stdout.startswith("Z")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    if not Dovecot.available():
        missing("dovecot", "dovecot is not installed")
    return tmp_path / "data"


def assert_stops_whole(cluster: Running, ready: dict[str, Any]) -> None:
    pids = [process["pid"] for process in ready["processes"]]
    cluster.process.send_signal(signal.SIGTERM)

    assert cluster.process.wait(60) == 0
    assert not [pid for pid in pids if alive(pid)]


@pytest.mark.kafka
@pytest.mark.mongo
@pytest.mark.dovecot
@pytest.mark.timeout(300)  # thirteen processes start, some of them twice
def test_a_mail_becomes_a_ticket_although_a_service_is_killed_and_is_there_after_a_restart(
    data: Path,
) -> None:
    """What `make cluster` is for: to see with one's own processes that nothing is lost."""
    (_, raw), *_ = samples()
    with Running(data) as cluster:
        ready = cluster.ready()
        os.kill(pid_of(ready, "triage-1"), signal.SIGKILL)
        send(ready, raw)
        eventually_sync(lambda: tickets(ready), awaited="the ticket", within=60)

        assert [ticket["subject"] for ticket in tickets(ready)] == ["Cannot log in since the password reset"]
        assert [(line["name"], line["exit"]) for line in cluster.restarts()] == [
            ("triage-1", -signal.SIGKILL)
        ]
        assert_stops_whole(cluster, cluster.ready())
    with Running(data) as cluster:
        again = cluster.ready()

        assert [ticket["subject"] for ticket in tickets(again)] == ["Cannot log in since the password reset"]
        for same in ("api", "key", "kafka", "mongo", "smtp", "imap", "address"):
            assert again[same] == ready[same], same


@pytest.mark.kafka
@pytest.mark.mongo
@pytest.mark.dovecot
@pytest.mark.timeout(300)  # thirteen processes start, some of them twice
def test_a_cluster_that_is_killed_leaves_no_process_behind(data: Path) -> None:
    with Running(data) as cluster:
        ready = cluster.ready()
        names = {process["name"] for process in ready["processes"]}
        pids = [process["pid"] for process in ready["processes"]]

        assert names == {"kafka", "mongo", "dovecot", "smtp", *(f"{service}-1" for service in SERVICES)}
        assert all(alive(pid) for pid in pids)

        cluster.process.kill()
        cluster.process.wait()
        eventually_sync(lambda: not [pid for pid in pids if alive(pid)], awaited="the end of all", within=20)

        assert not answers(int(ready["kafka"].rpartition(":")[2]))


def test_two_clusters_cannot_stand_on_the_same_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with owned(tmp_path):
        assert main(["--data", str(tmp_path)]) == 1

    assert "another cluster runs on" in capsys.readouterr().err


def test_no_replicas_at_all_is_a_fault_of_the_caller(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--replicas", "0"])

    assert ended.value.code == 2
    assert "--replicas" in capsys.readouterr().err


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    assert kept(tmp_path / "key", lambda: "first") == "first"
    assert kept(tmp_path / "key", lambda: "second") == "first"
    assert (tmp_path / "key").stat().st_mode & 0o077 == 0


def test_a_secret_that_could_not_be_made_leaves_no_file(tmp_path: Path) -> None:
    def refuse() -> str:
        raise Refused("the database is not ready")

    with pytest.raises(Refused):
        kept(tmp_path / "key", refuse)
    assert kept(tmp_path / "key", lambda: "made") == "made"
