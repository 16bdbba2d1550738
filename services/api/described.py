"""The OpenAPI document, and how routes describe their answers in it: problems with examples, headers."""

from collections.abc import Iterable, Sequence
from typing import Any

from fastapi.openapi.utils import get_openapi
from starlette.routing import BaseRoute

from services.api.problems import KINDS, MEDIA_TYPE, Kind, Problem

Responses = dict[int | str, dict[str, Any]]

VERSION = "1"

_ABOUT = """The help desk as an API.

Every list is paged by cursor: follow `next_cursor`, or the `Link` header. Every error is a problem document
(RFC 9457); `code` says which, `/docs/problems` lists them. What changes a ticket honours `If-Match` with the
ticket's `ETag`; give each request an `Idempotency-Key` and it may be sent again at any time. Instants are
RFC 3339 in UTC. Make a key with `ombud key create`."""

_TAGS = [
    {"name": "Tickets", "description": "Find, read and open tickets."},
    {"name": "Changing tickets", "description": "Answer, note, move, assign."},
    {"name": "Mail", "description": "Raw mails, letters, the quarantine, addresses that get no letters."},
    {"name": "Overview", "description": "The numbers, and who you are."},
]

_ALWAYS = ("bad_request", "unauthorized", "forbidden", "too_large", "invalid", "internal", "unavailable")

_HEADERS = {
    "ETag": "the ticket's version",
    "Idempotency-Replayed": "`true` when this had been done before",
    "Link": 'the next page, rel="next"',
    "Content-Disposition": "a file to be saved",
    "Content-Security-Policy": "nothing runs, and what is not allowed to load does not",
    "Ombud-Remote-Images": "how many pictures from elsewhere the mail has, shown or not",
}


def problems(*codes: str) -> Responses:
    """The problems that a route may answer with, those of every route among them."""
    by_status: dict[int | str, list[Kind]] = {}
    for code in (*_ALWAYS, *codes):
        by_status.setdefault(KINDS[code].status, []).append(KINDS[code])
    return {status: _of(kinds) for status, kinds in sorted(by_status.items(), key=lambda one: str(one[0]))}


def headers(*names: str) -> dict[str, Any]:
    """The headers that an answer may have."""
    return {
        "headers": {name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names}
    }


def bytes_of(media_type: str) -> dict[str, Any]:
    """An answer that is a file."""
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {"description": "The bytes as they came", "content": content} | headers("Content-Disposition")


def document(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """The document for these routes."""
    made = get_openapi(
        title="Ombud",
        version=VERSION,
        description=_ABOUT,
        routes=routes,
        tags=_TAGS,
        servers=[{"url": "/", "description": "where this document came from"}],
    )
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas = made["components"]["schemas"]
    schemas |= problem.pop("$defs")
    schemas["Problem"] = problem
    made["components"]["examples"] = {code: {"value": _example(kind)} for code, kind in KINDS.items()}
    made["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "bearerFormat": "ombud_<id>_<secret>"}
    }
    made["security"] = [{"key": []}]
    return made


def _of(kinds: Iterable[Kind]) -> dict[str, Any]:
    kinds = list(kinds)
    examples = {kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in kinds}
    schema = {"$ref": "#/components/schemas/Problem"}
    answer: dict[str, Any] = {
        "description": "; ".join(kind.title for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }
    if kinds[0].status in (503, 409):
        answer["headers"] = {"Retry-After": {"description": "seconds", "schema": {"type": "string"}}}
    if kinds[0].status == 401:
        answer["headers"] = {"WWW-Authenticate": {"schema": {"type": "string"}}}
    return answer


def _example(kind: Kind) -> dict[str, Any]:
    return {
        "type": f"/docs/problems#{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.remedy,
        "code": kind.code,
        "request_id": "0f3b9d8e5c1a4b7f9e2d6c8a1b3d5f70",
    }
