"""CPU per request through httpx's API, 32 at once: httpx's own pool against our fast transport.

On TCP the server is another process and costs us nothing; in the virtual world client, network
and server share one thread, and all of it counts. Run as a program, this file is that server.
"""

from __future__ import annotations

import asyncio
import gc
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import trio

from chaoscheck.wire.fast_transport import FastTransport
from chaoscheck.world.virtual import VirtualWorld
from cpu_clock import cpu_s
from metric import Metric

CONCURRENT = 32
REQUESTS = 1600  # of one measurement
ROUNDS = 5
PATH = "/v1/chat/completions"
QUESTION = {"model": "m", "messages": [{"role": "user", "content": "hello number 17"}]}
BODY = b'{"id":"chatcmpl-1","choices":[{"message":{"role":"assistant","content":"hello"}}]}'
ANSWER = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-request-id: req_1\r\n"
    b"content-length: %d\r\n\r\n%b" % (len(BODY), BODY)
)

Make = Callable[[httpx.Limits], httpx.AsyncBaseTransport]
Measure = Callable[[httpx.AsyncBaseTransport], float]


def _own(limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    return httpx.AsyncHTTPTransport(verify=False, limits=limits)


def _fast(limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    return FastTransport(verify=False, limits=limits)


async def _cpu_us(transport: httpx.AsyncBaseTransport, url: str) -> float:
    """Microseconds of CPU per request, once every connection is open."""

    async def agent(client: httpx.AsyncClient, requests: int) -> None:
        for _ in range(requests):
            (await client.post(url, json=QUESTION)).raise_for_status()

    async def all_agents(client: httpx.AsyncClient, requests: int) -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(CONCURRENT):
                nursery.start_soon(agent, client, requests // CONCURRENT)

    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        await all_agents(client, CONCURRENT)
        gc.collect()
        before = cpu_s()
        await all_agents(client, REQUESTS)
        return (cpu_s() - before) / REQUESTS * 1e6


@contextmanager
def _over_tcp() -> Iterator[Measure]:
    server = subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    url = f"http://127.0.0.1:{int(server.stdout.readline())}{PATH}"
    try:
        yield lambda transport: trio.run(_cpu_us, transport, url)
    finally:
        server.communicate()


@contextmanager
def _in_virtual_world() -> Iterator[Measure]:
    def measure(transport: httpx.AsyncBaseTransport) -> float:
        with VirtualWorld() as world:
            world.network.add_host("api.test")
            listeners = world.run(world.network.listen, "api.test", 80)
            world.spawn(trio.serve_listeners, _answer, listeners)
            return world.run(_cpu_us, transport, f"http://api.test{PATH}")

    yield measure


async def _answer(stream: trio.SocketStream) -> None:
    """The cheapest server: a request is whole when its head's length is there."""
    data = b""
    while more := await stream.receive_some():
        data += more
        if _is_whole(data):
            data = b""
            await stream.send_all(ANSWER)


def _is_whole(data: bytes) -> bool:
    head, _, body = data.partition(b"\r\n\r\n")
    at = head.find(b"Content-Length: ")
    return at >= 0 and len(body) == int(head[at + 16 :].split(b"\r\n", 1)[0])


def _medians(measure: Measure, limits: httpx.Limits) -> tuple[float, float]:
    """Own pool and ours in microseconds: medians of rounds that take turns."""
    rounds = [(measure(_own(limits)), measure(_fast(limits))) for _ in range(ROUNDS)]
    return statistics.median(own for own, _ in rounds), statistics.median(us for _, us in rounds)


def transport_metrics() -> Iterator[Metric]:
    """Per carrier: our CPU per request, and how many times as much httpx's own pool takes."""
    as_by_default = httpx.Limits(max_connections=100, max_keepalive_connections=20)
    all_idle = httpx.Limits(max_connections=CONCURRENT, max_keepalive_connections=CONCURRENT)
    over: list[tuple[str, Callable[[], AbstractContextManager[Measure]], httpx.Limits]] = [
        ("TCP", _over_tcp, as_by_default),
        ("TCP, 32 kept alive", _over_tcp, all_idle),
        ("virtual", _in_virtual_world, all_idle),
    ]
    for name, carrier, limits in over:
        with carrier() as measure:
            own_us, fast_us = _medians(measure, limits)
        yield Metric(
            name=f"fast transport, {name} (httpx's pool: {own_us:.0f})",
            value=fast_us,
            unit="us/req",
            target=own_us / 4.5,
            at_least=False,
        )


class _Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._data = b""

    def data_received(self, data: bytes) -> None:
        self._data += data
        if _is_whole(self._data):
            self._data = b""
            self._transport.write(ANSWER)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until whoever started us is done


if __name__ == "__main__":
    asyncio.run(_serve())
