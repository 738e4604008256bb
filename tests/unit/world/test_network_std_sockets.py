"""What ``socket.socket`` is while a world is open, and what of it the world refuses."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from chaoscheck.errors import Escape, PlanError, WorldError
from chaoscheck.world.loopback import LoopbackWorld
from chaoscheck.world.network.virtual.std_socket import StdSocket
from chaoscheck.world.virtual import VirtualWorld
from chaoscheck.world.world import World
from tests.contract.worlds import on_both_worlds

HOST = "db.test"
KNOWN_HERE = Path(__file__).name


def non_blocking() -> socket.socket:
    made = socket.socket()
    made.setblocking(False)
    return made


def blocking_calls() -> list[Callable[[socket.socket], Any]]:
    def with_timeout(sock: socket.socket) -> None:
        sock.settimeout(5)
        sock.recv(1)

    def sendfile(sock: socket.socket) -> None:
        with Path(__file__).open("rb") as file:
            sock.sendfile(file)

    def read_file(sock: socket.socket) -> None:
        with sock.makefile("rb") as file:
            file.read(1)

    return [
        with_timeout,
        lambda sock: sock.recv(1),
        lambda sock: sock.recv_into(bytearray(1)),
        lambda sock: sock.recvfrom(1),
        lambda sock: sock.recvfrom_into(bytearray(1)),
        lambda sock: sock.recvmsg(1),
        lambda sock: sock.recvmsg_into([bytearray(1)]),
        lambda sock: sock.sendall(bytes(2**20)),
        sendfile,
        read_file,
        lambda sock: ssl.create_default_context().wrap_socket(sock, server_hostname=HOST),
    ]


@pytest.mark.parametrize("call", blocking_calls())
def test_a_call_that_would_block_is_an_escape_with_file_and_line(
    call: Callable[[socket.socket], Any],
) -> None:
    """Sync code that would stop the whole world is told where it does."""
    with pytest.raises(Escape, match=KNOWN_HERE), VirtualWorld():
        left, right = socket.socketpair()
        with left, right:
            call(left)


@pytest.mark.parametrize("timeout", [None, 5.0])
@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_a_blocking_connect_is_an_escape(name: str, timeout: float | None) -> None:
    """So a sync client is told at once, whatever the latency of the link."""
    with pytest.raises(Escape, match=KNOWN_HERE), VirtualWorld() as world:
        world.network.add_host(HOST)
        world.run(world.network.listen, HOST, 5432)
        with socket.socket() as sock:
            sock.settimeout(timeout)
            getattr(sock, name)((HOST, 5432))


def test_a_connection_made_in_one_call_blocks() -> None:
    """``socket.create_connection`` is for sync code."""
    with pytest.raises(Escape, match=r"a blocking socket \(connect\)"), VirtualWorld() as world:
        socket.create_connection((world.network.add_host(HOST), 5432))


def test_a_blocking_accept_is_an_escape() -> None:
    """Where nothing waits to be accepted."""
    with (
        pytest.raises(Escape, match=KNOWN_HERE),
        VirtualWorld(),
        socket.create_server(("127.0.0.1", 80)) as listener,
    ):
        listener.accept()


def test_a_blocking_call_that_has_its_answer_is_answered() -> None:
    """What is there is read, and what has room is sent, in any mode."""
    with VirtualWorld():
        left, right = socket.socketpair()
        with left, right:
            left.sendall(b"hello")
            left.shutdown(socket.SHUT_WR)
            heard = [right.recv(3), right.recv(9), right.recv(1)]
            with pytest.raises(TypeError):
                right.recv(1.5)  # type: ignore[arg-type]

    assert [b"hel", b"lo", b""] == heard


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        (socket.AF_INET, socket.SOCK_DGRAM),
        (socket.AF_UNIX, socket.SOCK_STREAM),
        (socket.AF_UNIX, socket.SOCK_DGRAM),
    ],
)
def test_udp_and_unix_sockets_are_escapes(family: int, kind: int) -> None:
    """Code that needs them is told so where it makes them, by whichever name."""

    async def by_trio() -> None:
        trio.socket.socket(family, kind)

    with pytest.raises(Escape, match=KNOWN_HERE), VirtualWorld():
        socket.socket(family, kind)
    with pytest.raises(Escape, match="simulates TCP over IPv4 only"), VirtualWorld() as world:
        world.run(by_trio)


def test_ipv6_is_missing_as_on_a_host_without_it() -> None:
    """A library that probes for IPv6 goes on without it."""
    with VirtualWorld():
        with pytest.raises(OSError, match="not supported") as refused:
            socket.socket(socket.AF_INET6)
        dual = socket.has_dualstack_ipv6()

    assert (errno.EAFNOSUPPORT, False) == (refused.value.errno, dual)


def test_other_protocols_are_refused_as_the_kernel_does() -> None:
    """SCTP is not there."""
    with VirtualWorld(), pytest.raises(OSError, match="not supported") as refused:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_SCTP)

    assert errno.EPROTONOSUPPORT == refused.value.errno


def test_a_host_is_reached_by_its_name_from_any_socket() -> None:
    """bind and connect take names of the world, and no others."""
    with VirtualWorld() as world:
        address = world.network.add_host(HOST)
        with non_blocking() as listener, non_blocking() as client, non_blocking() as lost:
            listener.bind((HOST, 5432))
            listener.listen()
            code = client.connect_ex((HOST, 5432))
            accepted, source = listener.accept()
            accepted.close()
            with pytest.raises(socket.gaierror):
                lost.connect(("elsewhere.test", 5432))
            with pytest.raises(TypeError, match="must be tuple"):
                lost.connect("elsewhere.test")
            assert [(address, 5432), errno.EINPROGRESS, source] == [
                listener.getsockname(),
                code,
                client.getsockname(),
            ]


def test_a_connect_under_way_takes_the_links_latency() -> None:
    """Reading and writing say EAGAIN meanwhile, and a second connect EALREADY."""

    async def connect() -> list[object]:
        found: list[object] = []
        with non_blocking() as client:
            client.connect_ex((HOST, 5432))
            found += [client.connect_ex((HOST, 5432)), _code(client.recv, 1)]
            found.append(_code(client.send, b"x"))
            await trio.lowlevel.wait_writable(client)
            found += [trio.current_time(), client.connect_ex((HOST, 5432)), client.send(b"x")]
        return found

    with VirtualWorld() as world:
        world.network.add_host(HOST)
        world.run(world.network.listen, HOST, 5432)
        world.network.set_latency(HOST, 2, 2)
        began = world.now
        found = world.run(connect)

    assert [errno.EALREADY, errno.EAGAIN, errno.EAGAIN, began + 2, 0, 1] == found


def _code(call: Callable[..., object], *args: object) -> object:
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        call(*args)
    return caught.value.errno


def test_a_loop_over_sockets_hears_when_to_try_again() -> None:
    """A host other than trio is called whenever an attempt may have another answer."""
    called: list[str] = []
    with VirtualWorld() as world:
        world.network.add_host(HOST)
        with non_blocking() as listener, non_blocking() as client:
            listener.bind((HOST, 80))
            listener.listen()
            assert isinstance(listener, StdSocket)
            assert isinstance(client, StdSocket)
            listener.virtual.on_ready = lambda: called.append("listener")
            client.virtual.on_ready = lambda: called.append("client")
            client.connect_ex((HOST, 80))
            assert ["client", "client", "listener"] == called
            server, _ = listener.accept()
            server.close()

    assert ["client", "client", "listener", "client"] == called


def test_other_threads_keep_their_real_sockets() -> None:
    """A world concerns its own thread only, and nothing is left of it when it is closed."""
    kinds: list[type[Any]] = []

    def make() -> None:
        with socket.socket() as made:
            kinds.append(type(made))

    other = threading.Thread(target=make)
    other.start()  # before the world opens, which starts no thread
    other.join()
    before = (vars(socket.socket).get("__new__"), socket.fromfd)
    with VirtualWorld():
        make()
    make()

    assert [socket.socket, StdSocket, socket.socket] == kinds
    assert before == (vars(socket.socket).get("__new__"), socket.fromfd)


def test_sockets_of_the_standard_library_stay_real_in_a_loopback_world() -> None:
    """There the kernel carries the bytes, so they need no stand-in."""
    with LoopbackWorld(), socket.socket() as made:
        assert socket.socket is type(made)


def test_a_descriptor_of_the_kernel_stays_the_kernels() -> None:
    """A socket that was made before the world is wrapped as what it is."""
    with (
        socket.socket() as real,
        pytest.raises(Escape, match="a real socket"),
        VirtualWorld(),
        socket.socket(fileno=real.detach()) as again,
    ):
        assert socket.socket is type(again)
        again.bind(("127.0.0.1", 0))


@on_both_worlds
def test_the_window_can_be_set(kind: type[World]) -> None:
    """How much a peer that does not read may be sent is mine to say, for all hosts or for one."""

    async def fill() -> list[int]:
        sizes = []
        for host in ("a.test", HOST):
            [listener] = await world.network.listen(host, 80)
            client = await trio.open_tcp_stream(host, 80)
            async with listener, client, await listener.accept():
                sizes.append(await client.socket.send(bytes(1_000_000)))
        return sizes

    with kind() as world:
        world.network.set_window(50_000)
        world.network.add_host("a.test")
        world.network.add_host(HOST)
        world.network.set_window(4_096, HOST)
        assert [50_000, 4_096] == world.run(fill)


@pytest.mark.parametrize("window", [4_095, 0, -1, 2**30 + 1, 1e6, True, "1"])
def test_an_illegal_window_is_refused(window: Any) -> None:
    """The message names the range."""
    with VirtualWorld() as world:
        with pytest.raises(PlanError, match=r"\[4096, 1073741824\]"):
            world.network.set_window(window)
        with pytest.raises(WorldError, match=r"no host 'nowhere\.test'"):
            world.network.set_window(10_000, "nowhere.test")


def test_socket_buffers_make_up_the_window() -> None:
    """SO_SNDBUF of the sender and SO_RCVBUF of the receiver, also of its listener, and later."""

    async def fill() -> list[int | None]:
        sizes: list[int | None] = []
        [listener] = await world.network.listen(HOST, 80)
        listener.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        with trio.socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 20_000)
            await client.connect((HOST, 80))
            async with listener, await listener.accept() as server:
                sizes.append(await client.send(bytes(100_000)))
                server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 15_000)
                sizes.append(await client.send(bytes(100_000)))
        return sizes

    with VirtualWorld() as world:
        world.network.add_host(HOST)
        assert [30_000, 5_000] == world.run(fill)


def test_an_address_is_named_as_the_kernels_resolver_does() -> None:
    """getnameinfo takes numbers only, and tells the service unless it is asked not to."""

    async def look() -> list[object]:
        address = world.network.add_host(HOST)
        numeric = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV
        with pytest.raises(socket.gaierror):
            await trio.socket.getnameinfo((HOST, 80), 0)
        return [
            await trio.socket.getnameinfo((address, 80), 0),
            await trio.socket.getnameinfo((address, 5432), 0),
            await trio.socket.getnameinfo((address, 80), numeric) == (address, "80"),
        ]

    with VirtualWorld() as world:
        assert [(HOST, "http"), (HOST, "5432"), True] == world.run(look)
