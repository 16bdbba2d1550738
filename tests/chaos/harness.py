"""A trial: the product under load and faults, then everything that must hold.

A scenario delivers through `trial.load`, breaks what it breaks, and calls `trial.judge()`: that waits until
all is drained (every delivery in the ledger, lag 0, outboxes empty, no letter queued), reads the evidence and
fails with every sentence that is wrong. The seed is printed; `OMBUD_CHAOS_SEED` sets it for another run, and
`OMBUD_CHAOS=long` makes the long form. Results are appended to the file that `OMBUD_CHAOS_RESULTS` names.
"""

import asyncio
import json
import os
import random
import signal
import string
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from deploy.local.cluster import SERVICES
from services.sandbox.sandbox import maildir_of
from tests.chaos import oracle
from tests.chaos.drained import Offsets, under_way
from tests.chaos.evidence import Death, Evidence
from tests.chaos.invariants import judged
from tests.chaos.killer import Killer
from tests.chaos.load import Load, Shares
from tests.chaos.memory import weigh
from tests.chaos.offsets import DEAD, KafkaOffsets, Samples, SqliteOffsets, sample, sample_once
from tests.helpers import eventually
from tests.story.programs import Program, cluster, embedded

LONG = os.environ.get("OMBUD_CHAOS") == "long"
READY_WITHIN = 60.0
"""Seconds after the last fault (I7)."""
DRAINED_WITHIN = 150.0
Settings = Mapping[str, str]
"""Of the environment, by name."""
Looks = tuple[oracle.Store, Offsets]
"""What looks at the stores without the product."""


def size(short: int, long: int) -> int:
    """The short form's number, or the long form's."""
    return long if LONG else short


def seed_of() -> str:
    """The seed of this run: lower-case letters and digits."""
    chosen = os.environ.get("OMBUD_CHAOS_SEED") or "".join(random.choices(string.ascii_lowercase, k=6))
    print(f"seed {chosen}: OMBUD_CHAOS_SEED={chosen} runs this again")
    return chosen


class Trial:
    """One run; see the module. `store` and `offsets` look at the stores without the product."""

    def __init__(
        self,
        name: str,
        data: Path,
        *,
        another: Callable[[], Program],
        program: Program,
        programs: AsyncExitStack,
        store: oracle.Store,
        offsets: Offsets,
        shares: Shares | None,
    ) -> None:
        seed = seed_of()
        self._another = another
        self.programs = programs
        self.name = name
        self.data = data
        self.program = program
        self.store = store
        self.offsets = offsets
        self.seed = seed
        self.load = Load(seed, data / "sent.jsonl", maildir_of(data), shares)
        self.killer = Killer(program, seed)
        self.samples = Samples()
        self.memory: dict[str, list[tuple[float, float]]] = {}
        self.replies: list[str] = []
        self.former_deaths: list[Death] = []
        self.outage = 0.0
        self._started = time.monotonic()

    async def reborn(self) -> None:
        """Start it again on what it left; killed first if it runs still, with all its processes."""
        self.former_deaths += self.killer.deaths()
        if self.program.process.returncode is None:
            await self.program.kill()
        if self.program.process.returncode == -signal.SIGKILL:
            self.former_deaths.append(Death("run", ours=True))
        self.program = await self.programs.enter_async_context(self._another())
        self.killer = Killer(self.program, self.seed)

    async def deliver(self, count: int) -> None:
        """The next `count` mails, at once."""
        await asyncio.to_thread(self.load.deliver, self.load.mails(count))

    async def answer(self, ticket: str, text: str, within: float = 60.0) -> None:
        """Answer a ticket as an agent's program does: with one key, until it is told that it is done."""
        key = {"Idempotency-Key": f"{ticket}-{len(self.replies)}"}
        await self.call("POST", f"/v1/tickets/{ticket}/reply", {"text": text}, key, within)
        self.replies.append(ticket)

    async def call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object],
        headers: Mapping[str, str] | None = None,
        within: float = 60.0,
    ) -> None:
        """Ask the API for a change, again until it says that it is done."""

        async def done() -> bool:
            try:
                said = await self.program.client.request(method, path, json=body, headers=headers)
            except httpx2.TransportError:
                return False
            assert said.status_code < 300, said.text
            return True

        await eventually(done, awaited=f"{method} {path}", within=within)

    async def ready(self) -> list[str]:
        """What is not ready now, by name with the reason; a process that does not answer is not."""
        found = []
        for name, url in self.health().items():
            try:
                async with httpx2.AsyncClient(timeout=5) as client:
                    answer = await client.get(f"{url}/readyz")
            except httpx2.TransportError as fault:
                found.append(f"{name}: {type(fault).__name__}")
                continue
            if answer.status_code != 200:
                checks = answer.json()["checks"].items()
                found.append(f"{name}: {[f'{one}: {said}' for one, said in checks if said != 'ok']}")
        return found

    async def drained(self, within: float = DRAINED_WITHIN) -> None:
        """Wait until nothing is under way any more."""

        async def done() -> bool:
            waits = await under_way(self.store, self.offsets, self.load.copies)
            assert not waits, waits
            return True

        await eventually(done, awaited=f"{self.name} (seed {self.seed}) drained", within=within)

    async def letters_ended(self, within: float) -> None:
        """Wait until no letter is uncertain any more: its relay's time to answer is over, as set."""

        def none_held() -> bool:
            return not [one for one in self.store.documents("letters") if one["state"] == "sending"]

        await eventually(none_held, awaited="an outcome of every letter", within=within)

    async def judge(
        self, *, deaths: int = 0, within: float = DRAINED_WITHIN, without: Sequence[str] = ()
    ) -> Evidence:
        """Wait, look, and fail with everything that is wrong; returns what was seen.

        `without` names invariants that the scenario breaks on purpose.
        """
        unready = await self._unready()
        stuck = await self._stuck(within)
        await sample_once(self.offsets.fresh, self.store, self.samples)  # a quick run may have had none
        run = await self._evidence(unready)
        found = stuck + judged(run, deaths=deaths)
        wrong = [one for one in found if one.partition(":")[0] not in without]
        self._report(run, wrong)
        assert not wrong, "\n".join([f"{self.name}, seed {self.seed}:", *wrong])
        return run

    async def _unready(self) -> list[str]:
        """What is not ready though it had its time."""

        async def recovered() -> bool:
            return not await self.ready()

        try:
            await eventually(recovered, awaited="everything ready", within=READY_WITHIN)
        except AssertionError:
            return await self.ready()
        return []

    async def _stuck(self, within: float) -> list[str]:
        try:
            await self.drained(within)
        except AssertionError as late:
            return [f"not drained: {late}"]
        return []

    async def _evidence(self, unready: list[str]) -> Evidence:
        run = Evidence(
            sent=self.load.sent,
            replies=self.replies,
            deaths=[*self.former_deaths, *self.killer.deaths()],
            offsets_compared=self.samples.compared,
            offsets_ahead=self.samples.ahead,
            unready=unready,
            memory=self.memory,
            secrets=[*self.load.secrets, *self._secrets()],
            outage=self.outage,
            ended_at=datetime.now(UTC),
        )
        await asyncio.to_thread(oracle.read_store, self.store, run)
        run.handed = await asyncio.to_thread(oracle.handed, self.data / "outbox")
        run.dead = {name: n for name, n in (await self.offsets.lag()).items() if name.endswith(DEAD)}
        run.log_lines = [
            (name, line)
            for name, line in await asyncio.to_thread(oracle.log_lines, self.data / "logs")
            if name != "smtp"  # the relay's own log, which is the load's side
        ]
        return run

    def _secrets(self) -> list[str]:
        imap = self.program.ready.get("imap") or {}
        return [str(value) for value in (self.program.ready.get("key"), imap.get("password")) if value]

    def health(self) -> dict[str, str]:
        """Where each process answers `/readyz`."""
        ports = self.data / "ports.json"
        if not ports.exists():
            return {"run": str(self.program.ready["api"])}
        known = {
            name: port
            for name, port in json.loads(ports.read_text()).items()
            if name.split("-")[0] in SERVICES
        }
        return {name: f"http://127.0.0.1:{port}" for name, port in known.items()}

    def pids(self) -> dict[str, int]:
        """The process that each service has now."""
        program = self.program
        return {
            name: program.process.pid if name == "run" else program.pid_of(name) for name in self.health()
        }

    def _report(self, run: Evidence, wrong: list[str]) -> None:
        row = {
            "scenario": self.name,
            "seed": self.seed,
            "long": LONG,
            "mails": len(run.sent),
            "tickets": len(run.tickets),
            "letters": len(run.handed),
            "held": sum(letter.state == "sending" for letter in run.letters),
            "fired": sum(timer.state == "breached" for timer in run.timers),
            "killed": sum(death.ours for death in run.deaths),
            "offsets": run.offsets_compared,
            "seconds": round(time.monotonic() - self._started, 1),
            "wrong": wrong,
        }
        print(json.dumps(row))
        if results := os.environ.get("OMBUD_CHAOS_RESULTS"):
            with Path(results).open("a") as file:
                file.write(json.dumps(row) + "\n")


@asynccontextmanager
async def on_cluster(
    name: str,
    data: Path,
    *,
    replicas: int = 1,
    mongo_members: int = 1,
    shares: Shares | None = None,
    settings: Settings | None = None,
) -> AsyncIterator[Trial]:
    """A trial on Kafka and MongoDB, each service a process."""

    def another() -> Program:
        return cluster(data, replicas, mongo_members, **(settings or {}))

    def look(running: Program) -> Looks:
        return oracle.MongoStore(running.ready["mongo"]), KafkaOffsets(running.ready["kafka"])

    async with _opened(name, data, another, look, shares) as trial:
        yield trial


@asynccontextmanager
async def on_embedded(
    name: str, data: Path, *, shares: Shares | None = None, settings: Settings | None = None
) -> AsyncIterator[Trial]:
    """A trial on the embedded adapters, all services in one process."""
    (data / "logs").mkdir(parents=True, exist_ok=True)
    file = data / "ombud.sqlite"

    def another() -> Program:
        chosen = {"OMBUD_LOG__FORMAT": "json", "OMBUD_LOG__LEVEL": "info", **(settings or {})}
        return embedded(data, data / "logs" / "run.log", **chosen)

    async with _opened(
        name, data, another, lambda _: (oracle.SqliteStore(file), SqliteOffsets(file)), shares
    ) as trial:
        yield trial


@asynccontextmanager
async def _opened(
    name: str,
    data: Path,
    another: Callable[[], Program],
    look: Callable[[Program], Looks],
    shares: Shares | None,
) -> AsyncIterator[Trial]:
    """Start the program, and sample offsets and memory while the block runs."""
    async with AsyncExitStack() as programs:
        running = await programs.enter_async_context(another())
        store, offsets = look(running)
        trial = Trial(
            name,
            data,
            another=another,
            program=running,
            programs=programs,
            store=store,
            offsets=offsets,
            shares=shares,
        )
        watching = [
            asyncio.create_task(sample(offsets.fresh, store, trial.samples)),
            asyncio.create_task(weigh(trial.pids, trial.memory)),
        ]
        try:
            yield trial
        finally:
            for task in watching:
                task.cancel()
            ended = await asyncio.gather(*watching, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome
