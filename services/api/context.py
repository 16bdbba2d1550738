"""What a route knows of the call it answers: the API it belongs to, who calls, and under which id."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from pydantic import BaseModel

from services.api.cursors import Cursors
from services.api.keys import Keys, Scope, may
from services.api.problems import FieldError, ProblemRaised, request_id_of
from services.api.projections import OverviewProjection
from services.api.settings import ApiProcessSettings
from services.api.showing import Showing
from shared.domain.documents import as_kept
from shared.ports.clock import Clock
from shared.runtime.service import Platform
from shared.stores.collections import ApiKey
from shared.stores.stores import Stores

_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")  # W3C Trace Context §3.2


@dataclass(frozen=True)
class Api:
    """The API of a process: what its routes work with."""

    platform: Platform
    settings: ApiProcessSettings
    keys: Keys
    cursors: Cursors
    projection: OverviewProjection
    showing: Showing

    @property
    def stores(self) -> Stores:
        """The platform's."""
        return self.platform.stores

    @property
    def clock(self) -> Clock:
        """The platform's."""
        return self.platform.clock

    def now(self) -> datetime:
        """The instant as the stores keep it: no later answer shows another one."""
        return as_kept(self.clock.now())


@dataclass(frozen=True)
class Call:
    """One request: whose key, under which id, in which trace."""

    key: ApiKey
    request_id: str
    traceparent: str

    @property
    def actor(self) -> str:
        """Who does what this call does."""
        return f"user:{self.key.name}"


def api_of(request: Request) -> Api:
    """The API that the app was made with."""
    api: Api = request.app.state.api
    return api


def needs(scope: Scope | None) -> Callable[[Request], Call]:
    """A dependency that gives the call, if its key has the scope. Raises the problem `forbidden`."""

    def call(request: Request) -> Call:
        key: ApiKey = request.scope[
            "ombud.key"
        ]  # put there by the middleware, without which no route is reached
        if scope is not None and not may(key, scope):
            raise ProblemRaised("forbidden", f"the scope {scope.value} is missing")
        trace = request.headers.get("traceparent", "")
        return Call(key, request_id_of(request.scope), trace if _TRACEPARENT.fullmatch(trace) else "")

    return call


def known_parameters(request: Request) -> None:
    """A dependency that refuses parameters which the OpenAPI document does not name: most are mistyped."""
    route: Any = request.scope["route"]
    described = request.app.openapi()["paths"].get(route.path_format, {}).get(request.method.lower())
    if described is None:
        return  # a page for people: what stands behind its address is none of our business
    known = {one["name"] for one in described.get("parameters", []) if one["in"] == "query"}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        offered = f"there are {', '.join(sorted(known))}" if known else "there are none here"
        errors = [FieldError(parameter=name[:100], detail="unknown") for name in unknown[:20]]
        raise ProblemRaised("invalid", f"there is no such parameter; {offered}", errors=errors)


def answer(
    model: BaseModel, status: int = 200, headers: dict[str, str] | None = None, *, replayed: bool = False
) -> Response:
    """The model as JSON; past FastAPI's own encoder, which is several times slower."""
    headers = dict(headers or {})
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


InApi = Annotated[Api, Depends(api_of)]
AnyCall = Annotated[Call, Depends(needs(None))]
WriteCall = Annotated[Call, Depends(needs(Scope.TICKETS_WRITE))]
MailWriteCall = Annotated[Call, Depends(needs(Scope.MAIL_WRITE))]

READS = [Depends(needs(Scope.TICKETS_READ))]
READS_MAIL = [Depends(needs(Scope.MAIL_READ))]
ADMINISTERS = [Depends(needs(Scope.ADMIN))]
