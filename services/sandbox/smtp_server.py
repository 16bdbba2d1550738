"""aiosmtpd in the event loop that runs, with an end: what `smtp_sink.py` and scripted servers stand on.

Promises: `start()` listens and knows its port; after `stop()` nobody is listening and no connection is
open. A mail that is being received then is not answered: its sender keeps it and tries again.
"""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP

from shared.domain.errors import Refused


class SmtpServer:
    """A listening SMTP server; `handler` and `options` are those of `aiosmtpd.smtp.SMTP`."""

    def __init__(self, host: str, port: int, handler: object, **options: Any) -> None:
        self.connections = 0
        self._host = host
        self._port = port
        self._handler = handler
        self._options = options
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.BaseTransport] = set()
        self._all_gone = asyncio.Event()

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to; with port 0 the one chosen by `start()`."""
        return self._host, self._port

    async def start(self) -> None:
        """Listen; raises `Refused` when the port is taken."""
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(self._session, self._host, self._port)
        except OSError as error:
            raise Refused(f"SMTP cannot listen on {self._host}:{self._port}: {error}") from error
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and hang up on everybody; harmless when it does not listen."""
        if self._server is None:
            return
        self._server.close()
        self._all_gone.clear()
        for transport in self._open:
            transport.close()
        if self._open:
            await self._all_gone.wait()
        await self._server.wait_closed()
        self._server = None

    def opened(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self.connections += 1
        self._open.add(transport)

    def encrypted(self, plain: asyncio.BaseTransport, transport: asyncio.BaseTransport) -> None:
        """A client that was connected by `plain` has begun to encrypt, and is connected by another now."""
        self._open.discard(plain)
        self._open.add(transport)

    def closed(self, transport: asyncio.BaseTransport) -> None:
        """A client is gone."""
        self._open.discard(transport)
        if not self._open:
            self._all_gone.set()

    def _session(self) -> asyncio.BaseProtocol:
        return Session(self, self._handler, loop=asyncio.get_running_loop(), **self._options)


class Session(SMTP):
    """One client's connection, known to its server so that it ends with it."""

    def __init__(self, server: SmtpServer, handler: object, **options: Any) -> None:
        super().__init__(handler, enable_SMTPUTF8=True, **options)
        self._owner = server
        self._connection: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop when the client has connected, and again when it has begun to encrypt."""
        if self._connection is None:
            self._owner.opened(transport)
        else:
            self._owner.encrypted(self._connection, transport)
        self._connection = transport
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop when the connection is gone."""
        if self._connection is not None:
            self._owner.closed(self._connection)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Cut the connection at this instant, without an answer."""
        if isinstance(self._connection, asyncio.Transport):
            self._connection.abort()
