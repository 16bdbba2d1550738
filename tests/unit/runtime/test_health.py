"""What a process answers about itself."""

import asyncio

import httpx2
import pytest

from shared.domain.errors import Unavailable
from shared.runtime import health
from shared.runtime.health import Health


async def well() -> None:
    """Answers."""


async def down() -> None:
    raise Unavailable("mongo", "connection refused")


async def hanging() -> None:
    await asyncio.sleep(3600)


async def broken() -> None:
    raise ZeroDivisionError("a fault of ours")


async def inner(scope: object, receive: object, send: object) -> None:
    await health._answer(send, 200, b'{"inner":true}')


async def got(app: Health, path: str) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://x") as client:
        return await client.get(path)


async def test_a_process_whose_dependencies_are_down_is_alive_and_not_ready() -> None:
    app = Health({"mongo": down})

    assert (await got(app, "/livez")).status_code == 200
    assert (await got(app, "/readyz")).status_code == 503


async def test_readiness_names_what_is_down_and_why() -> None:
    answer = await got(Health({"mongo": down, "kafka": well, "smtp": broken}), "/readyz")

    assert answer.json() == {
        "ready": False,
        "checks": {
            "mongo": "mongo does not answer: connection refused",
            "kafka": "ok",
            "smtp": "ZeroDivisionError: a fault of ours",
        },
    }


async def test_a_ping_that_hangs_is_a_dependency_that_is_down() -> None:
    answer = await got(Health({"slow": hanging}), "/readyz")

    assert answer.json()["checks"] == {"slow": f"no answer within {health.PING_SECONDS:g} s"}


async def test_readiness_recovers_by_itself() -> None:
    state = {"down": True}

    async def sometimes() -> None:
        if state["down"]:
            await down()

    app = Health({"mongo": sometimes})
    before = (await got(app, "/readyz")).status_code
    state["down"] = False
    after = (await got(app, "/readyz")).status_code

    assert (before, after) == (503, 200)


async def test_metrics_are_prometheus_text_and_tell_of_dependencies() -> None:
    app = Health({"mongo": down, "kafka": well})
    await got(app, "/readyz")
    text = (await got(app, "/metrics")).text

    assert 'ombud_dependency_up{dependency="mongo"} 0.0' in text
    assert 'ombud_dependency_up{dependency="kafka"} 1.0' in text


@pytest.mark.parametrize(("app", "status"), [(Health({}, inner), 200), (Health({}), 404)])
async def test_other_paths_are_the_applications(app: Health, status: int) -> None:
    assert (await got(app, "/v1/tickets")).status_code == status
