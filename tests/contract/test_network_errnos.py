"""The virtual network gives the errors that the kernel gives: one body, two carriers.

Each scenario plays on trio streams and sockets at 127.0.0.1 and tells what it saw; what it must
see is written once. On the carrier ``virtual`` trio's sockets are ours, on ``kernel`` real TCP.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import struct
import termios
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
import trio.testing

from chaoscheck.history.trace import Trace
from chaoscheck.world.choices import ScriptedChoices
from chaoscheck.world.clock import VirtualClock
from chaoscheck.world.network.virtual.network import VirtualNetwork
from chaoscheck.world.network.virtual.socket import VirtualSocket

HERE = "127.0.0.1"
ABORTIVE = struct.pack("ii", 1, 0)  # SO_LINGER: on, 0 seconds
POLLS_MAX = 20_000  # of a condition that loopback TCP meets within microseconds

Seen = object  # bytes that were read, a count, "ok", or (exception class, errno of its cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two ends of one fresh connection."""

    client: trio.SocketStream
    server: trio.SocketStream


async def saw(operation: Awaitable[object]) -> Seen:
    """What ``operation`` gives, or the class of its error and the errno behind it."""
    try:
        result = await operation
    except (OSError, trio.BrokenResourceError, trio.ClosedResourceError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        return type(error).__name__, getattr(cause, "errno", None)
    return "ok" if result is None else result


async def until(condition: Callable[[], bool]) -> None:
    """Let others run until ``condition`` holds; the kernel may need a moment."""
    for _ in range(POLLS_MAX):
        if condition():
            return
        await trio.lowlevel.checkpoint()
    raise AssertionError("the condition never held")


def is_acknowledged(stream: trio.SocketStream) -> bool:
    """Whether the peer's kernel has all that was sent; virtual segments arrive at once."""
    if isinstance(stream.socket, VirtualSocket):
        return True
    unsent = fcntl.ioctl(stream.socket.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    return int.from_bytes(unsent, "little") == 0


def has_peer(end: trio.socket.SocketType) -> bool:
    """Whether the kernel still counts it as connected: not once a RST has arrived."""
    try:
        end.getpeername()
    except OSError:
        return False
    return True


async def reset(stream: trio.SocketStream) -> None:
    """Send RST once everything sent is acknowledged."""
    await until(lambda: is_acknowledged(stream))
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORTIVE)
    await stream.aclose()


@asynccontextmanager
async def connected() -> AsyncGenerator[Ends]:
    [listener] = await trio.open_tcp_listeners(0, host=HERE)
    async with listener:
        client = await trio.open_tcp_stream(HERE, listener.socket.getsockname()[1])
        server = await listener.accept()
    async with client, server:
        yield Ends(client=client, server=server)


async def refused() -> list[Seen]:
    [listener] = await trio.open_tcp_listeners(0, host=HERE)
    address = listener.socket.getsockname()
    await listener.aclose()
    with trio.socket.socket() as client:
        return [
            await saw(client.connect(address)),
            await saw(client.recv(1)),
            await saw(client.send(b"x")),
        ]


async def reset_before_any_byte() -> list[Seen]:
    async with connected() as ends:
        await reset(ends.server)
        await until(ends.client.socket.is_readable)
        receive, send = ends.client.receive_some, ends.client.send_all
        return [await saw(receive()), await saw(receive()), await saw(send(b"x"))]


async def send_after_reset() -> list[Seen]:
    async with connected() as ends:
        await reset(ends.server)
        await until(ends.client.socket.is_readable)
        receive, send = ends.client.receive_some, ends.client.send_all
        return [await saw(send(b"x")), await saw(send(b"x")), await saw(receive())]


async def reset_while_receiving() -> list[Seen]:
    async with connected() as ends:
        found: list[Seen] = []

        async def receive() -> None:
            found.append(await saw(ends.client.receive_some()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await reset(ends.server)
        return found


async def reset_after_partial_data_was_read() -> list[Seen]:
    async with connected() as ends:
        await ends.server.send_all(b"hello")
        first = await saw(ends.client.receive_some(2))
        await reset(ends.server)
        receive = ends.client.receive_some
        return [first, await saw(receive()), await saw(receive()), await saw(receive())]


async def reset_after_own_fin() -> list[Seen]:
    async with connected() as ends:
        await ends.client.send_eof()
        await reset(ends.server)
        await until(ends.client.socket.is_readable)
        return [await saw(ends.client.receive_some()), await saw(ends.client.receive_some())]


async def what_a_reset_socket_knows() -> list[Seen]:
    async with connected() as ends:
        await reset(ends.server)
        client = ends.client.socket
        await until(client.is_readable)
        await client.wait_writable()

        async def peer() -> object:
            return client.getpeername()

        async def shut_down() -> None:
            client.shutdown(socket.SHUT_WR)

        codes = [client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) for _ in range(2)]
        return [*codes, await saw(peer()), await saw(shut_down()), await saw(client.recv(1))]


async def fin() -> list[Seen]:
    async with connected() as ends:
        await ends.server.send_all(b"bye")
        await ends.server.aclose()
        receive = ends.client.receive_some
        return [await saw(receive()), await saw(receive()), await saw(receive())]


async def half_close() -> list[Seen]:
    async with connected() as ends:
        await ends.server.send_eof()
        end = await saw(ends.client.receive_some())
        sent = await saw(ends.client.send_all(b"still here"))
        got = await saw(ends.server.receive_some())
        await ends.client.send_eof()
        return [end, sent, got, await saw(ends.server.receive_some())]


async def send_to_a_closed_peer() -> list[Seen]:
    async with connected() as ends:
        await ends.server.aclose()
        await until(ends.client.socket.is_readable)
        client = ends.client.socket
        first = await saw(ends.client.send_all(b"x"))
        await until(lambda: not has_peer(client))
        receive, send = ends.client.receive_some, ends.client.send_all
        return [first, await saw(receive()), await saw(send(b"x")), await saw(receive())]


async def close_with_unread_data() -> list[Seen]:
    async with connected() as ends:
        await ends.client.send_all(b"never read")
        await until(ends.server.socket.is_readable)
        await ends.server.aclose()
        await until(ends.client.socket.is_readable)
        return [await saw(ends.client.receive_some()), await saw(ends.client.receive_some())]


async def send_after_own_shutdown() -> list[Seen]:
    async with connected() as ends:
        await ends.client.send_eof()
        stream = await saw(ends.client.send_all(b"x"))
        raw = await saw(ends.client.socket.send(b"x"))
        again = await saw(ends.client.send_eof())
        await ends.server.send_all(b"you can still hear me")
        return [stream, raw, again, await saw(ends.client.receive_some())]


async def shutdown_for_reading() -> list[Seen]:
    async with connected() as ends:
        await ends.server.send_all(b"early")
        await until(ends.client.socket.is_readable)
        ends.client.socket.shutdown(socket.SHUT_RD)
        receive = ends.client.receive_some
        return [await saw(receive()), await saw(receive()), await saw(ends.client.send_all(b"x"))]


async def local_close_while_receiving() -> list[Seen]:
    async with connected() as ends:
        found: list[Seen] = []

        async def receive() -> None:
            found.append(await saw(ends.client.receive_some()))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            await trio.testing.wait_all_tasks_blocked()
            await ends.client.aclose()
        found.append(await saw(ends.client.receive_some()))
        found.append(await saw(ends.client.send_all(b"x")))
        found.append(await saw(ends.client.socket.recv(1)))
        return found


async def local_close_while_accepting() -> list[Seen]:
    [listener] = await trio.open_tcp_listeners(0, host=HERE)
    found: list[Seen] = []

    async def accept() -> None:
        found.append(await saw(listener.accept()))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        await listener.aclose()
    return [*found, await saw(listener.accept())]


async def listener_closed_before_accepting() -> list[Seen]:
    [listener] = await trio.open_tcp_listeners(0, host=HERE)
    address = listener.socket.getsockname()
    client = await trio.open_tcp_stream(*address)
    async with client:
        await until(listener.socket.is_readable)
        await listener.aclose()
        await until(client.socket.is_readable)
        with trio.socket.socket() as late:
            return [await saw(client.receive_some()), await saw(late.connect(address))]


async def second_receiver() -> list[Seen]:
    async with connected() as ends:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ends.client.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            with pytest.raises(trio.BusyResourceError):
                await ends.client.receive_some()
            nursery.cancel_scope.cancel()
        await ends.server.send_all(b"nothing was lost")
        return [await saw(ends.client.receive_some())]


async def unconnected_socket() -> list[Seen]:
    with trio.socket.socket() as fresh:

        async def peer() -> object:
            return fresh.getpeername()

        async def shut_down() -> None:
            fresh.shutdown(socket.SHUT_RDWR)

        return [
            await saw(fresh.recv(1)),
            await saw(fresh.send(b"x")),
            await saw(peer()),
            await saw(shut_down()),
            await saw(fresh.accept()),
            fresh.getsockname(),
            fresh.is_readable(),
        ]


async def misplaced_calls() -> list[Seen]:
    async with connected() as ends:
        with trio.socket.socket() as first, trio.socket.socket() as second:
            await first.bind((HERE, 0))
            return [
                await saw(ends.server.socket.connect((HERE, 1))),
                await saw(second.bind(first.getsockname())),
                await saw(second.bind(("203.0.113.7", 0))),
                await saw(first.bind((HERE, 0))),
            ]


RESET = ("BrokenResourceError", errno.ECONNRESET)
PIPE = ("BrokenResourceError", errno.EPIPE)
CLOSED = ("ClosedResourceError", None)
REFUSED = ("ConnectionRefusedError", errno.ECONNREFUSED)
PIPE_ITSELF = ("BrokenPipeError", errno.EPIPE)
NOT_CONNECTED = ("OSError", errno.ENOTCONN)

PROMISES: list[tuple[Callable[[], Awaitable[list[Seen]]], list[Seen]]] = [
    (refused, [REFUSED, b"", PIPE_ITSELF]),
    (reset_before_any_byte, [RESET, b"", PIPE]),
    (send_after_reset, [RESET, PIPE, b""]),
    (reset_while_receiving, [RESET]),
    (reset_after_partial_data_was_read, [b"he", b"llo", RESET, b""]),
    (reset_after_own_fin, [RESET, b""]),
    (what_a_reset_socket_knows, [errno.ECONNRESET, 0, NOT_CONNECTED, NOT_CONNECTED, b""]),
    (fin, [b"bye", b"", b""]),
    (half_close, [b"", "ok", b"still here", b""]),
    (send_to_a_closed_peer, ["ok", b"", PIPE, b""]),
    (close_with_unread_data, [RESET, b""]),
    (send_after_own_shutdown, [CLOSED, PIPE_ITSELF, "ok", b"you can still hear me"]),
    (shutdown_for_reading, [b"early", b"", "ok"]),
    (local_close_while_receiving, [CLOSED, CLOSED, CLOSED, ("OSError", errno.EBADF)]),
    (local_close_while_accepting, [CLOSED, CLOSED]),
    (listener_closed_before_accepting, [RESET, REFUSED]),
    (second_receiver, [b"nothing was lost"]),
    (
        unconnected_socket,
        [
            NOT_CONNECTED,
            PIPE_ITSELF,
            NOT_CONNECTED,
            NOT_CONNECTED,
            ("OSError", errno.EINVAL),
            ("0.0.0.0", 0),
            True,
        ],
    ),
    (
        misplaced_calls,
        [
            ("OSError", errno.EISCONN),
            ("OSError", errno.EADDRINUSE),
            ("OSError", errno.EADDRNOTAVAIL),
            ("OSError", errno.EINVAL),
        ],
    ),
]


def install_virtual_network() -> None:
    clock = VirtualClock()
    trace = Trace(clock.current_time)
    VirtualNetwork(clock=clock, choices=ScriptedChoices(), trace=trace).install()


@pytest.mark.parametrize("carrier", ["virtual", "kernel"])
@pytest.mark.parametrize(
    ("scenario", "promised"), PROMISES, ids=[scenario.__name__ for scenario, _ in PROMISES]
)
def test_an_error_is_the_one_that_the_kernel_gives(
    scenario: Callable[[], Awaitable[list[Seen]]], promised: list[Seen], carrier: str
) -> None:
    """What my code sees when a connection breaks is the same in the virtual world and on TCP."""

    async def play() -> list[Seen]:
        if carrier == "virtual":
            install_virtual_network()
        return await scenario()

    assert promised == trio.run(play)
