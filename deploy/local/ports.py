"""Ports that stay the same over restarts, so that clients find a cluster again on the same data.

Promises: a name keeps its port for as long as nobody else has taken it; then it gets a new free one. What was
given out is in the file before it is used. One process uses a file at a time.
"""

import json
import socket
from pathlib import Path

from services.sandbox.process import free_port


class Ports:
    """Names to loopback ports, kept in a small JSON file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        self._given: dict[str, int] = {}

    def of(self, name: str) -> int:
        """The port of this name."""
        if name not in self._given:
            self._given[name] = self._chosen(name)
            self._write(self._kept | self._given)
        return self._given[name]

    def _chosen(self, name: str) -> int:
        kept = self._kept.get(name)
        if kept is not None and kept not in self._given.values() and _free(kept):
            return kept
        taken = {*self._kept.values(), *self._given.values()}
        port = free_port()
        while port in taken:
            port = free_port()
        return port

    def _write(self, ports: dict[str, int]) -> None:
        part = self._file.with_suffix(".part")
        part.write_text(json.dumps(ports, indent=2) + "\n")
        part.replace(self._file)


def _free(port: int) -> bool:
    """Whether a server could listen there now; connections of a former one that fade away do not count."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
