"""The fault proxy does what it is told, and to bytes nothing else: the tests of links stand on it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.sandbox.process import answers
from tests.helpers import eventually, free_port
from tests.servers.proxy import Cut, FaultProxy, Faults

DATA = bytes(range(256)) * 1024  # more than one chunk


@dataclass
class Echo:
    """A server that sends back what it gets; `pieces` as they came, `broken` counts resets."""

    address: tuple[str, int] = ("", 0)
    pieces: list[bytes] = field(default_factory=list)
    broken: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(65536):
                self.pieces.append(piece)
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            self.broken += 1
        finally:
            writer.close()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    made = Echo()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.address = server.sockets[0].getsockname()
    yield made
    server.close()
    await server.wait_closed()


@pytest.fixture
async def proxy(echo: Echo) -> AsyncIterator[FaultProxy]:
    async with FaultProxy(echo.address) as made:
        yield made


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def echoed(self, data: bytes) -> bytes:
        """What comes back for this."""
        self.writer.write(data)
        return await self.reader.readexactly(len(data))


@asynccontextmanager
async def client_of(proxy: FaultProxy) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection(*proxy.address)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def test_without_faults_all_bytes_pass_unchanged_and_the_end_behind_them(proxy: FaultProxy) -> None:
    async with client_of(proxy) as client:
        client.writer.write(DATA)
        client.writer.write_eof()

        assert await client.reader.read(-1) == DATA
    await eventually(lambda: proxy.open_now == 0)
    assert (proxy.opened, proxy.lost, proxy.carried) == (1, 0, {"up": len(DATA), "down": len(DATA)})


async def test_latency_delays_each_way_and_jitter_keeps_the_order(proxy: FaultProxy) -> None:
    loop = asyncio.get_running_loop()
    async with client_of(proxy) as client:
        proxy.suffer(Faults(latency=0.05, jitter=0.02))
        started = loop.time()
        for number in range(20):
            client.writer.write(b"%04d" % number)
            await asyncio.sleep(0)
        came = await client.reader.readexactly(80)

        assert came == b"".join(b"%04d" % number for number in range(20))
        assert loop.time() - started >= 0.1


def test_the_same_seed_gives_the_same_jitter() -> None:
    def delays(seed: str) -> list[float]:
        proxy = FaultProxy(("127.0.0.1", 1), seed=seed)
        proxy._faults = Faults(jitter=1.0)
        return [proxy._delay() for _ in range(5)]

    assert delays("one") == delays("one") != delays("two")


async def test_a_reset_reaches_both_sides_and_the_next_connection_works(
    proxy: FaultProxy, echo: Echo
) -> None:
    async with client_of(proxy) as client, client_of(proxy) as next_one:
        await client.echoed(b"hello")
        await next_one.echoed(b"hello")
        assert await proxy.reset() == 2
        with pytest.raises(ConnectionResetError):
            await client.reader.read(1)
    await eventually(lambda: echo.broken == 2)
    async with client_of(proxy) as client:
        assert await client.echoed(b"hello") == b"hello"
    assert proxy.lost == 2


async def test_what_went_into_a_black_hole_stays_there_and_new_connections_work_when_it_is_healed(
    proxy: FaultProxy, echo: Echo
) -> None:
    async with client_of(proxy) as before:
        await before.echoed(b"hello")
        proxy.suffer(Faults(black_hole=True))
        async with client_of(proxy) as during:
            waiting = [asyncio.create_task(one.echoed(b"lost")) for one in (before, during)]
            await eventually(lambda: proxy.lost == 2)
            proxy.heal()
            async with client_of(proxy) as after:
                assert await after.echoed(DATA) == DATA
            assert [task.done() for task in waiting] == [False, False]
            assert b"lost" not in echo.pieces

            await proxy.reset()
            for task in waiting:
                with pytest.raises(ConnectionResetError):
                    await task


async def test_one_byte_at_a_time_is_a_segment_for_each(proxy: FaultProxy, echo: Echo) -> None:
    async with client_of(proxy) as client:
        proxy.suffer(Faults(segment=1))

        assert await client.echoed(DATA[:256]) == DATA[:256]
    assert len(echo.pieces) > 64  # one event loop carries and reads: a few bytes may meet, no more


async def test_bandwidth_is_the_most_that_passes_in_a_second(proxy: FaultProxy) -> None:
    loop = asyncio.get_running_loop()
    async with client_of(proxy) as client:
        proxy.suffer(Faults(bandwidth=20_000))
        started = loop.time()

        assert await client.echoed(DATA[:4000]) == DATA[:4000]
        assert loop.time() - started >= 3600 / 20_000


async def test_new_connections_are_refused_while_open_ones_go_on(proxy: FaultProxy) -> None:
    async with client_of(proxy) as client:
        await client.echoed(b"hello")
        proxy.suffer(Faults(refuse=True))
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*proxy.address)
        assert await client.echoed(b"still here") == b"still here"

        proxy.heal()
        async with client_of(proxy) as again:
            assert await again.echoed(b"hello") == b"hello"


@pytest.mark.parametrize("after", [1, 70_000])
async def test_a_cut_upwards_gives_the_server_so_many_bytes_and_resets_the_client(
    proxy: FaultProxy, echo: Echo, after: int
) -> None:
    proxy.suffer(Faults(cut=Cut("up", after)))
    async with client_of(proxy) as client:
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.echoed(DATA)
    await eventually(lambda: b"".join(echo.pieces) == DATA[:after])
    assert proxy.lost == 1


async def test_a_cut_downwards_gives_the_client_so_many_bytes_and_the_end(proxy: FaultProxy) -> None:
    async with client_of(proxy) as client:
        await client.echoed(b"not counted")
        proxy.suffer(Faults(cut=Cut("down", 5)))
        client.writer.write(b"hello, world")

        assert await client.reader.read(-1) == b"hello"


async def test_a_server_that_is_not_there_is_a_reset() -> None:
    async with FaultProxy(("127.0.0.1", free_port())) as proxy, client_of(proxy) as client:
        with pytest.raises(ConnectionResetError):
            await client.reader.read(1)


async def test_when_the_test_ends_nobody_listens_and_no_connection_is_open(echo: Echo) -> None:
    async with FaultProxy(echo.address) as proxy, client_of(proxy) as client:
        await client.echoed(b"hello")

    assert not answers(proxy.port)
    assert proxy.open_now == 0
