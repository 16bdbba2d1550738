"""Keeps one server (Kafka or MongoDB) for a whole test run: `python -m tests.servers.keeper KIND RUN_FOLDER`.

Promises:
- The server is Docker's if an engine answers and has the image, else the local one.
- `RUN_FOLDER/KIND.json` appears when it serves: `{"address", "pid", "by"}`, or `{"missing": reason}`.
- It stops when the run ends, however it ends: the run's first process holds a lock on `RUN_FOLDER/alive`, the
  keeper waits for that lock, and the kernel gives it away when that process is gone, even by SIGKILL. Were
  the keeper itself killed, the kernel ends its server with it.
"""

import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import docker  # type: ignore[import-untyped]  # it has no types
from docker.errors import DockerException  # type: ignore[import-untyped]  # nor has this
from testcontainers.community.kafka import KafkaContainer
from testcontainers.core.container import DockerContainer

from deploy.local.kafka import Kafka
from deploy.local.mongo import REPLICA_SET, Mongo, initiate, is_primary
from shared.domain.errors import OmbudError, Refused
from tests.helpers import eventually_sync

KAFKA_IMAGE = "confluentinc/cp-kafka:7.9.1"
MONGO_IMAGE = "mongo:7.0"
MONGO_PORT = 27017
ENGINE_TIMEOUT = 3  # seconds


def engine_answers() -> bool:
    """Whether a Docker engine really answers, not only whether its client is installed."""
    with (
        contextlib.suppress(DockerException),
        contextlib.closing(docker.from_env(timeout=ENGINE_TIMEOUT)) as engine,
    ):
        return bool(engine.ping())
    return False


@contextlib.contextmanager
def docker_kafka() -> Iterator[str]:
    """A broker in a container; yields its bootstrap address."""
    container = KafkaContainer(KAFKA_IMAGE).with_kraft().with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
    with container:
        yield container.get_bootstrap_server()


@contextlib.contextmanager
def docker_mongo() -> Iterator[str]:
    """A replica set of one in a container; yields its connection string."""
    container = DockerContainer(MONGO_IMAGE).with_exposed_ports(MONGO_PORT)
    with container.with_command(f"--replSet {REPLICA_SET} --bind_ip_all"):
        port = container.get_exposed_port(MONGO_PORT)
        initiate(port, MONGO_PORT, timeout=30.0)
        eventually_sync(lambda: is_primary(port), awaited="a primary in the container", within=30.0)
        yield f"mongodb://127.0.0.1:{port}/?replicaSet={REPLICA_SET}&directConnection=true"


@contextlib.contextmanager
def local_kafka(folder: Path) -> Iterator[str]:
    """A broker as a plain process; yields its bootstrap address."""
    server = Kafka(folder)
    try:
        server.start()
        yield server.bootstrap
    finally:
        server.stop()


@contextlib.contextmanager
def local_mongo(folder: Path) -> Iterator[str]:
    """A mongod as a plain process; yields its connection string."""
    server = Mongo(folder)
    try:
        server.start()
        yield server.url
    finally:
        server.stop()


IN_DOCKER: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "kafka": docker_kafka,
    "mongo": docker_mongo,
}
LOCAL: dict[str, Callable[[Path], contextlib.AbstractContextManager[str]]] = {
    "kafka": local_kafka,
    "mongo": local_mongo,
}


def opened(kind: str, run: Path, stack: contextlib.ExitStack) -> dict[str, str | int]:
    """Open the server on the stack; what is to be written into its file."""
    reasons = []
    if engine_answers():
        try:
            address = stack.enter_context(IN_DOCKER[kind]())
        except (DockerException, OmbudError, AssertionError, TimeoutError) as error:
            reasons.append(f"Docker: {error}")
        else:
            return {"address": address, "pid": os.getpid(), "by": "Docker"}
    try:
        address = stack.enter_context(LOCAL[kind](run / kind))
    except Refused as error:
        return {"missing": "; ".join([*reasons, str(error)])}
    return {"address": address, "pid": os.getpid(), "by": "a local process"}


def announce(file: Path, content: dict[str, str | int]) -> None:
    """Write the file so that a reader sees all of it or nothing."""
    part = file.with_suffix(".part")
    part.write_text(json.dumps(content))
    part.rename(file)


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """Leave by the ordinary way, so that the server is stopped."""
    sys.exit(128 + signal_number)


def main(kind: str, run: Path) -> None:
    """Serve until the run is over."""
    signal.signal(signal.SIGTERM, stop)
    with (run / f"{kind}.held").open("w") as held, (run / "alive").open("w") as alive:
        fcntl.flock(held, fcntl.LOCK_EX)
        with contextlib.ExitStack() as stack:
            announce(run / f"{kind}.json", opened(kind, run, stack))
            fcntl.flock(alive, fcntl.LOCK_EX)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
