"""A server of the test's own, started and stopped; where it cannot be had, the test is skipped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TypeVar

from shared.domain.errors import Refused
from tests.conftest import missing


class Server(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


S = TypeVar("S", bound=Server)


@contextmanager
def started(server: S, kind: str) -> Iterator[S]:
    try:
        server.start()
    except Refused as reason:
        missing(kind, str(reason))
    try:
        yield server
    finally:
        server.stop()
