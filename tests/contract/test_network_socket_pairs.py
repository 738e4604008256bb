"""``socket.socketpair`` in a world answers as the kernel's does: one body, two carriers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import trio

from chaoscheck.world.virtual import VirtualWorld

if TYPE_CHECKING:
    from collections.abc import Iterator

Seen = object  # a value, or the name of an errno


def saw(call: Callable[..., object], *args: object) -> Seen:
    """What ``call`` gives, or the name of its error's code."""
    try:
        result = call(*args)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok" if result is None else result


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


async def identity() -> list[Seen]:
    with pair() as (left, right):
        return [
            left.family == socket.AF_UNIX,
            left.type == socket.SOCK_STREAM,
            left.proto,
            left.getsockname(),
            right.getpeername(),
            left.getsockopt(socket.SOL_SOCKET, socket.SO_DOMAIN) == socket.AF_UNIX,
            saw(left.setsockopt, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            saw(left.recv, 1),
        ]


async def talk_and_half_close() -> list[Seen]:
    with pair() as (left, right):
        left.send(b"hello")
        left.shutdown(socket.SHUT_WR)
        heard = [saw(right.recv, 2), saw(right.recv, 9), saw(right.recv, 1)]
        return [*heard, saw(left.send, b"x"), saw(right.send, b"back"), saw(left.recv, 9)]


async def reader_that_shut_down() -> list[Seen]:
    with pair() as (left, right):
        left.send(b"early")
        right.shutdown(socket.SHUT_RD)
        return [saw(left.send, b"x"), saw(right.recv, 9), saw(right.recv, 9), saw(right.send, b"y")]


async def peer_that_closed() -> list[Seen]:
    with pair() as (left, right):
        right.send(b"last words")
        right.close()
        sent = saw(left.send, b"x")
        return [sent, saw(left.recv, 99), saw(left.recv, 1), saw(left.getpeername)]


async def peer_that_closed_with_unread_data() -> list[Seen]:
    with pair() as (left, right):
        left.send(b"never read")
        right.send(b"last words")
        right.close()
        sent = saw(left.send, b"x")
        return [sent, saw(left.recv, 99), saw(left.recv, 1), saw(left.recv, 1)]


async def sender_that_waits_hears_of_the_close() -> list[Seen]:
    left, right = trio.socket.socketpair()
    found: list[Seen] = []

    async def send() -> None:
        try:
            while True:
                await left.send(bytes(100_000))
        except OSError as error:
            found.append(errno.errorcode[error.errno or 0])

    with left, right:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            right.close()
    return found


async def streams_of_trio() -> list[Seen]:
    left, right = map(trio.SocketStream, trio.socket.socketpair())
    async with left, right:
        await left.send_all(b"hello")
        await left.send_eof()
        return [await right.receive_some(), await right.receive_some()]


PROMISES: list[tuple[Callable[[], Awaitable[list[Seen]]], list[Seen]]] = [
    (identity, [True, True, 0, "", "", True, errno.errorcode[errno.EOPNOTSUPP], "EAGAIN"]),
    (talk_and_half_close, [b"he", b"llo", b"", "EPIPE", 4, b"back"]),
    (reader_that_shut_down, ["EPIPE", b"early", b"", 1]),
    (peer_that_closed, ["EPIPE", b"last words", b"", ""]),
    (peer_that_closed_with_unread_data, ["EPIPE", b"last words", "ECONNRESET", b""]),
    (sender_that_waits_hears_of_the_close, ["EPIPE"]),
    (streams_of_trio, [b"hello", b""]),
]


@pytest.mark.parametrize("carrier", ["virtual", "kernel"])
@pytest.mark.parametrize(
    ("scenario", "promised"), PROMISES, ids=[scenario.__name__ for scenario, _ in PROMISES]
)
def test_a_socket_pair_answers_as_the_kernels_does(
    scenario: Callable[[], Awaitable[list[Seen]]], promised: list[Seen], carrier: str
) -> None:
    """Code that talks to itself over a socket pair does so in a world as well."""
    if carrier == "kernel":
        assert promised == trio.run(scenario)
        return
    with VirtualWorld() as world:
        assert promised == world.run(scenario)
        assert [] == world.network.open_sockets()
