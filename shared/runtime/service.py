"""What a service is to the process that runs it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from shared.domain.errors import Unreadable
from shared.domain.events import EVENTS, Event, parse_event
from shared.domain.received import Received
from shared.ports.blobs import Blobs
from shared.ports.bus import Bus, Record
from shared.ports.clock import Clock
from shared.ports.documents import Documents
from shared.stores.stores import Stores

Handle = Callable[[Record], Awaitable[None]]
Routes = Mapping[type[Event], Callable[[Received[Any]], Awaitable[None]]]
"""One handler for each type of event that is acted on."""
Ping = Callable[[], Awaitable[None]]
ASGIApp = Callable[[Any, Any, Any], Awaitable[None]]
Task = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
"""Runs until the event is set, then ends in good order; when it ends before, the process ends."""


@dataclass(frozen=True)
class Platform:
    """What a process gives its services. `secret` signs what we hand out; `instance` names the process."""

    clock: Clock
    bus: Bus
    documents: Documents
    blobs: Blobs
    stores: Stores
    instance: str
    secret: bytes


@dataclass(frozen=True)
class Reader:
    """A consumer group and what it does with each record of a topic, but for events of the `ignored` types.

    `handle` raises `Temporary` to be called again later, `Unavailable` to have its dependency waited for,
    anything else to have the record set aside on the dead topic.
    """

    topic: str
    group: str
    handle: Handle
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Service:
    """A service as the process runs it; `pings` raise `Unavailable` while the service is not ready."""

    name: str
    readers: list[Reader] = field(default_factory=list)
    tasks: dict[str, Task] = field(default_factory=dict)
    pings: dict[str, Ping] = field(default_factory=dict)
    app: ASGIApp | None = None


class Build(Protocol):
    """`service.py::build` of each service: opens what is its own on the stack and binds handlers to it."""

    async def __call__(self, platform: Platform, settings: Any, stack: AsyncExitStack) -> Service:
        """The service, ready to run. Raises `Refused`."""
        ...


def reader_of(topic: str, group: str, routes: Routes) -> Reader:
    """A reader of a topic of events that acts on those types alone for which it has a handler."""
    return Reader(topic, group, routed(routes), frozenset(EVENTS) - {kind.type for kind in routes})


def routed(routes: Routes) -> Handle:
    """A handler of records out of one handler for each type of event.

    Records of other types are passed over unread: a reader pays only for what it acts on.
    """
    by_type = {kind.type: handler for kind, handler in routes.items()}

    async def handle(record: Record) -> None:
        kind = record.headers.get("ce_type", "")
        handler = by_type.get(kind)
        if handler is None:
            if kind not in EVENTS and not kind.startswith("ombud."):
                raise Unreadable(f"a record without an event type of ours: {kind!r}")
            return
        try:
            event = parse_event(kind, record.value)
        except ValidationError as fault:
            raise Unreadable(
                f"this is no {kind}: {fault.error_count()} faults, {fault.errors()[0]['loc']}"
            ) from fault
        if event is not None:
            await handler(Received(event, record.headers.get("traceparent", "")))

    return handle
