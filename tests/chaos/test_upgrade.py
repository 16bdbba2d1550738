"""Row 26: tomorrow's build and today's side by side on one broker and one store; then today's alone again.

Tomorrow's build is today's with what a release may add: a field in every event, a kind of event that today's
does not know, and a field in the ticket's document.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deploy.local.cluster import SERVICES
from deploy.local.readiness import wait_for_readiness
from services.sandbox.process import Process, free_port
from tests.chaos.harness import Trial, on_cluster, size

CHECKOUT = Path(__file__).resolve().parents[2]

WEIGHED = '''\
class TicketWeighed(TicketEvent):
    """Known to tomorrow alone."""

    type: ClassVar[str] = "ombud.ticket.weighed.v1"


'''

WEIGH = "        ticket._record(events.TicketWeighed, cause)\n"

ADDITIONS = [
    ("shared/domain/events.py", "    version: int\n    actor: str\n", '    weather: str = "fair"\n'),
    ("shared/domain/events.py", "class CustomerReplied(TicketEvent):\n", WEIGHED),
    (
        "shared/domain/ticket_state.py",
        "    mailbox: str\n    subject: str\n",
        '    season: str = "late autumn"\n',
    ),
    (
        "shared/domain/ticket.py",
        "        return ticket\n",
        "        ticket._record(events.TicketWeighed, cause)\n",
    ),
]
"""In which file, before which lines, what is added."""

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.xdist_group("cluster"),
    pytest.mark.usefixtures("local_servers"),
]


def tomorrow(folder: Path) -> Path:
    """A copy of the product with the additions."""
    for package in ("services", "shared"):
        shutil.copytree(CHECKOUT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, before, added in ADDITIONS:
        text = (folder / name).read_text()
        assert text.count(before) == 1, f"{name} has changed: {before!r} is not there once"
        (folder / name).write_text(text.replace(before, added + before))
    return folder


def settings_of(pid: int) -> dict[str, str]:
    """What a process was started with."""
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if pair.startswith(("OMBUD_", "PATH=")))


@asynccontextmanager
async def beside(trial: Trial, build: Path) -> AsyncIterator[dict[str, Process]]:
    """One more process of each service, of that build, with the settings of the ones that run."""
    processes, ports = {}, {service: free_port() for service in SERVICES}
    for service in SERVICES:
        settings = settings_of(trial.program.pid_of(f"{service}-1")) | {
            "OMBUD_INSTANCE": f"{service}-new",
            "OMBUD_HTTP__PORT": str(ports[service]),
            "PYTHONPATH": str(build),
        }
        command = [sys.executable, "-P", "-m", "services", service]
        log = trial.data / "logs" / f"{service}-new.log"
        processes[service] = Process(f"{service}-new", command, log, environment=settings, grace=35.0)
    try:
        await asyncio.gather(*(asyncio.to_thread(one.start) for one in processes.values()))
        await wait_for_readiness({name: (ports[name], one.log) for name, one in processes.items()})
        yield processes
    finally:
        await asyncio.gather(*(asyncio.to_thread(one.stop) for one in processes.values()))


async def test_two_builds_work_side_by_side_and_the_older_one_takes_over_again(tmp_path: Path) -> None:
    mails = size(60, 1_000)
    build = await asyncio.to_thread(tomorrow, tmp_path / "tomorrow")
    async with on_cluster("two builds side by side", tmp_path / "data") as trial:
        await trial.deliver(mails)
        async with beside(trial, build) as processes:
            for _ in range(size(6, 30)):
                await trial.deliver(mails // 3)
                await asyncio.sleep(0.5)  # not all at once: both builds are to get their share
            await trial.drained()
            assert all(one.running for one in processes.values())
        await trial.deliver(mails)
        trial.outage = 30.0
        await trial.judge()
        tickets = list(trial.store.documents("tickets"))
        of_tomorrow = [one for one in tickets if one.get("season") == "late autumn"]

        assert of_tomorrow, "proved nothing: tomorrow's build opened no ticket"
        assert len(of_tomorrow) < len(tickets), "proved nothing: today's build opened no ticket"
