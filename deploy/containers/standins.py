"""Stand-ins for the servers' images: the same programs in the same places, for an engine without a registry.

Promises: `build_standins()` gives the engine an image under every name that the compose file and the tests'
keepers ask for. Kafka and GreenMail are the very jars of those images (by Maven) with Kafka's own start-up
code for containers; MongoDB is the development dependency's `mongod`, older than the image's.

Failures: `Refused` names what is missing, or shows why a build failed.
"""

import importlib.metadata
import shutil
from pathlib import Path

from deploy.containers.base import SERVERS, import_debian
from deploy.containers.engine import Engine
from deploy.local.kafka import jars
from deploy.local.maven import jars_of
from deploy.local.mongo import binary

RECIPES = Path(__file__).with_name("standins")
GREENMAIL = Path(__file__).with_name("greenmail") / "pom.xml"
DEBIAN = "debian-servers"
PYMONGO_PACKAGES = ("pymongo", "bson", "gridfs")


def build_standins(engine: Engine, images: dict[str, str]) -> None:
    """Build these: target of `standins/Dockerfile` to the image's name."""
    import_debian(engine, DEBIAN, SERVERS)
    context = engine.folder / "standins"
    gather(context)
    for target, image in images.items():
        options = ["--network=host", "--build-arg", f"DEBIAN={DEBIAN}", "--file", str(RECIPES / "Dockerfile")]
        engine.docker("build", "--quiet", *options, "--target", target, "--tag", image, str(context))
    shutil.rmtree(context)


def gather(context: Path) -> None:
    """Copy what the recipes need into one folder."""
    shutil.copytree(jars(), context / "kafka" / "jars")
    shutil.copytree(jars_of(GREENMAIL), context / "mail" / "jars")
    shutil.copy(RECIPES / "run", context / "kafka")
    mongo = context / "mongo"
    for package in PYMONGO_PACKAGES:
        source = Path(str(importlib.metadata.distribution("pymongo").locate_file(package)))
        shutil.copytree(source, mongo / "packages" / package)
    shutil.copy(binary(), mongo)
    shutil.copy(RECIPES / "primary.py", mongo)
