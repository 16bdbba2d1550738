"""Programs of the operating system that the local servers need.

Promises: `require()` returns a program's path. As root on Debian it installs what is missing;
elsewhere, or when that fails, `Refused` says in one line what is missing and how to get it.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence

from shared.domain.errors import Refused


def require(program: str, packages: Sequence[str]) -> str:
    """The path of a program; installed from Debian's packages when we are root, else `Refused` says how."""
    found = shutil.which(program)
    if found is not None:
        return found
    apt = shutil.which("apt-get")
    remedy = f"apt-get install {' '.join(packages)}"
    if apt is None or os.geteuid() != 0:
        raise Refused(f"{program} is missing: {remedy}")
    # Run level 1: the package shall not start a system-wide service of its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run([apt, *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise Refused(f"{program} is missing and `{remedy}` failed: {reason}")
    found = shutil.which(program)
    if found is None:
        raise Refused(f"{program} is still missing after `{remedy}`")
    return found
