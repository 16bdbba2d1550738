"""Waits until services say of themselves that they are ready (`GET /readyz` answers 200).

Failures: `Refused` names every service that was not ready in time, what its `/readyz` said last and the end
of its log.
"""

import asyncio
import http.client
import time
from collections.abc import Mapping
from pathlib import Path

from services.sandbox.process import tail
from shared.domain.errors import Refused

READY_WITHIN = 60.0  # seconds
ASK_EVERY = 0.1  # seconds
ANSWER_WITHIN = 3.0  # seconds
LOG_LINES = 12


async def wait_for_readiness(services: Mapping[str, tuple[int, Path]], within: float = READY_WITHIN) -> None:
    """Wait for all of these services, given as name to (port, log file); raises `Refused`."""
    deadline = time.monotonic() + within
    last = await asyncio.gather(*(_ready(port, deadline) for port, _ in services.values()))
    faults = [
        f"{name} was not ready within {within:g} s ({answer})\n{tail(log, LOG_LINES)}"
        for (name, (_, log)), answer in zip(services.items(), last, strict=True)
        if answer is not None
    ]
    if faults:
        raise Refused("\n".join(faults))


async def _ready(port: int, deadline: float) -> str | None:
    """None when it is ready; else what it said when the time was up."""
    while True:
        answer = await asyncio.to_thread(readiness, port)
        if answer is None or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(ASK_EVERY)


def readiness(port: int) -> str | None:
    """None when the service on this loopback port is ready; else what it answers, or that it does not."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_WITHIN)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read(2000).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {error}"
    finally:
        connection.close()
    return None if response.status == 200 else f"{response.status} {body}"
