"""Sockets of a LoopbackWorld: addresses, cancelling, and what is built on them."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable

import anyio
import httpx
import pytest
import trio
import trio.testing

from chaoscheck.errors import PlanError, WorldError
from chaoscheck.world.network.loopback.socket import LoopbackSocket
from tests.unit.world.loopback_lab import HOST, echo, opened, serve, speak

# ---------------------------------------------------------------------------- addresses


def test_a_server_on_a_loopback_address_is_found_there() -> None:
    """My own code that listens on 127.0.0.1 and connects to it works as it is."""

    async def meet(host: str | None) -> tuple[bytes, str]:
        listeners = await trio.open_tcp_listeners(0, host=host)
        port = listeners[0].socket.getsockname()[1]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, echo, listeners)
            said = await speak(b"near", "localhost" if host is None else host, port)
            async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
                peer = stream.socket.getpeername()
            nursery.cancel_scope.cancel()
        return said, peer[0]

    with opened() as world:
        for host in ("127.0.0.1", "localhost", None):
            assert (b"near", "127.0.0.1") == world.run(meet, host)


def test_addresses_are_those_of_the_world_and_the_same_in_every_run() -> None:
    """No real port gets into what my code sees, so none gets into its behaviour."""

    async def look() -> list[object]:
        [listener] = await trio.open_tcp_listeners(80, host=HOST)
        stream = await trio.open_tcp_stream(HOST, 80)
        async with listener, stream, await listener.accept() as peer:
            names = [end.socket.getsockname() for end in (listener, stream, peer)]
            return [*names, stream.socket.getpeername(), peer.socket.getpeername()]

    seen = []
    for _ in range(2):
        with opened() as world:
            seen.append(world.run(look))

    host, client = ("10.0.0.1", 80), ("10.255.0.1", 32768)
    assert [[host, client, host, host, client]] * 2 == seen


def test_a_port_in_use_is_an_error() -> None:
    """Two servers on one port are told apart before a client is surprised."""

    async def listen_elsewhere() -> None:
        await trio.open_tcp_listeners(80, host=HOST)

    with opened() as world:
        world.network.add_host("other.test")
        world.run(world.network.listen, HOST, 80)
        world.run(world.network.listen, "other.test", 80)
        for listen in (listen_elsewhere, lambda: world.network.listen(HOST, 80)):
            with pytest.raises(OSError, match="in use"):
                world.run(listen)


def test_a_closed_listener_gives_its_port_back() -> None:
    """A server that restarts gets its port again; between, connecting is refused."""

    async def restart() -> list[object]:
        [first] = await world.network.listen(HOST, 80)
        await first.aclose()
        with pytest.raises(OSError, match=HOST):
            await trio.open_tcp_stream(HOST, 80)
        [second] = await world.network.listen(HOST, 80)
        async with second, await trio.open_tcp_stream(HOST, 80), await second.accept() as peer:
            return [peer.socket.getsockname()]

    with opened() as world:
        assert [("10.0.0.1", 80)] == world.run(restart)


def test_unknown_hosts_are_errors() -> None:
    """A typo in a host's name is found where it is made."""

    async def dial(host: str) -> None:
        with trio.socket.socket() as made:
            await made.connect((host, 80))

    with opened() as world:
        with pytest.raises(socket.gaierror):
            world.run(dial, "no.such.host")
        with pytest.raises(OSError, match="No route"):
            world.run(dial, "10.9.9.9")
        for fault in (world.network.cut, world.network.reset, world.network.heal):
            with pytest.raises(WorldError, match=r"no\.such\.host"):
                fault("no.such.host")
        with pytest.raises(WorldError, match=r"no\.such\.host"):
            world.run(world.network.listen, "no.such.host", 80)


@pytest.mark.parametrize("latency", [(-1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_latency_that_makes_no_sense_is_refused(latency: tuple[float, float]) -> None:
    """A wrong latency is my mistake, and says what is legal."""
    with opened() as world, pytest.raises(PlanError, match="low_s <= high_s"):
        world.network.set_latency(HOST, *latency)


def test_a_cut_holds_what_a_server_outside_says() -> None:
    """A server on a socket of the standard library is behind the link to localhost as well."""

    async def ask_while_cut() -> tuple[bytes, float]:
        real = socket.create_server(("127.0.0.1", 0))
        port = real.getsockname()[1]
        listener = trio.SocketListener(trio.socket.from_stdlib_socket(real))
        async with listener, trio.open_nursery() as nursery:
            nursery.start_soon(trio.serve_listeners, echo, [listener])
            async with await trio.open_tcp_stream("localhost", port) as stream:
                await stream.send_all(b"x")
                world.network.cut("localhost")
                nursery.start_soon(heal_later)
                said = bytes(await stream.receive_some())
            nursery.cancel_scope.cancel()
        return said, trio.current_time()

    async def heal_later() -> None:
        await trio.sleep(7)
        world.network.heal("localhost")

    with opened() as world:
        assert (b"x", 7.0) == world.run(ask_while_cut)


# ---------------------------------------------------------------------------- cancelling


@pytest.mark.parametrize("held_by", ["latency", "cut"])
def test_a_cancelled_receive_loses_no_byte(held_by: str) -> None:
    """A time-out while data is on its way costs me nothing: the next call gets all of it."""

    async def hear() -> tuple[bool, bytes]:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            with trio.move_on_after(1) as patience:
                await stream.receive_some()
            data = b""
            while len(data) < 11:
                data += await stream.receive_some(4)
            return patience.cancelled_caught, data

    async def greet(stream: trio.SocketStream) -> None:
        await trio.sleep(0.5)
        await stream.send_all(b"hello there")
        await trio.sleep_forever()

    with opened() as world:
        serve(world, greet)
        if held_by == "latency":
            world.network.set_latency(HOST, 3, 3)
        hearing = world.start(hear)
        world.settle()
        if held_by == "cut":
            world.network.cut(HOST)
            world.advance(9)
            world.network.heal(HOST)

        assert (True, b"hello there") == world.run_until(hearing)


@pytest.mark.parametrize("held_by", ["latency", "cut"])
def test_a_cancelled_connect_leaves_no_socket(held_by: str) -> None:
    """A connect that I gave up is gone, and nobody accepts it later."""

    async def give_up() -> bool:
        with trio.move_on_after(1) as patience:
            await trio.open_tcp_stream(HOST, 80)
        return patience.cancelled_caught

    accepted: list[object] = []

    async def note(stream: trio.SocketStream) -> None:
        accepted.append(stream)

    with opened() as world:
        serve(world, note)
        if held_by == "latency":
            world.network.set_latency(HOST, 3, 3)
        else:
            world.network.cut(HOST)

        assert world.run(give_up)
        world.network.heal_all()
        world.advance(10)
        assert ([], []) == (accepted, world.network.connections())
        assert 1 == len(world.network.open_sockets())


def test_closing_a_socket_wakes_who_waits_on_it() -> None:
    """Another task that closes my socket ends my waiting, whatever holds it."""
    ends: list[str] = []

    async def note(operation: Callable[[], Awaitable[object]]) -> None:
        with pytest.raises(trio.ClosedResourceError):
            await operation()
        ends.append(type(operation).__name__)

    async def close_under_others() -> None:
        with trio.socket.socket() as dialling:
            async with await trio.open_tcp_stream(HOST, 80) as stream:
                world.network.cut(HOST)
                await stream.send_all(b"held")
                await trio.testing.wait_all_tasks_blocked()
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(note, stream.receive_some)
                    nursery.start_soon(note, lambda: dialling.connect(("10.0.0.1", 80)))
                    await trio.testing.wait_all_tasks_blocked()
                    await stream.aclose()
                    dialling.close()

    with opened() as world:
        serve(world, echo)
        world.run(close_under_others)

    assert 2 == len(ends)


def test_only_one_task_reads_at_a_time() -> None:
    """Two readers of one stream are my bug, reported as by trio, also behind a latency."""

    async def read_twice() -> None:
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            await stream.send_all(b"x")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(stream.receive_some)
                await trio.testing.wait_all_tasks_blocked()
                with pytest.raises(trio.BusyResourceError):
                    await stream.receive_some()

    with opened() as world:
        serve(world, echo)
        world.network.set_latency(HOST, 1, 1)
        world.run(read_twice)


# ---------------------------------------------------------------------------- what is built on it


def anonymous_tls(side: ssl.Purpose) -> ssl.SSLContext:
    """TLS without certificates: what is proven is that records cross the links."""
    context = ssl.SSLContext(
        ssl.PROTOCOL_TLS_SERVER if side is ssl.Purpose.CLIENT_AUTH else ssl.PROTOCOL_TLS_CLIENT
    )
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH-AES256-SHA:@SECLEVEL=0")
    return context


def test_tls_crosses_the_links() -> None:
    """A TLS stream works behind a latency, and a cut delays it."""

    async def echo_tls(stream: trio.SocketStream) -> None:
        context = anonymous_tls(ssl.Purpose.CLIENT_AUTH)
        secure = trio.SSLStream(stream, context, server_side=True, https_compatible=True)
        async for data in secure:
            await secure.send_all(data)

    async def speak_tls() -> bytes:
        stream = await trio.open_tcp_stream(HOST, 80)
        context = anonymous_tls(ssl.Purpose.SERVER_AUTH)
        async with trio.SSLStream(stream, context, https_compatible=True) as secure:
            await secure.send_all(b"secret")
            return bytes(await secure.receive_some())

    with opened() as world:
        serve(world, echo_tls)
        world.network.set_latency(HOST, 0.25, 0.25)
        assert b"secret" == world.run(speak_tls)
        assert 1.75 == world.now  # SYN, four flights of the handshake, question and answer


def test_anyio_runs_over_the_links() -> None:
    """A stream opened by anyio is ours: it knows the world's addresses and feels a latency."""

    async def talk() -> tuple[object, bytes, float]:
        async with await anyio.connect_tcp(HOST, 80) as stream:
            await stream.send(b"hello")
            data = await stream.receive()
            remote = stream.extra(anyio.abc.SocketAttribute.remote_address)
            assert isinstance(stream.extra(anyio.abc.SocketAttribute.raw_socket), LoopbackSocket)
            return remote, data, trio.current_time()

    with opened() as world:
        serve(world, echo)
        world.network.set_latency(HOST, 1, 1)
        assert (("10.0.0.1", 80), b"hello", 3.0) == world.run(talk)


@pytest.mark.parametrize("cut", [False, True])
def test_a_pool_notices_a_closed_idle_connection_unless_the_link_is_cut(cut: bool) -> None:
    """httpx opens a new connection when the old one was closed; behind a cut it cannot know."""

    async def answer_once(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.send_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        await trio.sleep(1)
        await stream.aclose()

    async def ask_twice() -> object:
        async with httpx.AsyncClient(verify=False, trust_env=False, timeout=5) as client:
            await client.get(f"http://{HOST}")
            if cut:
                world.network.cut(HOST)
            await trio.sleep(2)
            try:
                return (await client.get(f"http://{HOST}")).status_code
            except httpx.TransportError as error:
                return type(error)

    with opened() as world:
        serve(world, answer_once)
        assert (httpx.ReadTimeout if cut else 200) == world.run(ask_twice)


def test_a_receive_into_a_buffer_goes_through_the_link() -> None:
    """``recv_into`` is held by a latency as ``recv`` is."""

    async def receive() -> tuple[int, bytearray, float]:
        buffer = bytearray(8)
        async with await trio.open_tcp_stream(HOST, 80) as stream:
            await stream.send_all(b"hello")
            count = await stream.socket.recv_into(buffer)
        return count, buffer, trio.current_time()

    with opened() as world:
        serve(world, echo)
        world.network.set_latency(HOST, 1, 1)
        assert (5, bytearray(b"hello\0\0\0"), 3.0) == world.run(receive)
