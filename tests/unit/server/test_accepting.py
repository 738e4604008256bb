"""A lack of descriptors is outlasted: no busy loop, one line in the log, and admin gets through."""

from __future__ import annotations

import errno
import logging
import os

import pytest
import trio

from chaoscheck.server.accepting import PAUSE_S, PatientListener, Reserve
from chaoscheck.server.chaos_server import ChaosServer
from chaoscheck.world.virtual import VirtualWorld
from tests.contract.raw_client import RawClient, chat_request


class _Scarce(trio.abc.Listener[trio.SocketStream]):
    """A listener whose first ``failures`` attempts fail as they do without descriptors."""

    def __init__(self, listener: trio.SocketListener, failures: int, number: int) -> None:
        self.listener = listener
        self.failures = failures
        self.attempts = 0
        self._number = number

    async def accept(self) -> trio.SocketStream:
        """A connection, or the error of the kernel."""
        self.attempts += 1
        if self.attempts <= self.failures:
            raise OSError(self._number, os.strerror(self._number))
        return await self.listener.accept()

    async def aclose(self) -> None:
        """Close what is behind it."""
        await self.listener.aclose()


def _answered_after(scarce_s: float, number: int, caplog: pytest.LogCaptureFixture) -> int | None:
    """The status that a client gets in the end; descriptors lack for so long."""

    async def scene() -> int | None:
        async with RawClient.connected("api.test", 80) as raw:
            await raw.stream.send_all(chat_request())
            return (await raw.look(patience_s=scarce_s + 1)).status

    with caplog.at_level(logging.ERROR), VirtualWorld() as world:
        world.network.add_host("api.test")
        (listener,) = world.run(world.network.listen, "api.test", 80)
        scarce = _Scarce(listener, round(scarce_s / PAUSE_S), number)
        world.spawn(ChaosServer().serve, [scarce])
        return world.run(scene)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_a_server_without_descriptors_goes_on_once_there_are_some(
    number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody has to start it again, and the log says what was wrong, once."""
    assert 200 == _answered_after(5.0, number, caplog)

    assert [record.message for record in caplog.records] == [
        f"cannot accept connections: {os.strerror(number)}; new ones wait until there is room"
    ]


def test_a_lack_that_lasts_is_logged_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells that it still lasts, and is not flooded."""
    assert 200 == _answered_after(150.0, errno.EMFILE, caplog)

    assert 3 == len(caplog.records)


def test_other_errors_of_a_listener_get_out() -> None:
    """What does not pass by itself is not waited for."""

    async def main() -> None:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        async with PatientListener(_Scarce(listener, 1, errno.EINVAL), Reserve()) as patient:
            await patient.accept()

    with pytest.raises(OSError, match=os.strerror(errno.EINVAL)):
        trio.run(main)


class _Held(_Scarce):
    """A listener that accepts only while its reserve lacks a descriptor."""

    def __init__(self, listener: trio.SocketListener, reserve: Reserve) -> None:
        super().__init__(listener, 0, errno.EMFILE)
        self.reserve = reserve

    async def accept(self) -> trio.SocketStream:
        """A connection if a descriptor was given back."""
        self.attempts += 1
        if len(self.reserve._held) >= self.reserve.size:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return await self.listener.accept()


def test_a_reserve_lets_one_listener_through() -> None:
    """Where everybody else waits for descriptors, the admin's connections have theirs."""
    reserve = Reserve()
    reserve.size = 1

    async def scene(listener: trio.SocketListener) -> tuple[int, int]:
        held = _Held(listener, reserve)
        async with await trio.open_tcp_stream("api.test", 80):
            others = 0
            with trio.move_on_after(1):
                await PatientListener(held, reserve).accept()
                others += 1
            with trio.fail_after(1):
                stream = await PatientListener(held, reserve, may_spend=True).accept()
            await stream.aclose()
        return others, held.attempts

    with VirtualWorld() as world:
        world.network.add_host("api.test")
        (listener,) = world.run(world.network.listen, "api.test", 80)
        others, attempts = world.run(scene, listener)
    reserve.close()

    assert others == 0
    assert attempts <= 15  # ten pauses a second
