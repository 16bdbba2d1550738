"""The jars that a `pom.xml` names, fetched once for this checkout.

Failures: `Refused` when Maven is missing or cannot fetch them; it shows the end of what Maven said.
"""

import functools
import hashlib
import subprocess
from pathlib import Path

from deploy.local.packages import require
from deploy.local.shelf import shelved
from shared.domain.errors import Refused


def jars_of(pom: Path) -> Path:
    """The folder with the jars of this pom and all they need; its name has the pom's folder and digest."""
    digest = hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    return shelved(f"{pom.parent.name}-{digest}", functools.partial(_fetch, pom))


def _fetch(pom: Path, folder: Path) -> None:
    command = [require("mvn", ["maven"]), "-q", "-B", "-f", str(pom), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", f"-DoutputDirectory={folder}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise Refused(
            "\n".join([f"Maven could not fetch the jars of {pom} (exit {done.returncode}):", *lines])
        )
