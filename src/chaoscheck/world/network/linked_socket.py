"""A real socket behind a link that can be cut or slow: trio's own socket, gated where it receives.

What is sent goes to the kernel at once; what arrives is handed over when the link carries it.
So a cut lets both ends send into the kernel's buffers and receive nothing, as with lost packets.
"""

from __future__ import annotations

import errno
import os
import socket as stdlib_socket
from typing import TYPE_CHECKING, Any

import trio
from trio._socket import _SocketType

if TYPE_CHECKING:
    from chaoscheck.world.network.loopback import LoopbackLink, LoopbackNetwork

__all__ = ["LinkedSocket"]

_SYN_PATIENCE_S = 127.0  # Linux gives up a connect after tcp_syn_retries = 6 (ip-sysctl.rst)


class LinkedSocket(_SocketType):
    """One end of a connection, or a listener, of a ``LoopbackNetwork``."""

    def __init__(self, real: stdlib_socket.socket, network: LoopbackNetwork) -> None:
        super().__init__(real)
        self._network = network
        self.link: LoopbackLink | None = None
        self.number = 0
        self.delay_s = 0.0
        self.was_reset = False
        self.was_half_closed = False
        self._pulled: tuple[float, bytes] | None = None

    @property
    def is_open(self) -> bool:
        """Whether its descriptor is open."""
        return self.fileno() != -1

    async def accept(self) -> tuple[Any, Any]:
        """Accept; the new socket is behind the listener's link."""
        real, address = await self._accept()
        return self._network.accepted(real, address, self.link), address

    async def connect(self, address: Any) -> None:
        """Connect through the link of the host that the address belongs to."""
        resolved: Any = await self._resolve_address_nocp(address, local=False)
        link = self._network.link_at(resolved[0])
        if link is None:
            raise _error(errno.EHOSTUNREACH)
        with trio.move_on_after(_SYN_PATIENCE_S) as patience:
            await link.carry()
        if patience.cancelled_caught:
            raise _error(errno.ETIMEDOUT)
        self.delay_s = link.draw_delay_s()
        await trio.sleep(self.delay_s)
        target = self._network.target(link, resolved[1])
        await super().connect(target)
        self._network.connected(self, link, resolved[1])

    def is_readable(self) -> bool:
        """Whether something arrived; nothing does while the link is cut."""
        if self.link is not None and self.link.is_cut:
            return False
        return self._pulled is not None or super().is_readable()

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Receive what the link has carried."""
        if self._pulled is None:
            data: bytes = await self._from_kernel(buflen, flags)
            link = self.link
            if link is None or not (link.is_cut or self.delay_s):
                return data
            self._pulled = (trio.current_time() + self.delay_s, data)
        else:
            await trio.lowlevel.checkpoint()
        due_s, data = self._pulled
        if self.link is not None:
            await self.link.carry()
        await trio.sleep_until(due_s)
        self._pulled = (due_s, data[buflen:]) if len(data) > buflen else None
        return data[:buflen]

    async def _from_kernel(self, buflen: int, flags: int) -> bytes:
        try:
            data: bytes = await super().recv(buflen, flags)
        except (trio.ClosedResourceError, OSError):
            if self.was_reset:
                raise _error(errno.ECONNRESET) from None
            raise
        return data

    async def send(self, data: Any, flags: int = 0, /) -> int:
        """Send into the kernel's buffer at once."""
        try:
            count: int = await super().send(data, flags)
        except (trio.ClosedResourceError, OSError):
            if self.was_reset:
                raise _error(errno.EPIPE) from None
            raise
        return count

    def half_close_by_fault(self) -> None:
        """FIN to the peer behind the back of our own process, which gets EPIPE when it sends."""
        self._sock.shutdown(stdlib_socket.SHUT_WR)
        self.was_half_closed = True

    def reset_by_fault(self) -> None:
        """RST to the peer; to our own process it looks like a reset as well."""
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger {1, 0}
        self.setsockopt(stdlib_socket.SOL_SOCKET, stdlib_socket.SO_LINGER, linger)
        self.was_reset = True
        self.close()


def _error(code: int) -> OSError:
    return OSError(code, os.strerror(code))
