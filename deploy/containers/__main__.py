"""Shows that the containers truly run: `python -m deploy.containers`, one line a step with its seconds.

Builds the image from `deploy/Dockerfile`, starts the compose file to healthy, follows a mail all the way,
kills every service while mail comes in, ends it, starts it again on its volumes, and runs contract tests by
testcontainers. Needs root and Debian's packages, no registry. Exit status 0 when every step held, else 1 with
the reason on stderr; nothing is left on the machine either way, but what is made once into `.servers/`.
"""

import contextlib
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

import yaml

from deploy.containers.base import import_python
from deploy.containers.engine import Engine, install
from deploy.containers.product import CHECKOUT, COMPOSE_FILES, SUPPORT, Product
from deploy.containers.standins import build_standins
from shared.domain.errors import Refused

IMAGE = "ombud:latest"
DOCKERFILE = CHECKOUT / "deploy" / "Dockerfile"
STANDINS = ("kafka", "mongo", "mail")
MAILS_MEANWHILE = 5
CONTRACT_TESTS = ("tests/contract/test_bus.py", "tests/contract/test_documents_claim.py")
MEBIBYTE = 1024 * 1024


@contextlib.contextmanager
def step(name: str) -> Iterator[Callable[[str], None]]:
    """One step; call what it yields with what was seen. Its line is printed when it held."""
    began, seen = time.monotonic(), list[str]()
    yield seen.append
    print(f"{time.monotonic() - began:6.1f} s  {name:<8} {'; '.join(seen)}", flush=True)


def show() -> None:
    """All steps in their order; raises `Refused` at the first that does not hold."""
    with step("packages") as seen:
        install()
        seen("dockerd, docker-compose and debootstrap are there")
    engine = Engine()
    with engine:
        build(engine)
        product = Product(engine)
        use(product)
        hurt(product)
        start_again(product)
        with step("tests") as seen:
            seen(run_contract_tests(engine))
    with step("end") as seen:
        if traces := engine.traces():
            raise Refused("left on the machine:\n" + "\n".join(traces))
        seen("no process, mount or folder is left")


def build(engine: Engine) -> None:
    """The image, by the Dockerfile as it is; the stand-ins under the names that the compose file has."""
    with step("base") as seen:
        seen(import_python(engine, DOCKERFILE))
    with step("image") as seen:
        options = ["--network=host", "--tag", IMAGE, "--file", str(DOCKERFILE)]
        engine.docker("build", "--quiet", *options, str(CHECKOUT))
        size = int(engine.docker("image", "inspect", "--format", "{{.Size}}", IMAGE))
        seen(f"{IMAGE}, {size // MEBIBYTE} MB with its base")
    with step("servers") as seen:
        services = yaml.safe_load(COMPOSE_FILES[0].read_text())["services"]
        images = {name: str(services[name]["image"]) for name in STANDINS}
        build_standins(engine, images)
        seen(", ".join(images.values()))


def use(product: Product) -> None:
    """From nothing to a letter in a customer's mailbox."""
    with step("up") as seen:
        product.up()
        seen("every service is healthy")
    with step("mail") as seen:
        product.make_key()
        token = secrets.token_hex(4)
        product.send(token)
        ticket = product.ticket_of(token)
        letter = product.letters_to(token)[0]
        if letter["In-Reply-To"] != f"<{token}@example.com>":
            raise Refused(f"the letter answers {letter['In-Reply-To']!r}")
        seen(f"to {SUPPORT} by SMTP; ticket #{ticket['number']}, {ticket['category']}; acknowledged by mail")


def hurt(product: Product) -> None:
    """Every service killed; mail that comes in meanwhile is neither lost nor doubled."""
    with step("kill") as seen:
        product.kill_services()
        tokens = [secrets.token_hex(4) for _ in range(MAILS_MEANWHILE)]
        for token in tokens:
            product.send(token)
        product.wait_for_restarts()
        for token in tokens:
            product.ticket_of(token)
            if len(letters := product.letters_to(token)) != 1:
                raise Refused(f"{len(letters)} letters for one mail")
        seen(f"all services killed and restarted; {len(tokens)} mails meanwhile: as many tickets and letters")


def start_again(product: Product) -> None:
    """Down and up again: what was there is there, and mail goes on."""
    with step("down") as seen:
        product.down()
        seen("no container is left")
    with step("again") as seen:
        before = MAILS_MEANWHILE + 1
        product.up()
        token = secrets.token_hex(4)
        product.send(token)
        product.ticket_of(token)
        if (tickets := len(product.tickets())) != before + 1:
            raise Refused(f"{tickets} tickets where {before + 1} belong")
        seen(f"the {before} tickets are there, and one of a new mail")
        product.down()


def run_contract_tests(engine: Engine) -> str:
    """Contract tests on servers that testcontainers starts; pytest's last line."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "no:xdist",
        "-p",
        "no:cacheprovider",
        "-m",
        "kafka or mongo",
    ]
    # Its helper that removes containers is an image of a registry's; ours ends with the engine.
    settings = {
        "TESTCONTAINERS_RYUK_DISABLED": "true",
        "OMBUD_TEST_BY": "docker",
        "OMBUD_REQUIRE": "kafka,mongo",
    }
    return engine.run([*command, *CONTRACT_TESTS], settings, CHECKOUT).strip().splitlines()[-1]


def stop(signal_number: int, _frame: FrameType | None) -> None:
    """Leave by the ordinary way, so that the engine ends."""
    sys.exit(128 + signal_number)


def main() -> int:
    """All steps; the exit status."""
    signal.signal(signal.SIGTERM, stop)
    began = time.monotonic()
    try:
        show()
    except Refused as fault:
        print(f"containers: {fault}", file=sys.stderr)
        return 1
    print(f"{time.monotonic() - began:6.1f} s  in all", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
