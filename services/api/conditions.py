"""Conditions of a call: which version it is meant for, and whether it has been made before.

ETag is the ticket's version in quotes. If-Match compares strongly, If-None-Match weakly (RFC 9110 §13.1).

An Idempotency-Key belongs to the API key it came with. The first call under it does the deed and leaves its
name on what it changed; the same call again finds it and gets the answer as it is now, marked
`Idempotency-Replayed: true`; another call under it is refused. Without one, every call is a deed of its own.
A ticket remembers its last 200 deeds. A PUT that finds everything as it asks for leaves no trace: it may be
sent again anyhow.
"""

import hashlib
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from pydantic import BaseModel

from services.api.context import Call
from services.api.problems import ProblemRaised
from shared.domain.cause import Cause
from shared.domain.ids import derived

_TAG = re.compile(r'(W/)?"([^"]*)"')


def etag(version: int) -> str:
    """The ETag of this version."""
    return f'"{version}"'


def check_match(if_match: str | None, version: int) -> None:
    """Raise the problem `precondition_failed` unless the call is meant for this version."""
    if if_match is None or if_match.strip() == "*":
        return
    strong = {tag for weak, tag in _TAG.findall(if_match) if not weak}
    if str(version) not in strong:
        raise ProblemRaised("precondition_failed", f"the ticket is at {etag(version)} by now")


def is_known(if_none_match: str | None, version: int) -> bool:
    """Whether the client has this version already."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or str(version) in {tag for _, tag in _TAG.findall(if_none_match)}


@dataclass(frozen=True)
class Deed:
    """What one call does. `name` follows from its Idempotency-Key, `payload` from what it asks for."""

    name: str
    payload: str
    call: Call

    @property
    def origin(self) -> str:
        """What it leaves on what it makes."""
        return f"api:{self.name}:{self.payload}"

    @property
    def message_id(self) -> str:
        """The id of the message it makes; a repeat finds it."""
        return derived("msg", self.name)

    def cause(self, at: datetime) -> Cause:
        """Why the ticket changes."""
        return Cause(
            key=self.origin,
            actor=self.call.actor,
            at=at,
            correlation_id=self.call.request_id,
            traceparent=self.call.traceparent,
        )

    def check_reuse(self, origins: Iterable[str]) -> None:
        """Raise the problem `idempotency_key_reused` if another call under the same key left one of these."""
        mine = f"api:{self.name}:"
        if any(origin.startswith(mine) and not origin.startswith(self.origin) for origin in origins):
            raise ProblemRaised("idempotency_key_reused", "this key came with another request before")


def deed_of(call: Call, request: Request, body: BaseModel, idempotency_key: str | None) -> Deed:
    """The deed that this request asks for."""
    name = derived("call", call.key.id, idempotency_key or uuid.uuid4().hex)
    asked = f"{request.method} {request.url.path}\n{body.model_dump_json()}"
    return Deed(name, hashlib.sha256(asked.encode()).hexdigest()[:26], call)
