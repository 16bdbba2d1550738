"""Keeps one server (Kafka or MongoDB) for a whole test run: `python -m tests.servers.keeper KIND RUN_FOLDER`.

Promises:
- The server is Docker's if an engine answers and has the image, else the local one; with
  `OMBUD_TEST_BY=docker` it is Docker's or none.
- `RUN_FOLDER/KIND.json` appears when it serves: `{"address", "pid", "by"}`, or `{"missing": reason}`.
- It stops when the run ends, however it ends: the run's first process holds a lock on `RUN_FOLDER/alive`, the
  keeper waits for that lock, and the kernel gives it away when that process is gone, even by SIGKILL. Were
  the keeper itself killed, the kernel ends its server with it.
"""

import asyncio
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
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network

from deploy.local.kafka import Kafka, serves
from deploy.local.mongo import REPLICA_SET, Mongo, initiate, is_primary
from services.sandbox.process import answers
from shared.domain.errors import OmbudError, Refused
from tests.helpers import eventually_sync, free_port

KAFKA_IMAGE = "apache/kafka:4.1.0"
MONGO_IMAGE = "mongo:8.0"
MONGO_PORT = 27017
ENGINE_TIMEOUT = 3  # seconds
START_WITHIN = 60.0  # seconds
KAFKA_SETTINGS = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@127.0.0.1:9093",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "4",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
}


def engine_answers() -> bool:
    """Whether a Docker engine really answers, not only whether its client is installed."""
    with (
        contextlib.suppress(DockerException),
        contextlib.closing(docker.from_env(timeout=ENGINE_TIMEOUT)) as engine,
    ):
        return bool(engine.ping())
    return False


@contextlib.contextmanager
def container_of(image: str) -> Iterator[DockerContainer]:
    """A container yet to be started, in a network of its own: an engine may have no default one."""
    with Network() as network:
        yield DockerContainer(image).with_network(network)


@contextlib.contextmanager
def docker_kafka() -> Iterator[str]:
    """A broker in a container; yields its bootstrap address."""
    # The same port inside and outside: the one address that it tells its clients is right for itself as well.
    port = free_port()
    bootstrap = f"127.0.0.1:{port}"
    with container_of(KAFKA_IMAGE) as container:
        container.with_bind_ports(port, port)
        for name, value in KAFKA_SETTINGS.items():
            container.with_env(name, value)
        container.with_env("KAFKA_LISTENERS", f"PLAINTEXT://:{port},CONTROLLER://:9093")
        container.with_env("KAFKA_ADVERTISED_LISTENERS", f"PLAINTEXT://{bootstrap}")
        with container:
            eventually_sync(
                lambda: asyncio.run(serves(bootstrap)),
                awaited="a broker in the container",
                within=START_WITHIN,
            )
            yield bootstrap


@contextlib.contextmanager
def docker_mongo() -> Iterator[str]:
    """A replica set of one in a container; yields its connection string."""
    with container_of(MONGO_IMAGE) as container:
        container.with_exposed_ports(MONGO_PORT).with_command(f"--replSet {REPLICA_SET} --bind_ip_all")
        with container:
            port = container.get_exposed_port(MONGO_PORT)
            eventually_sync(lambda: answers(port), awaited="a mongod in the container", within=START_WITHIN)
            initiate(port, MONGO_PORT, timeout=START_WITHIN)
            eventually_sync(
                lambda: is_primary(port), awaited="a primary in the container", within=START_WITHIN
            )
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
    if os.environ.get("OMBUD_TEST_BY") == "docker":
        return {"missing": "; ".join(reasons) or "no Docker engine answers"}
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
