"""A loopback world with one host, an echo, and a client for it: for the tests of that world."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator

import trio

from chaoscheck.world.loopback import LoopbackWorld

__all__ = ["HOST", "echo", "opened", "serve", "speak"]

HOST = "api.test"


@contextlib.contextmanager
def opened() -> Iterator[LoopbackWorld]:
    """An open loopback world with one host."""
    with LoopbackWorld() as world:
        world.network.add_host(HOST)
        yield world


def serve(world: LoopbackWorld, handler: Callable[[trio.SocketStream], Awaitable[object]]) -> None:
    """Let ``handler`` answer at ``api.test:80``."""
    world.spawn(trio.serve_listeners, handler, world.run(world.network.listen, HOST, 80))


async def echo(stream: trio.SocketStream) -> None:
    """Say what was said, until the end, whichever it is."""
    with contextlib.suppress(trio.BrokenResourceError):
        async for data in stream:
            await stream.send_all(data)


async def speak(data: bytes = b"hello", host: str = HOST, port: int = 80) -> bytes:
    """Send ``data`` to an echo, read while it comes back, and hang up."""
    back = bytearray()
    async with await trio.open_tcp_stream(host, port) as stream, trio.open_nursery() as nursery:
        nursery.start_soon(stream.send_all, data)
        while len(back) < len(data):
            back += await stream.receive_some()
    return bytes(back)
