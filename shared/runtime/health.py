"""`/livez`, `/readyz` and `/metrics`, in front of whatever else a process answers.

`/livez` looks at no dependency: it is 200 while the loop turns. `/readyz` asks every ping and names what
fails; it is 503 then, and 200 again by itself when it recovers. Plain ASGI, for a middleware class costs two
thirds of the requests a second.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import metrics
from shared.domain.errors import OmbudError
from shared.runtime.service import ASGIApp, Ping

PING_SECONDS = 2.0
"""A dependency that needs longer counts as down."""


class Health:
    """An ASGI application; see the module."""

    def __init__(self, pings: Mapping[str, Ping], inner: ASGIApp | None = None) -> None:
        self._pings = dict(pings)
        self._inner = inner

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer, or hand over to the application behind."""
        path = scope.get("path") if scope["type"] == "http" else None
        if path == "/livez":
            await _answer(send, 200, b'{"alive":true}')
        elif path == "/readyz":
            faults = await self.check()
            body = orjson.dumps(
                {"ready": not faults, "checks": {n: faults.get(n, "ok") for n in self._pings}}
            )
            await _answer(send, 503 if faults else 200, body)
        elif path == "/metrics":
            await _answer(send, 200, generate_latest(metrics.REGISTRY), CONTENT_TYPE_LATEST)
        elif self._inner is not None:
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            await _answer(send, 404, b'{"title":"this process answers /livez, /readyz and /metrics"}')

    async def check(self) -> dict[str, str]:
        """What does not answer, by name, with the reason; empty when all do."""
        names = list(self._pings)
        answers = await asyncio.gather(*(self._ask(name) for name in names))
        faults = {name: said for name, said in zip(names, answers, strict=True) if said}
        for name in names:
            metrics.DEPENDENCY_UP.labels(name).set(name not in faults)
        return faults

    async def _ask(self, name: str) -> str:
        try:
            await asyncio.wait_for(self._pings[name](), PING_SECONDS)
        except TimeoutError:
            return f"no answer within {PING_SECONDS:g} s"
        except OmbudError as fault:
            return str(fault)
        except Exception as fault:  # noqa: BLE001 (a ping that fails in any way is a dependency that is down)
            return f"{type(fault).__name__}: {fault}"
        return ""


async def _answer(send: Any, status: int, body: bytes, content_type: str = "application/json") -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
