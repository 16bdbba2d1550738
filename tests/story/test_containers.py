"""The containers truly run: the image is built, the compose file carries a mail and restarts what dies.

Only where it is asked for by name (`OMBUD_REQUIRE=docker`): on a fresh checkout, which has to make its base
image first, it takes more than the four minutes that CI has for it. It needs root and packages of the system.
"""

import asyncio
import os
import sys

import pytest

from deploy.containers.engine import install
from deploy.containers.product import CHECKOUT
from shared.domain.errors import Refused
from tests.conftest import missing

STEPS = ["packages", "base", "image", "servers", "up", "mail", "kill", "down", "again", "tests", "end", "in"]
REQUIRED = "docker" in os.environ.get("OMBUD_REQUIRE", "").split(",")


@pytest.mark.skipif(not REQUIRED, reason="takes minutes and root: OMBUD_REQUIRE=docker, or make containers")
@pytest.mark.timeout(900)
@pytest.mark.xdist_group("cluster")
async def test_the_image_and_the_compose_file_carry_a_mail_and_survive_a_kill_of_every_service() -> None:
    """A Dockerfile that was only linted, and a compose file that was only parsed, are two guesses."""
    try:
        await asyncio.to_thread(install)
    except Refused as reason:
        missing("docker", str(reason))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMBUD_", "PYTEST_"))}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "deploy.containers"),
        cwd=CHECKOUT,
        env=kept,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        output, errors = await process.communicate()
    finally:
        if process.returncode is None:  # the time is up; it ends its engine by itself
            process.terminate()

    assert process.returncode == 0, f"{output.decode()}\n{errors.decode()}"
    assert [line.split()[2] for line in output.decode().splitlines()] == STEPS
