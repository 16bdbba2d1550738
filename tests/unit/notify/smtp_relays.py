"""A mail for the mailer, the gate before its content, and relays with a will of their own."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP

from services.notify.ports import Mail
from tests.helpers import eventually, free_port

CONTENT = b"Subject: hello\r\n\r\n.a dot\r\nFrom the start\r\n"


def mail(recipient: str = "ada@customer.example", **changed: Any) -> Mail:
    return Mail("support@example.org", recipient, CONTENT, **changed)


class Gate:
    """Counts how often it was asked."""

    def __init__(self, *, opens: bool = True) -> None:
        self.opens = opens
        self.asked = 0

    async def __call__(self) -> bool:
        self.asked += 1
        return self.opens


class AsyncRestart:
    """A relay that can be started again on the same port."""

    def __init__(self) -> None:
        self.address = ("127.0.0.1", free_port())
        self._server: asyncio.Server | None = None
        self._open: list[asyncio.BaseTransport] = []

    async def __aenter__(self) -> "AsyncRestart":
        await self._start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop()

    async def restart(self) -> None:
        self._stop()
        await self._start()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, loop=loop), *self.address)

    def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for transport in self._open:
            transport.close()
        self._open.clear()

    async def handle_EHLO(self, server: Any, session: Any, _envelope: Any, hostname: str) -> str:  # noqa: N802
        self._open.append(server.transport)
        session.host_name = hostname
        return "250 HELP"


class Crowded:
    """A relay that greets everybody beyond `most` with 421."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        self.turned_away = 0
        self.address = ("127.0.0.1", 0)
        self._inside = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "Crowded":
        self._server = await asyncio.start_server(self._serve, *self.address)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside += 1
        try:
            if self._inside > self.most:
                self.turned_away += 1
                writer.write(b"421 4.7.0 too many connections\r\n")
            else:
                writer.write(b"220 crowded\r\n")
                await self._talk(reader, writer)
        finally:
            self._inside -= 1
            writer.close()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            verb = line[:4].upper().strip()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                await reader.readuntil(b"\r\n.\r\n")
                self.taken += 1
            writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
            if verb == b"QUIT":
                return


class ByLine:
    """A relay that takes a mail's content line by line, as it is on the wire, and does what its test wants.

    `lines`: what came after 354, the dots still doubled. `data` answers the command DATA. After `after` lines
    of the content it hangs up. `lost` is set when the client is gone in the middle of a content.
    """

    def __init__(self, data: bytes = b"354 go on", after: int | None = None) -> None:
        self.lines: list[bytes] = []
        self.lost = asyncio.Event()
        self.taken = 0
        self.address = ("127.0.0.1", 0)
        self._inside = 0
        self._data = data
        self._after = after
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "ByLine":
        self._server = await asyncio.start_server(self._serve, *self.address, limit=2**20)
        self.address = self._server.sockets[0].getsockname()[:2]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
        await eventually(lambda: self._inside == 0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._inside += 1
        try:
            writer.write(b"220 by line\r\n")
            while line := await reader.readline():
                verb = line[:4].upper().strip()
                if verb == b"DATA":
                    writer.write(self._data + b"\r\n")
                    if self._data.startswith(b"354") and not await self._content(reader, writer):
                        return
                else:
                    writer.write(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")
        finally:
            self._inside -= 1
            writer.close()

    async def _content(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether it came to its end."""
        while True:
            if len(self.lines) == self._after:
                writer.write_eof()
                await reader.read(-1)
                self.lost.set()
                return False
            line = await reader.readline()
            if not line:
                self.lost.set()
                return False
            if line == b".\r\n":
                self.taken += 1
                writer.write(b"250 OK\r\n")
                return True
            self.lines.append(line)
