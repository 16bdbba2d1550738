"""A TCP link that fails as it is told to: a proxy on a loopback port in front of any server.

Promises:
- `suffer(faults)` and `heal()` act at once, on connections that are open as on those to come; `reset()` ends
  all that are open with RST.
- Whatever it suffers, bytes are delayed or withheld but never changed, doubled or put in another order. The
  end of a stream is passed on behind its last byte, a reset as a reset.
- A connection that went into a black hole stays there, also when the link is healed: both ends have it open,
  neither ever hears of the other again, as when a router forgot it. `reset()` tells them.
- Jitter is drawn from `seed`: the same seed, the same delays for the same chunks.
- It counts what happened (`opened`, `carried`, `lost`), so that a test can tell that its fault was met.

Failures: a server that is not there is a connection that is accepted and reset at once.
"""

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import Coroutine
from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Self

CHUNK_BYTES = 64 * 1024
CHUNKS_ON_THE_WAY = 64
"""Chunks that one direction may hold back; beyond that the sender waits, as behind a full window."""
SLICES_PER_SECOND = 50
"""A limited bandwidth is given out in so many parts a second."""
RST = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 seconds: closing forgets what is unsent and sends RST (socket(7), tcp(7))."""

Direction = Literal["up", "down"]
"""Up: from the client to the server."""


@dataclass(frozen=True)
class Cut:
    """Once a connection has carried `after` bytes in this direction since the fault began, it ends.

    The receiver gets exactly these bytes and then the end of the stream; the sender gets a reset. At least 1.
    """

    direction: Direction
    after: int


@dataclass(frozen=True)
class Faults:
    """What a link suffers, both directions alike; the default is nothing.

    `latency` is in seconds each way, `jitter` up to so many more. `segment` bytes are sent at a time, each as
    a TCP segment of its own; 0: as they come. `bandwidth` is in bytes a second for each connection and
    direction; 0: no limit. `black_hole` lets nothing through on any connection, open or new, for ever.
    `refuse` turns new connections away (ECONNREFUSED); open ones go on.
    """

    latency: float = 0.0
    jitter: float = 0.0
    segment: int = 0
    bandwidth: float = 0.0
    black_hole: bool = False
    refuse: bool = False
    cut: Cut | None = None


NOTHING = Faults()


class FaultProxy:
    """See the module; use it with `async with`. `port` is where clients connect, 0 for a free one.

    `opened` counts the connections so far, `lost` those that a fault has ended or swallowed, `carried` the
    bytes by direction.
    """

    def __init__(self, server: tuple[str, int], *, port: int = 0, seed: str = "") -> None:
        self.opened = 0
        self.lost = 0
        self.carried: dict[Direction, int] = {"up": 0, "down": 0}
        self._server = server
        self._port = port
        self._chance = random.Random(f"proxy {seed}")
        self._faults = NOTHING
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._place: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that clients connect to."""
        return "127.0.0.1", self._port

    @property
    def port(self) -> int:
        """The port alone."""
        return self._port

    @property
    def faults(self) -> Faults:
        """What the link suffers now."""
        return self._faults

    @property
    def open_now(self) -> int:
        """How many connections are open, those in a black hole too."""
        return len(self._links)

    async def __aenter__(self) -> Self:
        # Holds the port while new connections are refused: bound, but nobody listens on it.
        self._place = _bound(self._port)
        self._port = self._place.getsockname()[1]
        self._listen()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._turn_away()
        await self._end_all()
        if self._place is not None:
            self._place.close()

    def suffer(self, faults: Faults) -> None:
        """Let the link fail so from now on, in place of what it suffered before."""
        self._faults = faults
        for link in self._links:
            link.begin(faults)
        if faults.black_hole:
            for link in self._links:
                self.lost += link.swallow()
        if faults.refuse:
            self._turn_away()
        else:
            self._listen()

    def heal(self) -> None:
        """Let everything through again; what is in a black hole stays there."""
        self.suffer(NOTHING)

    async def reset(self) -> int:
        """End every open connection with RST to both sides; returns how many there were."""
        count = len(self._links)
        self.lost += sum(not link.swallowed for link in self._links)
        await self._end_all()
        return count

    async def _end_all(self) -> None:
        links = list(self._links)
        await asyncio.gather(*(link.end() for link in links))
        self._links.difference_update(links)

    def _listen(self) -> None:
        if self._listener is None:
            self._listener = _bound(self._port)
            self._listener.listen(1024)
            asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    def _turn_away(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionError):  # the client was quicker to leave
            client, _ = listener.accept()
            self.opened += 1
            link = _Link(self, client, self._faults)
            self._links.add(link)
            if self._faults.black_hole:
                self.lost += link.swallow()
            else:
                link.start(self._server)

    def _delay(self) -> float:
        return self._faults.latency + self._chance.uniform(0.0, self._faults.jitter)

    def _ended(self, link: "_Link", *, lost: bool) -> None:
        self.lost += lost
        self._links.discard(link)


class _CutOff(Exception):  # an end like any other, not an error
    """A direction has carried all that it may."""

    def __init__(self, sender: socket.socket, receiver: socket.socket) -> None:
        self.sender = sender
        self.receiver = receiver


Chunks = asyncio.Queue[tuple[float, bytes]]
"""What is on the way, each with the loop's time of its arrival here; the end of the stream is empty."""


class _Link:
    """One client's connection, and ours to the server on its behalf."""

    def __init__(self, proxy: FaultProxy, client: socket.socket, faults: Faults) -> None:
        self.swallowed = False
        self._proxy = proxy
        self._client = _plain(client)
        self._server = _plain(socket.socket())
        self._task: asyncio.Task[None] | None = None
        self._left: dict[Direction, int] = {}
        self.begin(faults)

    def begin(self, faults: Faults) -> None:
        """A fault begins: count anew what may still be carried."""
        self._left = {} if faults.cut is None else {faults.cut.direction: faults.cut.after}

    def start(self, server: tuple[str, int]) -> None:
        """Connect to the server and carry."""
        self._task = asyncio.create_task(self._run(server))

    def swallow(self) -> bool:
        """Carry nothing any more and leave both ends open; whether this is new."""
        before, self.swallowed = self.swallowed, True
        if self._task is not None:
            self._task.cancel()
        return not before

    async def end(self) -> None:
        """Reset both ends; return when that is done."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        self._close(self._client, self._server)

    async def _run(self, server: tuple[str, int]) -> None:
        """Carry until both directions have ended, or one was cut or failed."""
        cut = False
        try:
            await asyncio.get_running_loop().sock_connect(self._server, server)
            await _together(
                self._carry(self._client, self._server, "up"),
                self._carry(self._server, self._client, "down"),
            )
            self._close()
        except _CutOff as off:
            cut = True
            _finish(off.receiver)
            self._close(off.sender)
        except OSError:
            self._close(self._client, self._server)
        self._proxy._ended(self, lost=cut)

    async def _carry(self, source: socket.socket, sink: socket.socket, direction: Direction) -> None:
        chunks: Chunks = asyncio.Queue(CHUNKS_ON_THE_WAY)
        await _together(self._take(source, chunks), self._give(chunks, source, sink, direction))
        _finish(sink)

    async def _take(self, source: socket.socket, chunks: Chunks) -> None:
        loop = asyncio.get_running_loop()
        while True:
            data = await loop.sock_recv(source, CHUNK_BYTES)
            await chunks.put((loop.time(), data))
            if not data:
                return

    async def _give(
        self, chunks: Chunks, source: socket.socket, sink: socket.socket, direction: Direction
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            arrived, data = await chunks.get()
            await asyncio.sleep(arrived + self._proxy._delay() - loop.time())
            if not data:
                return
            while data:
                size = self._size(direction)
                part, data = data[:size], data[size:]
                await loop.sock_sendall(sink, part)
                self._proxy.carried[direction] += len(part)
                if direction in self._left:
                    self._left[direction] -= len(part)
                    if self._left[direction] == 0:
                        raise _CutOff(source, sink)
                await asyncio.sleep(self._pause(len(part)))

    def _size(self, direction: Direction) -> int:
        """How many bytes to send at a time now."""
        faults = self._proxy.faults
        limits = [CHUNK_BYTES, self._left.get(direction, CHUNK_BYTES), faults.segment or CHUNK_BYTES]
        if faults.bandwidth:
            limits.append(max(1, int(faults.bandwidth / SLICES_PER_SECOND)))
        return min(limits)

    def _pause(self, sent: int) -> float:
        bandwidth = self._proxy.faults.bandwidth
        return sent / bandwidth if bandwidth else 0.0

    def _close(self, *reset: socket.socket) -> None:
        """Close both ends, those in `reset` with RST."""
        for end in (self._client, self._server):
            if end in reset:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
            end.close()


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Await all; when one fails, cancel the others and raise its error as it is."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
        for task in ended:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _plain(end: socket.socket) -> socket.socket:
    """Not blocking, and each send a segment of its own."""
    end.setblocking(False)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def _finish(sink: socket.socket) -> None:
    """Pass on the end of the stream."""
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _bound(port: int) -> socket.socket:
    """A socket that shares this loopback port with others of ours; 0: any port."""
    place = socket.socket()
    place.setblocking(False)
    place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    place.bind(("127.0.0.1", port))
    return place
