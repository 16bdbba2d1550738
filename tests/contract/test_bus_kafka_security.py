"""Kafka behind TLS and passwords: what an operator sets for it satisfies a real broker that asks for it.

One broker listens with `SASL_PLAINTEXT` and PLAIN, with `SASL_SSL` and SCRAM-SHA-512, and with `SSL` alone.
"""

import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from deploy.local.kafka import Kafka, Secured
from services.settings import OmbudSettings
from shared.domain.errors import Unavailable
from shared.ports.bus import Message
from shared.runtime.wiring import Wired, open_platform
from tests.conftest import missing
from tests.contract.bus_adapters import read
from tests.helpers import free_port, unique
from tests.unit.deploy.started import started

pytestmark = [pytest.mark.kafka, pytest.mark.xdist_group("kafka-security")]

PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"
SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
Ports = Mapping[str, int]
WAYS = [("SSL", "PLAIN"), ("SASL_PLAINTEXT", "PLAIN"), ("SASL_SSL", "SCRAM-SHA-512")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for the loopback address, and a file that holds its key as well."""
    if shutil.which("openssl") is None:
        missing("openssl", "there is none to make a certificate with")
    folder = tmp_path_factory.mktemp("tls")
    certificate, key, both = (folder / name for name in ("cert.pem", "key.pem", "both.pem"))
    command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-newkey", "rsa:2048", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(key.read_text() + certificate.read_text())
    return certificate, both


@pytest.fixture(scope="module")
def ports(certificate: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """A running broker's port for each security protocol."""
    settings = [
        "ssl.keystore.type=PEM",
        f"ssl.keystore.location={certificate[1]}",
        "listener.name.sasl_plaintext.sasl.enabled.mechanisms=PLAIN",
        f'listener.name.sasl_plaintext.plain.sasl.jaas.config={PLAIN} required user_ombud="right";',
        "listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512",
        f"listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={SCRAM} required;",
    ]
    users = ["SCRAM-SHA-512=[name=ombud,password=right]"]
    secured = Secured({protocol: free_port() for protocol, _ in WAYS}, settings, users)
    with started(Kafka(tmp_path_factory.mktemp("kafka"), secured=secured), "kafka"):
        yield secured.listeners


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine trusts the broker's certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))  # where OpenSSL looks for whom it trusts


async def opened(stack: AsyncExitStack, mongo_url: str, port: int, **kafka: str) -> Wired:
    """The platform by its settings alone, as `ombud` reads them."""
    reached = {"bootstrap": f"127.0.0.1:{port}", "username": "ombud", "partitions": 1, **kafka}
    settings = OmbudSettings.model_validate(
        {"kafka": reached, "mongo": {"url": mongo_url, "database": unique("test")}, "secret": "s" * 32}
    )
    return await open_platform(settings, stack, "secured")


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("protocol", "mechanism"), WAYS)
async def test_events_go_and_come_by_each_way_that_the_settings_offer(
    ports: Ports, mongo_url: str, topic_prefix: str, protocol: str, mechanism: str
) -> None:
    topic = f"{topic_prefix}.mail"
    async with AsyncExitStack() as stack:
        kafka = {"security_protocol": protocol, "sasl_mechanism": mechanism, "password": "right"}
        bus = (await opened(stack, mongo_url, ports[protocol], **kafka)).platform.bus
        await bus.prepare([topic])
        await bus.publish([Message(topic, "key", b"told in confidence")])
        subscription = await bus.subscribe([topic], topic_prefix, "one")
        stack.push_async_callback(subscription.close)
        (record,) = await read(subscription, 1)

        assert record.value == b"told in confidence"


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(("protocol", "mechanism"), WAYS[1:])
async def test_a_wrong_password_is_unavailable_and_not_a_crash(
    ports: Ports, mongo_url: str, protocol: str, mechanism: str
) -> None:
    """Readiness names Kafka then, and the process goes on when the password is mended on the broker."""
    async with AsyncExitStack() as stack:
        kafka = {"security_protocol": protocol, "sasl_mechanism": mechanism, "password": "wrong"}
        bus = (await opened(stack, mongo_url, ports[protocol], **kafka)).platform.bus

        with pytest.raises(Unavailable):
            await bus.ping()


async def test_a_broker_that_nobody_vouches_for_is_not_talked_to(ports: Ports, mongo_url: str) -> None:
    async with AsyncExitStack() as stack:
        kafka = {"security_protocol": "SASL_SSL", "sasl_mechanism": "SCRAM-SHA-512", "password": "right"}
        bus = (await opened(stack, mongo_url, ports["SASL_SSL"], **kafka)).platform.bus

        with pytest.raises(Unavailable):
            await bus.ping()
