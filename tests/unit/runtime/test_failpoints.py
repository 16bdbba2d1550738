"""Failpoints: off by default, refused in production, exact about which passing; wrong ones are told."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from services.settings import read_settings
from shared.domain.errors import Refused, Unavailable
from shared.runtime import failpoints
from shared.runtime.failpoint_plan import Site, parsed


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in list(os.environ):
        if name.startswith("OMBUD_"):
            monkeypatch.delenv(name)
    yield
    failpoints.arm("")


async def failed_at(site: Site, passings: int) -> list[int]:
    failed = []
    for number in range(1, passings + 1):
        try:
            await failpoints.reach(site)
        except Unavailable:
            failed.append(number)
    return failed


async def test_without_a_setting_nothing_happens_anywhere() -> None:
    failpoints.arm(read_settings().failpoints)

    assert [await failed_at(site, 3) for site in Site] == [[]] * len(Site)


async def test_what_happens_happens_at_the_passing_that_was_named_and_there_alone() -> None:
    failpoints.arm("outbox.saved=raise@3")

    assert await failed_at(Site.OUTBOX_SAVED, 6) == [3]
    assert await failed_at(Site.OUTBOX_PUBLISHED, 3) == []


async def test_without_a_number_it_happens_at_every_passing() -> None:
    failpoints.arm(" outbox.saved = raise ;; timer.told=sleep:0")

    assert await failed_at(Site.OUTBOX_SAVED, 3) == [1, 2, 3]
    assert await failed_at(Site.TIMER_TOLD, 3) == []


async def test_a_wait_lets_others_go_on_in_the_meantime() -> None:
    failpoints.arm("timer.claimed=sleep:60@1")
    waiting = asyncio.create_task(failpoints.reach(Site.TIMER_CLAIMED))
    await asyncio.sleep(0)
    await failpoints.reach(Site.TIMER_CLAIMED)

    assert not waiting.done()
    waiting.cancel()


async def test_work_is_begun_before_the_place_beside_it_is_passed_and_its_result_comes_back() -> None:
    begun = asyncio.Event()

    async def work() -> str:
        begun.set()
        await asyncio.sleep(0)
        return "done"

    assert await failpoints.reach_beside(Site.LETTER_ENDED, work()) == "done"
    failpoints.arm("letter.ended=sleep:0")
    assert await failpoints.reach_beside(Site.LETTER_ENDED, work()) == "done"
    begun.clear()
    failpoints.arm("letter.ended=raise")
    with pytest.raises(Unavailable):
        await failpoints.reach_beside(Site.LETTER_ENDED, work())
    assert begun.is_set()


def test_a_kill_leaves_no_time_for_anything() -> None:
    program = (
        "import asyncio\n"
        "from shared.runtime import failpoint_plan, failpoints\n"
        "failpoints.arm('letter.answered=kill@2')\n"
        "async def main():\n"
        "    try:\n"
        "        for number in range(5):\n"
        "            print(number, flush=True)\n"
        "            await failpoints.reach(failpoint_plan.Site.LETTER_ANSWERED)\n"
        "    finally:\n"
        "        print('cleaned up', flush=True)\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert done.returncode == -signal.SIGKILL
    assert [line for line in done.stdout.splitlines() if "armed" not in line] == ["0", "1"]


def test_in_production_a_failpoint_is_refused_together_with_every_other_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMBUD_FAILPOINTS", "ingest.published=kill")
    monkeypatch.setenv("OMBUD_HTTP__PORT", "many")
    with pytest.raises(Refused) as refused:
        read_settings()

    said = str(refused.value)
    assert "OMBUD_FAILPOINTS: it is for tests alone: unset it, or set OMBUD_ENVIRONMENT=test" in said
    assert "OMBUD_HTTP__PORT" in said

    monkeypatch.delenv("OMBUD_HTTP__PORT")
    monkeypatch.setenv("OMBUD_ENVIRONMENT", "test")
    assert read_settings().failpoints == "ingest.published=kill"


def test_a_name_that_does_not_exist_is_refused_with_those_that_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMBUD_ENVIRONMENT", "test")
    monkeypatch.setenv("OMBUD_FAILPOINTS", "ingest.publish=kill")
    with pytest.raises(
        Refused, match=r"OMBUD_FAILPOINTS: there is no failpoint 'ingest\.publish'"
    ) as refused:
        read_settings()

    assert all(site.value in str(refused.value) for site in Site)


@pytest.mark.parametrize(
    "action",
    ["", "die", "kill@0", "kill@-1", "kill@x", "sleep", "sleep:", "sleep:-1", "sleep:inf", "raise:1"],
)
def test_an_action_that_does_not_exist_is_refused(action: str) -> None:
    with pytest.raises(Refused, match="only kill, raise or sleep:SECONDS"):
        parsed(f"outbox.saved={action}")
