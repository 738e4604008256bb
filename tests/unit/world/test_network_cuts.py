"""What a cut holds back: lost with a reset, given up, or acknowledged late, as kernels do it."""

from __future__ import annotations

import errno
import socket

import trio
import trio.testing

from chaoscheck.world.network.window import WINDOW_BYTES
from tests.unit.world.network_lab import HOST, Lab, connected, error_of, run


def test_an_abortive_close_during_a_cut_loses_what_the_cut_holds() -> None:
    """The kernel that resets retransmits nothing: after heal the peer learns of the reset alone."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.cut(HOST)
            await ends.server.send_all(b"lost with the reset")
            ends.server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await ends.server.aclose()
            lab.network.heal(HOST)
            assert errno.ECONNRESET == await error_of(ends.client.receive_some())

    run(lab, story)


def test_what_was_given_up_during_a_cut_does_not_arrive_afterwards() -> None:
    """A kernel that has run out of patience (ETIMEDOUT) sends no segment again."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            lab.network.cut(HOST)
            await ends.client.send_all(b"given up")
            await lab.pass_time(2000)
            assert errno.ETIMEDOUT == await error_of(ends.client.receive_some())
            lab.network.heal(HOST)
            await lab.pass_time(1)
            assert not ends.server.socket.is_readable()

    run(lab, story)


def test_what_is_read_during_a_cut_opens_the_window_once_when_healed() -> None:
    """All of it, however often it was read; a second heal opens nothing that was not read."""
    lab = Lab()

    async def story() -> None:
        async with connected(lab) as ends:
            assert await _fill(ends.server) == WINDOW_BYTES
            lab.network.cut(HOST)
            read = sum([len(await ends.client.receive_some(50_000)) for _ in range(4)])
            assert await _fill(ends.server) == 0
            for again in (read, 0):
                lab.network.heal(HOST)
                assert await _fill(ends.server) == again
                lab.network.cut(HOST)

    run(lab, story)


async def _fill(stream: trio.SocketStream) -> int:
    """How many bytes a sender gets rid of before it is blocked."""
    sent = 0

    async def send() -> None:
        nonlocal sent
        while True:
            sent += await stream.socket.send(b"x" * 10_000)

    with trio.CancelScope() as scope:
        async with trio.open_nursery() as own:
            own.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            scope.cancel()
    return sent
