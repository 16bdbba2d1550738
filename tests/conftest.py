"""The servers that tests run against: real ones, shared by the whole run, gone with it.

Each is looked for in the same order: an address in the environment (`OMBUD_TEST_KAFKA`, `OMBUD_TEST_MONGO`);
Docker, if an engine answers; a local process; else the test is skipped with the reason. `OMBUD_REQUIRE=all`
(or a list such as `kafka,dovecot`) turns that skip into a failure. Every test gets a name of its own in them:
a topic prefix, a database, a mailbox.
"""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from pymongo import MongoClient

from deploy.local.kafka import Kafka
from deploy.local.packages import require
from services.sandbox.dovecot import Dovecot
from services.sandbox.smtp_sink import SmtpSink
from shared.domain.errors import Refused
from tests.helpers import unique
from tests.servers.mailbox import ImapBox
from tests.servers.run import Missing, Run

RUN = pytest.StashKey[Run]()


def pytest_configure(config: pytest.Config) -> None:
    workerinput = getattr(config, "workerinput", None)  # set by pytest-xdist, in its workers alone
    config.stash[RUN] = Run.open() if workerinput is None else Run.join(Path(workerinput["ombud_run"]))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """The controller tells each xdist worker which run it belongs to."""
    node.workerinput["ombud_run"] = str(node.config.stash[RUN].folder)


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[RUN].close()


def missing(server: str, reason: str) -> NoReturn:
    """Skip the test, or fail it where this server is required."""
    required = os.environ.get("OMBUD_REQUIRE", "").split(",")
    if "all" in required or server in required:
        pytest.fail(f"{server} is required here and missing: {reason}", pytrace=False)
    pytest.skip(f"no {server}: {reason}")


@pytest.fixture(scope="session")
def kafka_bootstrap(request: pytest.FixtureRequest) -> str:
    """The bootstrap address of a real broker, shared by the run; topics are not made by themselves."""
    return os.environ.get("OMBUD_TEST_KAFKA") or _of_the_run(request.config, "kafka")


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> str:
    """The connection string of a real MongoDB replica set, shared by the run."""
    return os.environ.get("OMBUD_TEST_MONGO") or _of_the_run(request.config, "mongo")


def _of_the_run(config: pytest.Config, kind: str) -> str:
    try:
        return config.stash[RUN].address(kind)
    except Missing as reason:
        missing(kind, str(reason))


@pytest.fixture(scope="module")
def _own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    broker = Kafka(tmp_path_factory.mktemp("kafka"))
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture
def broker(_own_broker: Kafka) -> Kafka:
    """A broker that may be killed; it runs at the start of each test."""
    try:
        _own_broker.start()
    except Refused as reason:
        missing("kafka", str(reason))
    return _own_broker


@pytest.fixture
def topic_prefix() -> str:
    """A prefix for topics and consumer groups that no other test uses."""
    return unique("test")


@pytest.fixture
def mongo_database(mongo_url: str) -> Iterator[str]:
    """The name of a database that no other test uses; dropped afterwards."""
    name = unique("test")
    yield name
    with MongoClient[dict[str, Any]](mongo_url) as client:
        client.drop_database(name)


@pytest.fixture(scope="session")
def dovecot_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dovecot]:
    """A real IMAP server for the tests of this process; a test that stops it brings its own."""
    server = Dovecot(tmp_path_factory.mktemp("dovecot"), users={})
    try:
        if not Dovecot.available():
            require("dovecot", ["dovecot-imapd"])
        server.start()
    except Refused as reason:
        missing("dovecot", str(reason))
    yield server
    server.stop()


@pytest.fixture
def dovecot(dovecot_server: Dovecot) -> ImapBox:
    """A fresh, empty mailbox on the real IMAP server: host, port, user, password, Maildir, `deliver()`."""
    return ImapBox.on(dovecot_server)


@pytest.fixture
async def smtp_sink(tmp_path: Path) -> AsyncIterator[SmtpSink]:
    """A real SMTP server that takes everything; what it took lies in `smtp_sink.letters()`."""
    async with SmtpSink("127.0.0.1", 0, tmp_path / "outbox") as sink:
        yield sink
