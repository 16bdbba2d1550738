"""A real Kafka broker without Docker: one KRaft node from the jars that `kafka/pom.xml` names.

Promises:
- `start()` returns when the broker answers metadata requests and has a controller; about 2 s.
- The data lies in `folder` and survives `stop()`, `kill()` and a new `Kafka` on the same folder.
- The jars are fetched once into `.servers/` of the checkout; any number of processes may ask at once.

Failures: `Refused` names what is missing (Java, Maven) and how to get it, or shows the end of the log.
"""

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.maven import jars_of
from deploy.local.packages import require
from services.sandbox.process import Process, Server, answers, free_port
from shared.domain.errors import Refused

POM = Path(__file__).with_name("kafka") / "pom.xml"
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
CLUSTER_ID = (
    "b21idWQtbG9jYWwta2Fma2"  # 16 bytes in URL-safe base64, as KRaft asks; any will do on one machine
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{more}
advertised.listeners=PLAINTEXT://127.0.0.1:{advertised}{more}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,\
  SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
num.partitions=4
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Preallocated index files (10 MB each, two a partition) fill a small disk at a few hundred topics.
log.index.size.max.bytes=1048576
# A killed broker may come back only when its old session has run out: 9 s by default.
broker.session.timeout.ms=2500
broker.heartbeat.interval.ms=500
"""


@dataclass(frozen=True)
class Secured:
    """Listeners beside the plain one, by their security protocol, and what the broker needs for them."""

    listeners: Mapping[str, int]
    """`SSL`, `SASL_PLAINTEXT` or `SASL_SSL` to its loopback port."""

    settings: Sequence[str]
    """Lines for server.properties: keys, mechanisms."""

    scram_users: Sequence[str] = ()
    """Made with the storage, as its tool has them: `SCRAM-SHA-512=[name=…,password=…]`."""


class Kafka(Server):
    """A broker of one's own on a loopback port; `port=None` picks a free one and keeps it over restarts.

    `advertised`: the port that clients are sent to, where it is not the broker's own but a proxy's. The proxy
    must be there before `start()`, which asks by it too.
    """

    name = "Kafka"

    def __init__(
        self,
        folder: Path,
        port: int | None = None,
        advertised: int | None = None,
        secured: Secured | None = None,
    ) -> None:
        super().__init__()
        self.folder = folder
        self.port = port or free_port()
        self._advertised = advertised or self.port
        self._secured = secured or Secured({}, ())
        self._properties = folder / "server.properties"

    @property
    def bootstrap(self) -> str:
        """The address for clients, `127.0.0.1:PORT`."""
        return f"127.0.0.1:{self._advertised}"

    def start(self) -> None:
        """Start on what the folder holds, formatting it the first time; return when clients are served."""
        if self.running:
            return
        java = require("java", ["openjdk-17-jre-headless"])
        classpath = f"{jars()}/*"
        self._write_properties()
        self._format(java, classpath)
        command = [java, *JAVA_OPTIONS, "-cp", classpath, "kafka.Kafka", str(self._properties)]
        self._process = Process("Kafka", command, self.folder / "kafka.log")
        self._process.start()
        self._process.wait_until(self._ready)

    def _write_properties(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        more = "".join(f",{kind}://127.0.0.1:{port}" for kind, port in self._secured.listeners.items())
        text = PROPERTIES.format(
            more=more,
            port=self.port,
            advertised=self._advertised,
            controller=free_port(),
            data=self.folder / "data",
        )
        self._properties.write_text(text + "\n".join(self._secured.settings))

    def _format(self, java: str, classpath: str) -> None:
        if (self.folder / "data" / "meta.properties").exists():
            return
        command = [java, *JAVA_OPTIONS, "-cp", classpath, "kafka.tools.StorageTool", "format"]
        command += ["-t", CLUSTER_ID, "-c", str(self._properties)]
        command += [word for user in self._secured.scram_users for word in ("--add-scram", user)]
        _run(command, "Kafka's storage could not be formatted")

    def _ready(self) -> bool:
        return answers(self.port) and _in_a_loop_of_its_own(self.bootstrap)


def _in_a_loop_of_its_own(bootstrap: str) -> bool:
    """Ask from a thread: the caller may stand inside a running event loop already."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(lambda: asyncio.run(serves(bootstrap))).result()


async def serves(bootstrap: str) -> bool:
    """Whether a broker at this address answers metadata requests and knows a controller."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
    except (KafkaError, OSError, TimeoutError):
        return False
    else:
        return bool(cluster["brokers"]) and cluster["controller_id"] >= 0
    finally:
        await admin.close()


def jars() -> Path:
    """The folder with the broker's jars, fetched the first time (43 MB)."""
    return jars_of(POM)


def _run(command: list[str], failure: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise Refused("\n".join([f"{failure} (exit {done.returncode}):", *lines]))
