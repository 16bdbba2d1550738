"""A test run shares its servers and takes them with it, even when pytest is killed.

A mongod or a broker left behind by every broken run would fill the machine within a day.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deploy.local.mongo import is_primary
from services.sandbox.process import answers
from tests.conftest import missing
from tests.helpers import eventually, eventually_sync
from tests.servers.run import CHECKOUT, Missing, Run

pytestmark = pytest.mark.mongo

OWNER = """
import sys
from tests.servers.run import Run
run = Run.open()
print(run.folder, run.address("mongo"), flush=True)
sys.stdin.read()
run.close()
"""


def port_of(url: str) -> int:
    return int(url.split("//127.0.0.1:")[1].split("/", maxsplit=1)[0])


@pytest.fixture
def run() -> Iterator[Run]:
    run = Run.open()
    try:
        run.address("mongo")
    except Missing as reason:
        run.close()
        missing("mongo", str(reason))
    yield run
    run.close()


@pytest.fixture
def owner(mongo_url: str) -> Iterator["subprocess.Popen[str]"]:
    """A process of its own that owns a run with a MongoDB; its first line is the folder and the address."""
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
    ) as process:
        yield process
        process.kill()


def first_line(owner: "subprocess.Popen[str]") -> tuple[Path, int]:
    assert owner.stdout is not None
    folder, url = owner.stdout.readline().split()
    return Path(folder), port_of(url)


def test_all_who_join_a_run_at_once_get_the_same_server(run: Run) -> None:
    """Two xdist workers must not start two brokers on a machine with two cores."""
    with ThreadPoolExecutor(4) as threads:
        addresses = set(threads.map(lambda _: Run.join(run.folder).address("mongo"), range(4)))

    assert addresses == {run.address("mongo")}


def test_a_worker_that_leaves_does_not_stop_the_server(run: Run) -> None:
    worker = Run.join(run.folder)
    port = port_of(worker.address("mongo"))
    worker.close()

    assert is_primary(port)


def test_when_a_run_is_closed_its_server_and_its_folder_are_gone(run: Run) -> None:
    port = port_of(run.address("mongo"))
    run.close()

    assert not answers(port)
    assert not run.folder.exists()


def test_a_killed_run_leaves_no_server_behind(owner: "subprocess.Popen[str]") -> None:
    folder, port = first_line(owner)

    assert answers(port)

    owner.kill()

    eventually_sync(lambda: not answers(port), awaited="the orphaned server to end", within=20)
    shutil.rmtree(folder)  # the one thing that a killed owner cannot take along


def test_a_killed_keeper_takes_its_server_with_it(run: Run) -> None:
    """Where the kernel can bind a child to its parent: nothing else could end the server then."""
    content = json.loads((run.folder / "mongo.json").read_text())
    if content["by"] == "Docker":
        pytest.skip("containers are ended by Docker's own reaper")
    os.kill(content["pid"], 9)

    eventually_sync(lambda: not answers(port_of(content["address"])), awaited="its server to end")


def test_a_server_that_cannot_be_had_is_missing_with_its_reason(run: Run) -> None:
    (run.folder / "kafka.json").write_text(json.dumps({"missing": "java is missing"}))

    with pytest.raises(Missing, match="java is missing"):
        run.address("kafka")


def test_what_is_missing_fails_where_it_is_required_and_is_skipped_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for required in ("all", "dovecot,kafka"):
        monkeypatch.setenv("OMBUD_REQUIRE", required)

        with pytest.raises(pytest.fail.Exception, match="kafka is required here and missing: no java"):
            missing("kafka", "no java")
    monkeypatch.setenv("OMBUD_REQUIRE", "dovecot")

    with pytest.raises(pytest.skip.Exception, match="no java"):
        missing("kafka", "no java")


async def test_waiting_in_vain_says_what_was_awaited_and_what_was_seen() -> None:
    with pytest.raises(AssertionError, match=r"awaited for 0.05 s: a third mail; the last answer was 0"):
        await eventually(lambda: 0, awaited="a third mail", within=0.05)


async def test_waiting_ends_as_soon_as_an_async_question_is_answered() -> None:
    answers_in_turn = iter([0, 0, 3])

    async def question() -> int:
        return next(answers_in_turn)

    assert await eventually(question, within=5) == 3


async def test_an_assertion_that_fails_while_waiting_is_asked_again() -> None:
    tries: list[int] = []

    def question() -> bool:
        tries.append(1)
        assert len(tries) > 2
        return True

    assert await eventually(question, within=5)
    assert len(tries) == 3
