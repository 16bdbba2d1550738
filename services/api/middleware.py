"""What happens around every request, outermost first: observing, limiting, authenticating.

Pure ASGI throughout: one Starlette `BaseHTTPMiddleware` costs two thirds of the throughput.
Whatever fails inside becomes a problem document here; if the answer has already begun, the
connection is broken off, so that half an answer does not look like a whole one.
"""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.api.keys import Keys
from services.api.problems import ProblemRaised, of_error, request_id_of, respond
from shared.domain.errors import OmbudError
from shared.metrics import HTTP_SECONDS

log = structlog.get_logger()

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_MAIL_BODY = re.compile(r"/v1/quarantine/[^/]+/edit")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Observed:
    """Names the request, times it, writes the access log at level debug and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else uuid.uuid4().hex
        scope["ombud.request_id"] = request_id
        started = time.perf_counter()
        status = 0

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except Exception:
            log.exception("http.failed", request_id=request_id, route=_route(scope))
            if status:
                raise
            await respond(ProblemRaised("internal", "something broke"), request_id)(scope, receive, watching)
        finally:
            seconds = time.perf_counter() - started
            method = scope["method"] if scope["method"] in _METHODS else "other"
            HTTP_SECONDS.labels(method, _route(scope), str(status)).observe(seconds)
            log.debug(
                "http.answered",
                request_id=request_id,
                method=method,
                route=_route(scope),
                status=status,
                seconds=round(seconds, 6),
            )


class BodyLimit:
    """Refuses bodies over `limit` bytes, mails over `mail_limit`, by what they say and by what they are."""

    def __init__(self, app: ASGIApp, limit: int, mail_limit: int) -> None:
        self._app = app
        self._limit = limit
        self._mail_limit = mail_limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        said = Headers(scope=scope).get("content-length", "0")
        limit = self._mail_limit if _MAIL_BODY.fullmatch(scope["path"]) else self._limit
        if said.isdigit() and int(said) > limit:
            problem = ProblemRaised("too_large", f"the body has more than {limit} bytes")
            await respond(problem, request_id_of(scope))(scope, receive, send)
            return
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise HTTPException(413)  # the framework passes this one on, and turns others into 400
            return message

        await self._app(scope, counting, send)


class Authenticated:
    """Lets only a valid key under `/v1`, before the body is read; the key lies in the scope afterwards."""

    def __init__(self, app: ASGIApp, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and _guarded(scope["path"]):
            problem = await self._problem(scope)
            if problem is not None:
                await respond(problem, request_id_of(scope))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _problem(self, scope: Scope) -> ProblemRaised | None:
        scheme, _, presented = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            key = await self._keys.verify(presented.strip()) if scheme.lower() == "bearer" else None
        except OmbudError as error:
            problem = of_error(error)
            if problem is None:
                raise
            return problem
        if key is None:
            headers = {"WWW-Authenticate": 'Bearer realm="ombud"'}
            return ProblemRaised("unauthorized", "no valid key came with the request", headers=headers)
        scope["ombud.key"] = key
        return None


def _guarded(path: str) -> bool:
    return path == "/v1" or path.startswith("/v1/")


def _route(scope: Scope) -> str:
    # The template, never the path: a path holds ids, and there is no end of them.
    return getattr(scope.get("route"), "path_format", "unmatched")
