"""Images without a registry: a small Debian made by `debootstrap`, imported under the name a build asks for.

Promises: `import_debian()` gives the engine an image of Debian with these packages, made once for this
checkout (a minute or two) and kept on the shelf (`deploy/local/shelf.py`). `import_python()` gives it the
name of the Dockerfile's own base, with this machine's certificates and pip's way to its packages, which are
read now and go nowhere but into the engine's folder.

Failures: `Refused` with the end of what `debootstrap` said.
"""

import functools
import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

from deploy.containers.engine import Engine
from deploy.local.shelf import shelved
from shared.domain.errors import Refused

SUITE = "bookworm"  # its libraries are those that the wheel's mongod was made for
PYTHON = ("python3", "python3-venv", "ca-certificates")
SERVERS = ("openjdk-17-jre-headless", "libcurl4", "python3")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TRIMMED = ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale")
# Where packages come from and how long to wait; what names a file of this machine would mean nothing there.
PIP_OPTIONS = ("index-url", "extra-index-url", "trusted-host", "timeout", "proxy")

MACHINE = """\
FROM {debian}
COPY . /etc/
ENV PIP_CERT=/etc/ssl/certs/ca-certificates.crt
"""


def import_debian(engine: Engine, image: str, packages: tuple[str, ...]) -> None:
    """An image of Debian with these packages and nothing else."""
    digest = hashlib.sha256(" ".join([SUITE, *packages, *TRIMMED]).encode()).hexdigest()[:12]
    folder = shelved(f"debian-{digest}", functools.partial(_bootstrap, packages))
    engine.docker("import", str(folder / "system.tar"), image)


def _bootstrap(packages: tuple[str, ...], folder: Path) -> None:
    system = folder / "system"
    command = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE, str(system)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise Refused("\n".join([f"debootstrap failed (exit {done.returncode}):", *lines]))
    for place in TRIMMED:
        shutil.rmtree(system / place)
        (system / place).mkdir()
    subprocess.run(["tar", "-C", system, "-cf", folder / "system.tar", "."], check=True)
    shutil.rmtree(system)


def import_python(engine: Engine, dockerfile: Path) -> str:
    """The image that this Dockerfile starts from by default; its name."""
    image = base_of(dockerfile)
    import_debian(engine, "debian-python", PYTHON)
    context = engine.folder / "machine"
    certificates = context / CERTIFICATES.relative_to("/etc")
    certificates.parent.mkdir(parents=True)
    shutil.copy(CERTIFICATES, certificates)
    (context / "pip.conf").write_text(pip_configuration(_pip("config", "list")))
    recipe = engine.folder / "machine.Dockerfile"
    recipe.write_text(MACHINE.format(debian="debian-python"))
    engine.docker("build", "--quiet", "--tag", image, "--file", str(recipe), str(context))
    return image


def base_of(dockerfile: Path) -> str:
    """The default of `ARG BASE`; raises `Refused` when there is none."""
    found = re.search(r"^ARG BASE=(\S+)$", dockerfile.read_text(), re.MULTILINE)
    if found is None:
        raise Refused(f"{dockerfile} names no base: ARG BASE=…")
    return found[1]


def pip_configuration(listed: str) -> str:
    """A pip.conf from what `pip config list` prints (`global.timeout='60'`, `:env:.index-url='…'`).

    The environment counts more than a file, as pip has it; only options that mean something on another
    machine are taken over.
    """
    options = dict[str, str]()
    for line in sorted(listed.splitlines(), key=lambda line: line.startswith(":env:")):
        name, equals, value = line.partition("=")
        option = name.rpartition(".")[2]
        if equals and option in PIP_OPTIONS:
            options[option] = value.strip("'\"").replace("\\n", "\n  ")
    return "[global]\n" + "".join(f"{option} = {value}\n" for option, value in options.items())


def _pip(*arguments: str) -> str:
    command = [sys.executable, "-m", "pip", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout
