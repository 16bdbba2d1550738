"""The whole of Ombud on one machine, as in production: each service a process, on real Kafka and MongoDB.

`python -m deploy.local.cluster [--json] [--replicas N] [--mongo-members N] [--data DIR]` starts Kafka,
MongoDB, an IMAP server, an SMTP sink and N processes of each service, keeps them alive, and prints how to
reach them. Of several members of MongoDB's replica set each is a process, `mongo-1` and so on.

Promises:
- `ready` is printed when every service answers `/readyz` with 200, and not before.
- A process that dies, servers included, is started again (`supervisor.py`); each restart is a line of output.
- SIGTERM and Ctrl-C stop the services first, with time to drain, then the servers; nothing is left behind.
  Were this process killed, the kernel ends all the others.
- Started again on the same data it goes on where it was, on the same ports, with the same key and
  passwords.

Failures: a message on stderr and exit status 1; a service that is not ready in time is named with the end of
its log. The services' logs lie in `DIR/logs`, each server's in its own folder beside it.

With `--json` each line of stdout is an object: first `{"event": "ready", "api", "key", "outbox", "imap",
"smtp", "address", "kafka", "mongo", "processes": [{"name", "pid"}]}`, later `{"event": "restarted", "name",
"pid", "exit"}`, with `"fault"` when the start was refused.
"""

import argparse
import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.local.kafka import Kafka
from deploy.local.mongo import Mongo
from deploy.local.packages import require
from deploy.local.ports import Ports
from deploy.local.printing import Printer
from deploy.local.readiness import wait_for_readiness
from deploy.local.supervisor import Child, Supervisor
from services.cli.serve import VERBS
from services.sandbox.dovecot import Dovecot
from services.sandbox.process import Process, answers
from services.sandbox.sandbox import ADDRESS, LEAD, USER, maildir_of
from shared.domain.errors import Refused

SERVICES = tuple(VERBS)
PREPARE_WITHIN = 60.0  # seconds


@dataclass(frozen=True)
class Servers:
    """What the services stand on."""

    kafka: Kafka
    mongo: dict[str, Mongo]
    dovecot: Dovecot
    sink: Process
    sink_port: int
    password: str


class Cluster:
    """All processes on one data folder; `start()` returns the `ready` line as a dictionary."""

    def __init__(self, data: Path, replicas: int, printer: Printer, mongo_members: int = 1) -> None:
        self._data = data.resolve()
        self._replicas = replicas
        self._mongo_members = mongo_members
        self._supervisor = Supervisor(printer.restarted)

    async def start(self) -> dict[str, Any]:
        """Start everything and wait until it is ready; raises `Refused`."""
        if not Dovecot.available():
            await asyncio.to_thread(require, "dovecot", ["dovecot-imapd"])
        ports = Ports(self._data / "ports.json")
        servers = self._servers(ports)
        await self._supervisor.start({"kafka": servers.kafka, **servers.mongo})
        await self._supervisor.start({"dovecot": servers.dovecot, "smtp": servers.sink})
        await asyncio.to_thread(servers.sink.wait_until, lambda: answers(servers.sink_port))
        environment = self._environment(servers)
        key = await asyncio.to_thread(self._prepare, environment)
        processes = self._processes(environment, ports)
        await self._supervisor.start(dict[str, Child](processes))
        await wait_for_readiness({name: (ports.of(name), child.log) for name, child in processes.items()})
        return self._ready(servers, ports, key)

    async def stop(self) -> None:
        """Stop everything: services first, servers last."""
        await self._supervisor.stop()

    def _servers(self, ports: Ports) -> Servers:
        sandbox, logs = self._data / "sandbox", self._data / "logs"
        password = kept(self._data / "imap-password", lambda: secrets.token_urlsafe(12))
        sink_port = ports.of("smtp")
        command = [sys.executable, "-m", "services.sandbox.smtp_sink", "--port", str(sink_port)]
        command += ["--outbox", str(self._data / "outbox"), "--local", f"{ADDRESS}={maildir_of(self._data)}"]
        return Servers(
            kafka=Kafka(self._data / "kafka", ports.of("kafka")),
            mongo=self._mongo(ports),
            dovecot=Dovecot(sandbox, {USER: password}, ports.of("imap")),
            sink=Process("smtp", command, logs / "smtp.log"),
            sink_port=sink_port,
            password=password,
        )

    def _mongo(self, ports: Ports) -> dict[str, Mongo]:
        if self._mongo_members == 1:
            return {"mongo": Mongo(self._data / "mongo", ports.of("mongo"))}
        members = {name: ports.of(name) for name in _numbered("mongo", self._mongo_members)}
        places = list(members.values())
        return {name: Mongo(self._data / name, port, places) for name, port in members.items()}

    def _environment(self, servers: Servers) -> dict[str, str]:
        imap_host, imap_port = servers.dovecot.imap_address
        return {
            **os.environ,
            "OMBUD_DATA": str(self._data),
            "OMBUD_SECRET": kept(self._data / "secret", lambda: secrets.token_urlsafe(32)),
            "OMBUD_KAFKA__BOOTSTRAP": servers.kafka.bootstrap,
            # Enough for four replicas; three times as many cost a quarter more work, and this is one machine.
            "OMBUD_KAFKA__PARTITIONS": os.environ.get("OMBUD_KAFKA__PARTITIONS", "8"),
            "OMBUD_MONGO__URL": _url_of(servers.mongo),
            "OMBUD_MAILBOXES__SUPPORT__ADDRESS": ADDRESS,
            "OMBUD_MAILBOXES__SUPPORT__HOST": imap_host,
            "OMBUD_MAILBOXES__SUPPORT__PORT": str(imap_port),
            "OMBUD_MAILBOXES__SUPPORT__USERNAME": USER,
            "OMBUD_MAILBOXES__SUPPORT__PASSWORD": servers.password,
            "OMBUD_MAILBOXES__SUPPORT__TLS": "none",
            "OMBUD_SMTP__HOST": "127.0.0.1",
            "OMBUD_SMTP__PORT": str(servers.sink_port),
            "OMBUD_SMTP__TLS": "none",
            "OMBUD_NOTIFY__LEAD_ADDRESS": os.environ.get("OMBUD_NOTIFY__LEAD_ADDRESS", LEAD),
            "OMBUD_LOG__FORMAT": "json",
        }

    def _prepare(self, environment: dict[str, str]) -> str:
        """Make what the services need; the API's key, which is made once and kept for its owner alone."""
        _ombud(["prepare"], environment)
        create = ["key", "create", "--name", "cluster", "--scope", "*", "--json"]
        return kept(
            self._data / "api-key",
            lambda: str(json.loads(_ombud(create, environment).splitlines()[-1])["key"]),
        )

    def _processes(self, environment: dict[str, str], ports: Ports) -> dict[str, Process]:
        processes = {}
        for service in SERVICES:
            for name in _numbered(service, self._replicas):
                own = {**environment, "OMBUD_INSTANCE": name, "OMBUD_HTTP__PORT": str(ports.of(name))}
                command = [sys.executable, "-m", "services", service]
                log = self._data / "logs" / f"{name}.log"
                # Longer than the drain of a service, after which nothing is left to wait for.
                processes[name] = Process(name, command, log, environment=own, grace=35.0)
        return processes

    def _ready(self, servers: Servers, ports: Ports, key: str) -> dict[str, Any]:
        imap_host, imap_port = servers.dovecot.imap_address
        return {
            "event": "ready",
            "api": f"http://127.0.0.1:{ports.of('api-1')}",
            "key": key,
            "outbox": str(self._data / "outbox"),
            "imap": {
                "host": imap_host,
                "port": imap_port,
                "user": USER,
                "password": servers.password,
                "tls": False,
                "folder": "INBOX",
            },
            "smtp": {"host": "127.0.0.1", "port": servers.sink_port},
            "address": ADDRESS,
            "kafka": servers.kafka.bootstrap,
            "mongo": _url_of(servers.mongo),
            "processes": [{"name": name, "pid": pid} for name, pid in self._supervisor.pids().items()],
        }


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(1, count + 1)]


def _url_of(members: dict[str, Mongo]) -> str:
    """The connection string, which names all of them."""
    return next(iter(members.values())).url


def _ombud(arguments: Sequence[str], environment: dict[str, str]) -> str:
    """Run a verb of the command line to its end and return its output; raises `Refused` with what it said."""
    command = [sys.executable, "-m", "services", *arguments]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PREPARE_WITHIN
        )
    except subprocess.TimeoutExpired as late:
        raise Refused(f"`ombud {arguments[0]}` was not done within {PREPARE_WITHIN:g} s") from late
    if done.returncode != 0:
        lines = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Refused(f"`ombud {' '.join(arguments)}` failed with exit status {done.returncode}:\n{lines}")
    return done.stdout


def kept(file: Path, make: Callable[[], str]) -> str:
    """What the file holds; made the first time, and readable by its owner alone."""
    if not file.exists():
        made = make()
        part = file.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(made)
        part.replace(file)
    return file.read_text()


@contextlib.contextmanager
def owned(data: Path) -> Iterator[None]:
    """The data folder, for this process alone; raises `Refused` when another cluster runs on it."""
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise Refused(f"another cluster runs on {data}: stop it, or choose another --data") from taken
        yield


async def run(data: Path, replicas: int, printer: Printer, mongo_members: int = 1) -> None:
    """A cluster from its start until SIGTERM or Ctrl-C, which also cut the start short."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    cluster = Cluster(data, replicas, printer, mongo_members)
    starting, waiting = asyncio.create_task(cluster.start()), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait({starting, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            printer.ready(starting.result())
            await waiting
    finally:
        starting.cancel()
        waiting.cancel()
        await asyncio.gather(starting, waiting, return_exceptions=True)
        printer.stopping()
        await cluster.stop()


def default_data() -> Path:
    """`OMBUD_DATA` where it is set, else a folder beside the one of `make run`."""
    return Path(os.environ.get("OMBUD_DATA", "data/cluster"))


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="cluster", description="The whole of Ombud on this machine.")
    parser.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    parser.add_argument("--replicas", type=int, default=1, metavar="N", help="processes of each service")
    parser.add_argument(
        "--mongo-members", type=int, default=1, metavar="N", help="of the replica set: 1 or 3"
    )
    parser.add_argument("--data", type=Path, default=default_data(), metavar="DIR")
    options = parser.parse_args(arguments)
    if options.replicas < 1:
        parser.error("--replicas: at least 1")
    if options.mongo_members < 1:
        parser.error("--mongo-members: at least 1")
    os.umask(0o077)  # mails, letters and logs are for their owner
    printer = Printer(json_lines=options.json, data=options.data)
    try:
        with owned(options.data):
            asyncio.run(run(options.data, options.replicas, printer, options.mongo_members))
    except Refused as fault:
        print(f"cluster: {fault}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
