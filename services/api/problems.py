"""Every error of the API as a problem document (RFC 9457), made at this one place.

A problem says what happened, what to do, which field is at fault and the request's id for us to look it up.
It never says what is inside: no stack traces, no texts of libraries, no difference between a thing that does
not exist and one that is hidden.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Route

from shared.domain.errors import (
    Conflict,
    Duplicate,
    Invalid,
    MoveNotAllowed,
    NotFound,
    OmbudError,
    Temporary,
    Unavailable,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Kind:
    """A problem that can happen: what it is called and what to do about it."""

    code: str
    status: int
    title: str
    remedy: str


KINDS: dict[str, Kind] = {
    kind.code: kind
    for kind in (
        Kind("bad_request", 400, "The request cannot be read", "Send JSON in UTF-8, with a length."),
        Kind(
            "bad_cursor",
            400,
            "The cursor is not ours",
            "Follow next_cursor as it was given, else start over.",
        ),
        Kind("unauthorized", 401, "A key is needed", "Send `Authorization: Bearer ombud_…`."),
        Kind("forbidden", 403, "This key may not do that", "Make a key with the scope that is named."),
        Kind("not_found", 404, "There is no such thing", "Look at the id, or list what there is."),
        Kind("method_not_allowed", 405, "This method is not offered here", "Use one that Allow names."),
        Kind("conflict", 409, "Somebody else was first", "Send the request again."),
        Kind("move_not_allowed", 409, "Its state forbids it", "Choose one of `allowed`, if there are any."),
        Kind("gone", 410, "It is no longer kept", "Restore it from a backup, if it is needed."),
        Kind("precondition_failed", 412, "The ticket has changed", "Read it again, then use its new ETag."),
        Kind("too_large", 413, "The body is too large", "Send less."),
        Kind(
            "unsupported_media_type",
            415,
            "This media type is not understood",
            "Send the one that /docs names.",
        ),
        Kind("invalid", 422, "The request is not valid", "Mend what `errors` names."),
        Kind(
            "idempotency_key_reused", 422, "This Idempotency-Key stands for another request", "Use a new key."
        ),
        Kind("internal", 500, "This is our fault", "Tell us the request_id."),
        Kind(
            "unavailable", 503, "A part of Ombud does not answer", "Wait for Retry-After, then send it again."
        ),
    )
}
"""Every problem there is, by its code; `/docs/problems` shows them."""

_BY_STATUS = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}
_RETRY_SECONDS = {"unavailable": "5", "conflict": "1"}


class FieldError(BaseModel):
    """One field at fault: `pointer` into the body (RFC 6901), or the `parameter` of URL or header."""

    pointer: str | None = None
    parameter: str | None = None
    detail: str


class Problem(BaseModel):
    """What went wrong (RFC 9457); `code` is for programs, `detail` for people."""

    type: str = Field(examples=["/docs/problems#not_found"], description="where the problem is explained")
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None
    allowed: list[str] | None = Field(default=None, description="of move_not_allowed: what may be done")


class ProblemRaised(Exception):
    """Answer with this problem; `code` is one of `KINDS`."""

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        allowed: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.kind = KINDS[code]
        self.detail = detail
        self.errors = list(errors)
        self.allowed = list(allowed)
        self.headers = dict(headers or {})


def respond(problem: ProblemRaised, request_id: str) -> Response:
    """The problem as it is sent."""
    kind = problem.kind
    document = Problem(
        type=f"/docs/problems#{kind.code}",
        title=kind.title,
        status=kind.status,
        detail=f"{problem.detail.rstrip('.')}. {kind.remedy}",
        code=kind.code,
        request_id=request_id,
        errors=problem.errors or None,
        allowed=problem.allowed or None,
    )
    headers = dict(problem.headers)
    if kind.code in _RETRY_SECONDS:
        headers.setdefault("Retry-After", _RETRY_SECONDS[kind.code])
    return Response(
        document.model_dump_json(exclude_none=True), kind.status, headers=headers, media_type=MEDIA_TYPE
    )


def of_error(error: OmbudError) -> ProblemRaised | None:
    """The problem that an error of ours is to a client; None when it is our fault."""
    problem: ProblemRaised | None = None
    match error:
        case NotFound():
            problem = ProblemRaised("not_found", "there is nothing under this id")
        case Invalid():
            errors = [FieldError(parameter=name, detail=why) for name, why in error.fields.items()]
            problem = ProblemRaised("invalid", str(error), errors=errors)
        case MoveNotAllowed():
            problem = ProblemRaised("move_not_allowed", str(error), allowed=error.allowed)
        case Conflict() | Duplicate():
            problem = ProblemRaised("conflict", "others changed this at the same moment")
        case Unavailable():
            problem = ProblemRaised("unavailable", f"{error.dependency} does not answer")
        case Temporary():
            problem = ProblemRaised("unavailable", "this cannot be done just now")
    return problem


def install(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Have the app answer every error with a problem; `routes` tell which methods a path offers."""

    async def ours(request: Request, error: Exception) -> Response:
        problem = error if isinstance(error, ProblemRaised) else None
        if isinstance(error, OmbudError):
            problem = of_error(error)
        if problem is None:
            raise error
        return respond(problem, request_id_of(request.scope))

    async def of_framework(request: Request, error: Exception) -> Response:
        problem = _of_http(error)
        if problem.kind.code == "method_not_allowed":
            problem.headers["Allow"] = ", ".join(_methods(routes, request.scope)) or problem.headers["Allow"]
        return respond(problem, request_id_of(request.scope))

    async def of_validation(request: Request, error: Exception) -> Response:
        return respond(_of_validation(error, request), request_id_of(request.scope))

    app.add_exception_handler(ProblemRaised, ours)
    app.add_exception_handler(OmbudError, ours)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_validation)


def request_id_of(scope: Mapping[str, Any]) -> str:
    """The id that the outermost middleware gave the request."""
    return str(scope.get("ombud.request_id", ""))


def _methods(routes: Sequence[BaseRoute], scope: Mapping[str, Any]) -> list[str]:
    """All that the path offers; the framework names only those of the first route that has it."""
    offered: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.path_regex.match(scope["path"]):
            offered |= route.methods or set()
    return sorted(offered)


def _of_http(error: Exception) -> ProblemRaised:
    if not isinstance(error, HTTPException):
        raise error
    code = _BY_STATUS.get(error.status_code)
    if code is None:
        raise error
    detail = {
        "not_found": "there is nothing at this path",
        "method_not_allowed": "this path does not offer this method",
        "too_large": "the body is longer than the API takes",
    }.get(code, "the request's body cannot be read")
    return ProblemRaised(code, detail, headers=error.headers)


def _of_validation(error: Exception, request: Request) -> ProblemRaised:
    if not isinstance(error, RequestValidationError):
        raise error
    faults = error.errors()
    if any(fault["loc"] == ("body",) and isinstance(fault["input"], bytes) for fault in faults):
        # FastAPI hands over the bytes when the media type is not JSON's.
        sent = request.headers.get("content-type", "no media type")[:100]
        return ProblemRaised("unsupported_media_type", f"the body came as {sent}, not as application/json")
    if any(fault["type"] == "json_invalid" for fault in faults):
        return ProblemRaised("bad_request", "the body is not JSON")
    return ProblemRaised("invalid", "some fields are wrong", errors=[_field_error(fault) for fault in faults])


def _field_error(fault: Mapping[str, Any]) -> FieldError:
    where, *path = fault["loc"]
    message = str(fault["msg"]).removeprefix("Value error, ")
    if where == "body":
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in path)
        return FieldError(pointer="".join(f"/{step}" for step in steps), detail=message)
    return FieldError(parameter=str(path[0]) if path else where, detail=message)
