"""Connections of the virtual network: resets, limits, cancellation, order, what is left behind."""

from __future__ import annotations

import errno
import gc
import os
import socket

import pytest
import trio
import trio.testing

from chaoscheck.world.choices import SeededChoices
from chaoscheck.world.network.window import WINDOW_BYTES
from chaoscheck.world.virtual import VirtualWorld
from tests.unit.world.network_lab import (
    HOST,
    PORT,
    Lab,
    collect,
    connected,
    error_of,
    fresh_socket,
    run,
)

# Resets and half-closes as faults.


def test_a_reset_hits_both_ends_and_counts_the_connections() -> None:
    """reset breaks each established connection of the host at both ends, and says how many."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            await ends.server.send_all(b"before")
            assert 1 == lab.network.reset(HOST)
            assert b"before" == await ends.client.receive_some()
            assert errno.ECONNRESET == await error_of(ends.client.receive_some())
            assert errno.ECONNRESET == await error_of(ends.server.receive_some())
            assert 0 == lab.network.reset(HOST)

    run(lab, story)


def test_a_reset_during_a_cut_reaches_the_far_end_only_when_healed() -> None:
    """A RST is a segment: the host's end dies at once, the client learns of it after heal."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.cut(HOST)
            await ends.server.send_all(b"lost with the reset")
            lab.network.reset(HOST)
            assert errno.ECONNRESET == await error_of(ends.server.receive_some())
            assert not ends.client.socket.is_readable()
            lab.network.heal(HOST)
            assert errno.ECONNRESET == await error_of(ends.client.receive_some())

    run(lab, story)


def test_a_half_close_ends_one_direction_only() -> None:
    """half_close sends the server's FIN; the client can still send and the server receive."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            assert 1 == lab.network.half_close(HOST)
            assert b"" == await ends.client.receive_some()
            await ends.client.send_all(b"heard")
            assert b"heard" == await ends.server.receive_some()
            assert errno.EPIPE == await error_of(ends.server.send_all(b"x"))
            assert 0 == lab.network.half_close(HOST)

    run(lab, story)


def test_an_abortive_close_resets_the_peer() -> None:
    """SO_LINGER on with 0 seconds makes close a RST, even when nothing is unread."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            linger = b"\1\0\0\0\0\0\0\0"
            ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            assert linger == ends.server.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
            await ends.server.aclose()
            assert errno.ECONNRESET == await error_of(ends.client.receive_some())

    run(lab, story)


# The window.


def test_a_peer_that_does_not_read_blocks_the_sender() -> None:
    """send takes what the window holds and then waits until the peer has read enough."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends, trio.open_nursery() as nursery:
            data = bytes(2 * WINDOW_BYTES)
            assert WINDOW_BYTES == await ends.client.socket.send(data)
            found: list[object] = []
            nursery.start_soon(collect, lambda: ends.client.socket.send(data), found)
            await trio.testing.wait_all_tasks_blocked()
            await ends.server.receive_some(WINDOW_BYTES // 3 - 1)
            await trio.testing.wait_all_tasks_blocked()
            assert [] == found
            await ends.server.receive_some(1)
            await trio.testing.wait_all_tasks_blocked()
            assert [WINDOW_BYTES // 3] == found

    run(lab, story)


def test_a_window_does_not_open_across_a_cut() -> None:
    """What the peer reads during a cut lets a blocked sender go on only after heal."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends, trio.open_nursery() as nursery:
            await ends.client.send_all(bytes(WINDOW_BYTES))
            lab.network.cut(HOST)
            found: list[object] = []
            nursery.start_soon(collect, ends.client.wait_send_all_might_not_block, found)
            await ends.server.receive_some(WINDOW_BYTES)
            await trio.testing.wait_all_tasks_blocked()
            assert [] == found
            lab.network.heal(HOST)
            await trio.testing.wait_all_tasks_blocked()
            assert [None] == found

    run(lab, story)


def test_a_stream_carries_more_than_its_window() -> None:
    """A megabyte goes through unchanged, in whatever pieces it is read."""
    lab = Lab()
    data = bytes(range(256)) * 4096

    async def story() -> None:
        async with connected(lab) as ends, trio.open_nursery() as nursery:

            async def send() -> None:
                await ends.client.send_all(data)
                await ends.client.send_eof()

            nursery.start_soon(send)
            assert data == b"".join([part async for part in ends.server])

    run(lab, story)


def test_reading_into_a_buffer_and_peeking_take_what_recv_would() -> None:
    """recv_into fills the caller's buffer, and MSG_PEEK leaves the data where it is."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            await ends.client.send_all(b"abc")
            assert b"ab" == await ends.server.socket.recv(2, socket.MSG_PEEK)
            buffer = bytearray(8)
            assert 3 == await ends.server.socket.recv_into(buffer)
            assert b"abc" == bytes(buffer[:3])

    run(lab, story)


# Cancellation.


def test_a_cancelled_operation_loses_nothing() -> None:
    """Cancelled before they could act, receive takes no data and send sends none."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            await ends.client.send_all(b"first")
            with trio.CancelScope() as scope:
                scope.cancel()
                await ends.client.send_all(b"never")
            with trio.CancelScope() as scope:
                scope.cancel()
                await ends.server.receive_some()
            assert b"first" == await ends.server.receive_some()

    run(lab, story)


def test_a_cancelled_connect_closes_its_socket_and_is_never_accepted() -> None:
    """After a connect was cancelled its SYN comes to nothing, as with the kernel's RST."""
    lab = Lab()

    async def story() -> None:
        [listener] = await lab.network.listen(HOST, PORT)
        lab.network.set_latency(HOST, 1.0, 1.0)
        async with listener, fresh_socket() as client:
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(client.connect, (HOST, PORT))
                    await trio.testing.wait_all_tasks_blocked()
                    scope.cancel()
            assert -1 == client.fileno()
            await lab.pass_time(5.0)
            assert not listener.socket.is_readable()

    run(lab, story)


# What it tells, and what it leaves behind.


def test_open_sockets_say_what_they_are_and_who_opened_them() -> None:
    """A forgotten socket is reported by what it is connected to and by its task."""
    lab = Lab()

    async def story() -> None:
        [listener] = await lab.network.listen(HOST, PORT)
        async with listener:
            await trio.open_tcp_stream(HOST, PORT)

    async def main() -> None:
        lab.network.install()
        await story()

    trio.run(main)
    [leak] = lab.network.open_sockets()
    assert f"client of connection 1 to {HOST}:80" == leak.what
    assert "attempt_connect" in leak.opened_by


def test_a_task_that_waits_says_what_for() -> None:
    """A deadlock report can name the connection a task waits on."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends, trio.open_nursery() as nursery:
            nursery.start_soon(ends.client.receive_some)
            await trio.testing.wait_all_tasks_blocked()
            [task] = nursery.child_tasks
            expected = f"to read: client of connection 1 to {HOST}:80"
            assert expected == str(task.custom_sleep_data)
            nursery.cancel_scope.cancel()

    run(lab, story)


def test_a_finished_connection_leaves_its_link() -> None:
    """Connections are listed while a side is open and forgotten when both are done."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            await ends.server.aclose()
            states = [(found.client, found.server) for found in lab.network.connections()]
            assert [("open", "closed")] == states
        assert ([], []) == (lab.network.connections(), lab.network.open_sockets())

    run(lab, story)


def test_a_closing_world_wakes_everyone_and_sends_nothing() -> None:
    """Closing the network ends every wait, draws nothing and leaves no socket open."""
    lab = Lab(SeededChoices(1))

    async def story() -> None:
        [listener] = await lab.network.listen(HOST, PORT)
        client = await trio.open_tcp_stream(HOST, PORT)
        lab.network.set_latency(HOST, 1.0, 2.0)
        found: list[object] = []
        async with trio.open_nursery() as nursery, fresh_socket() as hanging:
            lab.network.cut(HOST)
            nursery.start_soon(collect, client.receive_some, found)
            nursery.start_soon(collect, lambda: hanging.connect((HOST, PORT)), found)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(collect, (await listener.accept()).receive_some, found)
            nursery.start_soon(collect, listener.accept, found)
            await trio.testing.wait_all_tasks_blocked()
            lab.network.close()
        assert [trio.ClosedResourceError] * 4 == [type(error) for error in found]
        assert [] == lab.network.open_sockets()
        with pytest.raises(OSError, match="Network is down"):
            lab.network.socket()
        await lab.pass_time(1000.0)

    run(lab, story)
    assert [] == lab.choices.log


def test_asked_for_descriptors_are_given_back() -> None:
    """fileno() lends a real descriptor; closing the socket returns it."""
    lab = Lab()

    async def story() -> None:
        before = len(os.listdir("/dev/fd"))
        async with connected(lab) as ends:
            assert ends.client.socket.fileno() >= 0
            assert len(os.listdir("/dev/fd")) > before
        assert before == len(os.listdir("/dev/fd"))
        assert -1 == ends.client.socket.fileno()

    gc.collect()
    run(lab, story)


def test_a_silent_network_draws_nothing_while_tasks_unwind() -> None:
    """While a world closes, closing streams is legal and sends nothing; connecting fails."""
    lab = Lab(SeededChoices(1))

    async def story() -> None:
        async with connected(lab) as ends, fresh_socket() as late:
            lab.network.set_latency(HOST, 1.0, 2.0)
            lab.network.fall_silent()
            await ends.client.aclose()
            assert b"" == await ends.server.receive_some()
            assert errno.ENETDOWN == await error_of(late.connect((HOST, PORT)))
        assert [] == lab.network.open_sockets()

    run(lab, story)
    assert [] == lab.choices.log


def test_equal_seeds_give_equal_traces() -> None:
    """The same choices give the same events at the same times, whatever the story does."""

    async def serve(stream: trio.SocketStream) -> None:
        async for part in stream:
            await stream.send_all(part)

    async def ask(text: bytes) -> None:
        async with await trio.open_tcp_stream(HOST, PORT) as stream:
            await stream.send_all(text)
            await stream.receive_some()

    def digest(seed: int) -> str:
        with VirtualWorld(SeededChoices(seed)) as world:
            network = world.network
            network.add_host(HOST)
            network.set_latency(HOST, 0.0, 1.0)
            listeners = world.run(network.listen, HOST, PORT)
            world.spawn(trio.serve_listeners, serve, listeners)
            for number in range(5):
                world.start(ask, b"x" * (number + 1))
            world.advance(0.7)
            network.cut(HOST)
            world.advance(1.0)
            network.heal(HOST)
            world.advance(9.0)
            assert [] == world.in_flight()
            return world.trace.digest()

    assert digest(3) == digest(3)
    assert digest(3) != digest(4)
