"""LoopbackWorld: the kernel's TCP in virtual time, and nothing of it left afterwards."""

from __future__ import annotations

import errno
import os
import resource
import socket

import pytest
import trio
import trio.testing

from chaoscheck.errors import Deadlock, Escape, WorldError
from tests.unit.world.loopback_lab import HOST, echo, opened, serve, speak

MEGABYTE = b"x" * 1_000_000


# ---------------------------------------------------------------------------- time


def cpu_s() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def test_a_minute_of_waiting_costs_milliseconds() -> None:
    """A backoff of 60 s between two requests on real TCP is over at once."""

    async def back_off() -> None:
        await speak()
        await trio.sleep(60)
        await speak()

    with opened() as world:
        serve(world, echo)
        began_s = cpu_s()
        world.run(back_off)

        assert 60.0 == world.now
        assert cpu_s() - began_s < 0.2


def test_large_bodies_in_both_directions_cost_no_virtual_time() -> None:
    """A time-out of a millisecond never fires only because the kernel moves a megabyte."""

    async def speak_in_time() -> bytes:
        with trio.fail_after(0.001):
            return await speak(MEGABYTE)

    with opened() as world:
        serve(world, echo)
        for _ in range(3):
            assert MEGABYTE == world.run(speak_in_time)
        assert 0.0 == world.now


def test_a_world_where_nothing_can_happen_says_who_waits() -> None:
    """A client that waits for ever on a silent server is a deadlock with its name.

    Slow (0.3 s): real sockets must be silent for a while before that is certain.
    """

    async def wait_for_an_answer() -> None:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            await stream.receive_some()

    async def say_nothing(stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    with opened() as world, pytest.raises(Deadlock, match="wait_for_an_answer"):
        serve(world, say_nothing)
        world.run(wait_for_an_answer)


# ---------------------------------------------------------------------------- what is left


def descriptors() -> int:
    """How many file descriptors this process has open."""
    return len(os.listdir("/dev/fd"))


async def leave_all_behind(left: list[object]) -> None:
    """Open sockets of every kind, and close none."""
    left.append(trio.socket.socket())
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    stream = await trio.open_tcp_stream(*listener.socket.getsockname())
    left.extend([listener, stream, await trio.open_tcp_stream(HOST, 80)])
    with pytest.raises(OSError, match="connect"):
        await trio.open_tcp_stream(HOST, 81)


@pytest.mark.parametrize("ending", ["well", "by an error", "by a cut", "by a reset"])
def test_a_world_leaves_no_descriptor_behind(ending: str) -> None:
    """However a world ends, what its tasks forgot to close is closed, and nobody warns."""
    before = descriptors()
    for _ in range(2):
        left: list[object] = []
        with pytest.raises(ZeroDivisionError), opened() as world:
            serve(world, echo)
            world.run(leave_all_behind, left)
            world.start(speak, MEGABYTE)
            world.settle()
            if ending == "by a cut":
                world.network.cut(HOST)
                world.start(speak)
            if ending == "by a reset":
                world.network.reset(HOST)
            if ending != "by an error":
                world.settle()
            raise ZeroDivisionError

    assert before == descriptors()


def test_thousands_of_connections_leave_nothing_in_the_network() -> None:
    """A long run does not grow: a connection that is over is forgotten.

    Slow (about 0.5 s): a thousand connections of the kernel.
    """

    async def speak_often() -> None:
        for _ in range(1_000):
            await speak()

    with opened() as world:
        serve(world, echo)
        before = descriptors()
        world.run(speak_often)
        world.settle()
        listening = [found.what for found in world.network.open_sockets()]

        assert ([], [f"listener on {HOST}:80"]) == (world.network.connections(), listening)
        assert descriptors() == before


def test_a_closed_world_is_silent() -> None:
    """After the end no socket is made, and a second world starts afresh."""
    with opened() as world:
        network = world.network
    with pytest.raises(OSError, match="Network is down"):
        network.socket()
    network.close()

    with opened() as second:
        serve(second, echo)
        assert b"hello" == second.run(speak)


def test_a_task_that_unwinds_can_open_nothing() -> None:
    """Clean-up code of a closing world that tries to connect gets an OSError."""
    codes: list[int | None] = []

    async def reconnect_when_cancelled() -> None:
        try:
            await trio.sleep_forever()
        finally:
            with pytest.raises(OSError, match="down") as caught:
                trio.socket.socket()
            codes.append(caught.value.errno)

    with opened() as world:
        world.start(reconnect_when_cancelled)
        world.settle()

    assert [errno.ENETDOWN] == codes


# ---------------------------------------------------------------------------- escapes


def test_a_real_socket_beyond_loopback_is_an_escape() -> None:
    """Code that would talk to the internet is stopped, with its file and line."""

    async def phone_home() -> None:
        with socket.socket() as real:
            real.connect(("192.0.2.1", 80))

    with opened() as world, pytest.raises(Escape, match=r"test_loopback_world\.py"):
        world.run(phone_home)


def test_a_real_socket_on_loopback_is_allowed() -> None:
    """A server on a socket of the standard library stands in the world, at its real port."""

    async def meet() -> bytes:
        real = socket.create_server(("127.0.0.1", 0))
        port = real.getsockname()[1]
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(real))
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, echo, [listener])
            said = await speak(b"real", "127.0.0.1", port)
            nursery.cancel_scope.cancel()
        return said

    with opened() as world:
        assert b"real" == world.run(meet)
        assert [] == world.network.connections()


def test_a_client_outside_can_be_told_where_a_host_listens() -> None:
    """A client that is not of this world reaches a host at its real address, unhindered by cuts."""

    async def speak_for_real() -> bytes:
        address = world.network.real_address(HOST, 80)
        with socket.create_connection(address or ("", 0)) as outside:
            outside.sendall(b"out there")
            await trio.lowlevel.wait_readable(outside)
            return outside.recv(99)

    with opened() as world:
        serve(world, echo)
        world.network.cut(HOST)

        assert b"out there" == world.run(speak_for_real)
        assert None is world.network.real_address(HOST, 81)


@pytest.mark.parametrize(
    ("family", "kind", "error"),
    [
        (socket.AF_INET6, socket.SOCK_STREAM, OSError),
        (socket.AF_INET, socket.SOCK_DGRAM, WorldError),
        (socket.AF_UNIX, socket.SOCK_STREAM, WorldError),
    ],
)
def test_other_sockets_are_refused(family: int, kind: int, error: type[Exception]) -> None:
    """What no link could carry is an error, not a hole in the world."""

    async def make() -> None:
        trio.socket.socket(family, kind)

    with opened() as world, pytest.raises(error):
        world.run(make)


@pytest.mark.parametrize("call", ["dup", "detach"])
def test_what_would_pass_by_the_links_is_refused(call: str) -> None:
    """No method of a socket receives data that a cut should have held."""

    async def try_it() -> None:
        with trio.socket.socket() as made:
            getattr(made, call)()

    with opened() as world, pytest.raises(OSError, match=call) as caught:
        world.run(try_it)

    assert errno.EOPNOTSUPP == caught.value.errno
