"""``socket.socket`` in a world answers as the kernel's does: one body, two carriers.

Each scenario uses non-blocking sockets of the standard library, waits by ``trio.lowlevel`` and
tells what it saw; what it must see is written once. On the carrier ``virtual`` the sockets are a
world's, on ``kernel`` real TCP.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

import pytest
import trio
from trio.lowlevel import wait_readable, wait_writable

from chaoscheck.world.virtual import VirtualWorld

HERE = "127.0.0.1"
LINGERS = struct.pack("ii", 1, 0)

Address = tuple[str, int]
Seen = object  # a value, or the name of an errno


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The two ends of one fresh connection, and the socket that accepted it."""

    client: socket.socket
    server: socket.socket
    listener: socket.socket


def saw(call: Callable[..., object], *args: object) -> Seen:
    """What ``call`` gives, or the name of its error's code."""
    try:
        result = call(*args)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok" if result is None else result


def fresh() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    return made


def error_of(sock: socket.socket) -> int:
    return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def begin_connect(client: socket.socket, address: Address) -> Seen:
    return errno.errorcode.get(client.connect_ex(address), "connected")


@asynccontextmanager
async def connected(
    prepare: Callable[[socket.socket], None] = lambda _: None,
) -> AsyncGenerator[Ends]:
    with fresh() as listener, fresh() as client:
        prepare(listener)
        listener.bind((HERE, 0))
        listener.listen()
        client.connect_ex(listener.getsockname())
        await wait_writable(client)
        await wait_readable(listener)
        server, _ = listener.accept()
        server.setblocking(False)
        with server:
            yield Ends(client=client, server=server, listener=listener)


@asynccontextmanager
async def closed_port() -> AsyncGenerator[Address]:
    """Where nobody listens, and nobody else can: bound, and not listening."""
    with fresh() as taken:
        taken.bind((HERE, 0))
        yield taken.getsockname()


async def asking_a_connect_how_it_ended() -> list[Seen]:
    with fresh() as listener, fresh() as client:
        listener.bind((HERE, 0))
        listener.listen()
        address = listener.getsockname()
        first = begin_connect(client, address)
        await wait_writable(client)
        return [first, error_of(client), *(begin_connect(client, address) for _ in range(3))]


async def asking_a_refused_connect_how_it_ended() -> list[Seen]:
    async with closed_port() as address:
        with fresh() as client:
            first = begin_connect(client, address)
            await wait_writable(client)
            second = begin_connect(client, address)
            received = saw(client.recv, 1)
            third = begin_connect(client, address)
            await wait_writable(client)
            code = error_of(client)
            return [first, second, received, third, code, begin_connect(client, address)]


async def reading_from_a_refused_connect() -> list[Seen]:
    async with closed_port() as address:
        with fresh() as client:
            client.connect_ex(address)
            await wait_writable(client)
            return [saw(client.recv, 1), saw(client.recv, 1), saw(client.send, b"x")]


async def writing_to_a_refused_connect() -> list[Seen]:
    async with closed_port() as address:
        with fresh() as client:
            client.connect_ex(address)
            await wait_writable(client)
            return [saw(client.send, b"x"), saw(client.send, b"x"), saw(client.recv, 1)]


async def connecting_a_connected_socket_with_trio() -> list[Seen]:
    [listener] = await trio.open_tcp_listeners(0, host=HERE)
    found: list[Seen] = []
    async with listener:
        with trio.socket.socket() as client:
            for _ in range(3):
                try:
                    await client.connect(listener.socket.getsockname())
                    found.append("ok")
                except OSError as error:
                    found.append(errno.errorcode[error.errno or 0])
    return found


async def connecting_an_accepted_socket() -> list[Seen]:
    async with connected() as ends:
        return [begin_connect(ends.server, ends.listener.getsockname())]


async def data_after_shutdown_in_both_directions() -> list[Seen]:
    async with connected() as ends:
        ends.server.shutdown(socket.SHUT_RDWR)
        await wait_readable(ends.client)
        first = saw(ends.client.send, b"x")
        while saw(ends.client.getpeername) != "ENOTCONN":
            await trio.lowlevel.checkpoint()
        server, client = ends.server, ends.client
        return [
            first,
            saw(server.recv, 1),
            saw(server.recv, 1),
            saw(server.send, b"x"),
            saw(server.getpeername),
            saw(client.recv, 1),
            saw(client.send, b"x"),
        ]


async def data_after_shutdown_for_reading() -> list[Seen]:
    async with connected() as ends:
        ends.server.shutdown(socket.SHUT_RD)
        ends.client.send(b"x")
        while saw(ends.server.recv, 1, socket.MSG_PEEK) != b"x":
            await trio.lowlevel.checkpoint()
        return [saw(ends.server.recv, 1), saw(ends.server.recv, 1), saw(ends.client.send, b"y")]


async def reading_nothing() -> list[Seen]:
    with fresh() as unconnected:
        before = [saw(unconnected.recv, 0), saw(unconnected.recv_into, bytearray())]
    after = [saw(unconnected.recv, 0), saw(unconnected.recvfrom, 0), saw(unconnected.recv, 1)]
    return [*before, *after]


async def what_accept_hands_on() -> list[Seen]:
    def prepare(listener: socket.socket) -> None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGERS)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 20_000)

    async with connected(prepare) as ends:
        get = ends.server.getsockopt
        return [
            get(socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            get(socket.IPPROTO_TCP, socket.TCP_NODELAY),
            get(socket.SOL_SOCKET, socket.SO_LINGER, 8),
            get(socket.SOL_SOCKET, socket.SO_RCVBUF),
        ]


async def sizes_of_buffers() -> list[Seen]:
    found: list[Seen] = []
    with fresh() as made:
        for name in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            for asked in (1, 10_000, 100_000):
                made.setsockopt(socket.SOL_SOCKET, name, asked)
                found.append(made.getsockopt(socket.SOL_SOCKET, name))
    return found


async def calls_with_several_buffers() -> list[Seen]:
    async with connected() as ends:
        client, server = ends.client, ends.server
        sent = [client.sendmsg([b"ab", bytearray(b"cd")]), client.sendto(b"ef", (HERE, 1))]
        sent.append(client.sendto(b"gh", 0, (HERE, 1)))
        while len(saw(server.recv, 8, socket.MSG_PEEK)) < 8:  # type: ignore[arg-type]
            await trio.lowlevel.checkpoint()
        first, second = bytearray(1), bytearray(3)
        return [
            *sent,
            server.recvmsg(1),
            server.recvfrom(1),
            server.recvmsg_into([first, second])[0],
            bytes(first + second),
            server.recvfrom_into(second, 2),
            bytes(second),
            saw(server.recvmsg, 1),
        ]


async def a_duplicate_outlives_its_original() -> list[Seen]:
    async with connected() as ends:
        twin = ends.client.dup()
        with twin:
            ends.client.close()
            sent = saw(twin.send, b"x")
            await wait_readable(ends.server)
            got = saw(ends.server.recv, 10)
            distinct = twin.fileno() not in (-1, ends.server.fileno())
        await wait_readable(ends.server)
        return [sent, got, distinct, saw(ends.server.recv, 1)]


async def a_detached_descriptor_is_taken_up_again() -> list[Seen]:
    async with connected() as ends:
        number = ends.client.detach()
        closed = [ends.client.fileno(), saw(ends.client.send, b"x")]
        with socket.socket(fileno=number) as again:
            again.setblocking(False)
            sent = saw(again.send, b"x")
            same = again.fileno() == number
        await wait_readable(ends.server)
        return [*closed, sent, same, saw(ends.server.recv, 1), saw(ends.server.recv, 1)]


async def a_socket_from_a_descriptor() -> list[Seen]:
    async with connected() as ends:
        with socket.fromfd(ends.client.fileno(), socket.AF_INET, socket.SOCK_STREAM) as twin:
            ends.client.close()
            twin.setblocking(False)
            return [saw(twin.send, b"x"), twin.type == socket.SOCK_STREAM]


async def trio_takes_it_over() -> list[Seen]:
    async with connected() as ends:
        stream = trio.SocketStream(trio.socket.from_stdlib_socket(ends.client))
        await stream.send_all(b"hello")
        await wait_readable(ends.server)
        got = saw(ends.server.recv, 10)
        ends.server.send(b"back")
        answer = await stream.receive_some()
        await stream.aclose()
        return [got, answer, ends.client.fileno()]


async def closing_tells_who_waits() -> list[Seen]:
    found: list[Seen] = []

    async def wait(sock: socket.socket) -> None:
        try:
            await wait_readable(sock)
        except trio.ClosedResourceError:
            found.append("closed")

    async with connected() as ends, trio.open_nursery() as nursery:
        nursery.start_soon(wait, ends.client)
        await trio.testing.wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await wait_readable(ends.client)
        trio.lowlevel.notify_closing(ends.client)
    return found


async def a_window_that_is_full() -> list[Seen]:
    async with connected() as ends:
        code = saw(ends.client.sendall, bytes(32 * 1024 * 1024))
        return [code, saw(ends.client.send, b"x")]


class Upper(socket.socket):
    """A library's own kind of socket."""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """In capitals."""
        return super().recv(bufsize, flags).upper()


async def a_subclass_keeps_its_methods() -> list[Seen]:
    async with connected() as ends:
        with Upper() as client:
            client.setblocking(False)
            client.connect_ex(ends.listener.getsockname())
            await wait_readable(ends.listener)
            server, _ = ends.listener.accept()
            with server:
                server.setblocking(False)
                server.send(b"quiet")
                await wait_readable(client)
                return [saw(client.recv, 10), isinstance(client, Upper)]


async def what_a_socket_says_of_itself() -> list[Seen]:
    with fresh() as made:
        return [
            isinstance(made, socket.socket),
            made.family == socket.AF_INET,
            made.type == socket.SOCK_STREAM,
            made.gettimeout(),
            made.getblocking(),
            made.get_inheritable(),
            made.getsockname(),
            saw(made.getpeername),
            saw(made.accept),
            saw(made.shutdown, socket.SHUT_RDWR),
            made.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_STREAM,
        ]


async def a_server_made_in_one_call() -> list[Seen]:
    with closing(socket.create_server((HERE, 0))) as listener:
        listener.setblocking(False)
        taken = saw(socket.create_server, listener.getsockname())
        return [saw(listener.accept), taken]


PROMISES: list[tuple[Callable[[], Awaitable[list[Seen]]], list[Seen]]] = [
    (asking_a_connect_how_it_ended, ["EINPROGRESS", 0, "connected", "EISCONN", "EISCONN"]),
    (
        asking_a_refused_connect_how_it_ended,
        [
            "EINPROGRESS", "ECONNREFUSED", "ENOTCONN", "EINPROGRESS", errno.ECONNREFUSED,
            "ECONNABORTED",
        ],
    ),
    (reading_from_a_refused_connect, ["ECONNREFUSED", b"", "EPIPE"]),
    (writing_to_a_refused_connect, ["ECONNREFUSED", "EPIPE", b""]),
    (connecting_a_connected_socket_with_trio, ["ok", "ok", "EISCONN"]),
    (connecting_an_accepted_socket, ["EISCONN"]),
    (
        data_after_shutdown_in_both_directions,
        [1, "ECONNRESET", b"", "EPIPE", "ENOTCONN", b"", "EPIPE"],
    ),
    (data_after_shutdown_for_reading, [b"x", b"", 1]),
    (reading_nothing, [b"", 0, b"", "EBADF", "EBADF"]),
    (what_accept_hands_on, [1, 1, LINGERS, 40_000]),
    (sizes_of_buffers, [4_608, 20_000, 200_000, 2_304, 20_000, 200_000]),
    (
        calls_with_several_buffers,
        [
            4, 2, 2, (b"a", [], 0, None), (b"b", None), 4, b"cdef", (2, None), b"ghf", "EAGAIN",
        ],
    ),
    (a_duplicate_outlives_its_original, [1, b"x", True, b""]),
    (a_detached_descriptor_is_taken_up_again, [-1, "EBADF", 1, True, b"x", b""]),
    (a_socket_from_a_descriptor, [1, True]),
    (trio_takes_it_over, [b"hello", b"back", -1]),
    (closing_tells_who_waits, ["closed"]),
    (a_window_that_is_full, ["EAGAIN", "EAGAIN"]),
    (a_subclass_keeps_its_methods, [b"QUIET", True]),
    (
        what_a_socket_says_of_itself,
        [
            True, True, True, 0.0, False, False, ("0.0.0.0", 0), "ENOTCONN", "EINVAL", "ENOTCONN",
            True,
        ],
    ),
    (a_server_made_in_one_call, ["EAGAIN", "EADDRINUSE"]),
]  # fmt: skip


@pytest.mark.parametrize("carrier", ["virtual", "kernel"])
@pytest.mark.parametrize(
    ("scenario", "promised"), PROMISES, ids=[scenario.__name__ for scenario, _ in PROMISES]
)
def test_a_socket_of_the_standard_library_answers_as_the_kernel_does(
    scenario: Callable[[], Awaitable[list[Seen]]], promised: list[Seen], carrier: str
) -> None:
    """A library that makes its own ``socket.socket`` sees the same in a world and on TCP."""
    if carrier == "kernel":
        assert promised == trio.run(scenario)
        return
    with VirtualWorld() as world:
        assert promised == world.run(scenario)
        assert [] == world.network.open_sockets()
