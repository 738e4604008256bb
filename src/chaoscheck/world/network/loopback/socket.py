"""A real socket of a loopback world: kernel TCP under the world's addresses, behind its links.

It is trio's socket interface around a non-blocking socket of the kernel. Addresses are the
world's own, so that they are the same in every run; which real port is behind them is known to
the network alone. What ``recv`` may take is what the lane of this direction says has arrived.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Protocol

import trio

from chaoscheck.world.network.address import UNBOUND, Address, socket_error
from chaoscheck.world.network.hosts import LOOPBACK
from chaoscheck.world.network.loopback.link import RealConnection, RealListener
from chaoscheck.world.network.loopback.socket_base import LoopbackSocketBase
from chaoscheck.world.network.options import LINGER, is_abortive
from chaoscheck.world.network.ports import Bindable
from chaoscheck.world.network.socket_base import SocketNetwork

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["LoopbackSocket"]

_PEEK = int(stdlib.MSG_PEEK)
_ABORTIVE = LINGER.pack(1, 0)
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class LoopbackSocketNetwork(SocketNetwork, Protocol):
    """What a socket of a loopback world asks of its network."""

    def bind(self, bound: Bindable, address: Address) -> Address:
        """Bind a socket; the address with its port. OSError EADDRNOTAVAIL, EADDRINUSE."""

    def release(self, closed: Bindable) -> None:
        """A socket is gone: its port is free again."""

    def listen_at(self, listening: LoopbackSocket, address: Address) -> RealListener:
        """The listener of a socket that starts to listen; OSError EADDRINUSE."""

    def dial(self, dialling: LoopbackSocket, target: Address) -> RealConnection:
        """A connection to ``target``, not yet begun; OSError EHOSTUNREACH, ENETDOWN."""

    async def reach(self, connection: RealConnection) -> Address:
        """Let the request to connect travel; the real address to connect to."""

    def connecting(self, connection: RealConnection, real_address: Address) -> None:
        """The kernel was asked to connect from a real address: accept may be first to know."""

    def refused(self, connection: RealConnection, real_address: Address) -> None:
        """The kernel refused."""

    def accepted(
        self, real: stdlib.socket, real_address: Address, listener: RealListener | None
    ) -> tuple[LoopbackSocket, Address]:
        """The server's end of a connection, and the client's address."""


class LoopbackSocket(LoopbackSocketBase[LoopbackSocketNetwork]):
    """One end of a connection, a listener, or neither yet, of a ``LoopbackNetwork``.

    Binding takes no real port yet; listening does.
    """

    def listen(self, backlog: int = min(stdlib.SOMAXCONN, 128)) -> None:
        """Accept connections from now on; OSError EADDRINUSE, or EINVAL when connected."""
        self._require_open()
        if self.connection is not None:
            raise socket_error(errno.EINVAL)
        if self.listener is None:
            if self.bound is None:
                self.bind_now(UNBOUND)
            listener = self._network.listen_at(self, self.bound or UNBOUND)
            self._real.bind((LOOPBACK, 0))
            listener.real = self._real.getsockname()
            self.listener = listener
        self._real.listen(backlog)

    def bind_now(self, address: Address) -> None:
        """``bind`` to a numeric address, without a checkpoint."""
        self._require_open()
        if self.bound is not None:
            raise socket_error(errno.EINVAL)
        self.bound = self._network.bind(self, address)

    async def accept(self) -> tuple[LoopbackSocket, Address]:
        """The next connection and where it comes from; OSError EINVAL if not listening."""
        real, real_address = await self._perform(self.accept_now, self._wait_readable)
        return self._network.accepted(real, real_address, self.listener)

    async def connect(self, address: Any) -> None:
        """Connect to (host, port); cancelling it closes the socket, as with trio's own.

        Raises OSError ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EISCONN, EALREADY; gaierror.
        """
        try:
            target = await self._resolve(address, 0)
            await trio.lowlevel.checkpoint()
            self._require_idle()
            with trio.CancelScope() as self.dialling:
                await self._dial(target)
            self.dialling = None
        except trio.Cancelled:
            self.close()
            raise
        self._require_not_closed_meanwhile()

    def _require_idle(self) -> None:
        """OSError unless it may connect."""
        self._require_open()
        if self.connection is not None or self.listener is not None:
            raise socket_error(errno.EISCONN)
        if self.dialling is not None:
            raise socket_error(errno.EALREADY)

    async def _dial(self, target: Address) -> None:
        try:
            connection = self._network.dial(self, target)
            await self._connect_for_real(connection, await self._network.reach(connection))
        except OSError as error:
            self.dialling = None
            raise socket_error(error.errno or 0, f"Error connecting to {target!r}: ") from None
        self.attach(connection, "client")

    async def _connect_for_real(self, connection: RealConnection, address: Address) -> None:
        code = self._real.connect_ex(address)
        source: Address = self._real.getsockname()
        self._network.connecting(connection, source)
        if code == errno.EINPROGRESS:
            await trio.lowlevel.wait_writable(self._real)
            code = self._real.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_ERROR)
        if code:
            self._network.refused(connection, source)
            raise socket_error(code)

    def attach(self, connection: RealConnection, side: Literal["client", "server"]) -> None:
        """This socket is now one end of an established connection."""
        self.connection, self.side = connection, side
        if side == "client":
            connection.client = self
            self.outgoing, self.incoming = connection.lanes
        else:
            connection.server = self
            self.incoming, self.outgoing = connection.lanes
        self.incoming.on_arrival = self._on_arrival
        self.outgoing.on_room = self._writing.wake
        connection.link.connections[connection.number] = connection

    def shutdown(self, flag: int) -> None:
        """End one or both directions; OSError ENOTCONN without a living connection."""
        self._require_open()
        if self._dead:
            raise socket_error(errno.ENOTCONN)
        self._real.shutdown(flag)
        if flag in _SHUT_WRITING:
            self._sent_eof = True
            self._note_end()

    def close(self) -> None:
        """Let go of the connection, as the kernel does; closing twice is legal.

        A task that waits on this socket gets trio.ClosedResourceError.
        """
        if self._closed:
            return
        self._closed = True
        if not self._dead:
            if self.outgoing is not None and self.outgoing.is_busy and self._resets_on_close():
                self.outgoing.lose_what_is_held()
            self._note_end()
            self._close_real()
        if self.dialling is not None:
            self.dialling.cancel()
        self._close_pollable()
        self._network.forget(self)
        self._network.release(self)
        if self.connection is not None:
            self.connection.retire_if_over()

    def half_close_by_fault(self) -> bool:
        """FIN to the peer behind the back of our own process; whether there was one to send."""
        if self.state != "open" or self._ended:
            return False
        try:
            self._real.shutdown(stdlib.SHUT_WR)
        except OSError:  # The peer has reset it already.
            return False
        self._note_end()
        return True

    def reset_by_fault(self) -> None:
        """RST to the peer; to our own process it looks like a reset as well."""
        self._real.setsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, _ABORTIVE)
        if self.outgoing is not None:
            self.outgoing.lose_what_is_held()
        self._ended = False  # an RST travels even after a FIN
        self._note_end()
        self._die(errno.ECONNRESET)

    async def wait_writable(self) -> None:
        """Until ``send`` has room, or an error to report."""
        if self._dead:
            await trio.lowlevel.checkpoint()
        else:
            await self._wait_writable()

    # One attempt each: the answer, or None where the kernel says EAGAIN.

    def accept_now(self) -> tuple[stdlib.socket, Address] | None:
        """The kernel's socket of the next connection, and the real address it comes from."""
        self._require_open()
        try:
            accepted: tuple[stdlib.socket, Address] = self._real.accept()
        except BlockingIOError:
            return None
        return accepted

    def receive_now(self, limit: int, flags: int) -> bytes | None:
        """What has arrived, b"" at the end."""
        self._require_open()
        if self._dead:
            return self._report_reset()
        lane = self.incoming
        if lane is not None and (lane.lost_tail or not lane.is_clear):
            if lane.available <= 0:
                return self._withheld()
            limit = min(limit, lane.available)
        try:
            data = self._real.recv(limit, flags)
        except BlockingIOError:
            return None
        if lane is not None and not flags & _PEEK:
            lane.note_read(len(data))
        if not data and limit and self._early_reset:
            self._die(errno.ECONNRESET)
            return self._report_reset()
        return data

    def _withheld(self) -> bytes | None:
        """Nothing more has arrived: wait, unless the end came and the rest was lost."""
        if self.incoming is None or not self.incoming.is_clear:
            return None
        self._die(errno.ECONNRESET)
        return self._report_reset()

    def send_now(self, data: Buffer, flags: int) -> int | None:
        """Send what the lane and the kernel take; how many bytes."""
        self._require_open()
        if self._dead:
            raise socket_error(self._take_error() or errno.EPIPE)
        lane = self.outgoing
        with memoryview(data).cast("B") as view:
            room = None if lane is None else lane.room
            if room == 0 and view:
                return None
            count = self._send_to_kernel(view[:room], flags)
        if lane is not None and count:
            lane.note_sent(count)
        return count

    def _send_to_kernel(self, data: memoryview, flags: int) -> int | None:
        try:
            return self._real.send(data, flags)
        except BlockingIOError:
            return None
        except ConnectionError as error:
            if self.incoming is None or self.incoming.is_clear or self._ended:
                raise
            # The peer's RST is here, but by the link's clock it is still on its way: to this
            # process the connection looks alive, and what it sends goes nowhere.
            self._early_reset = self._early_reset or isinstance(error, ConnectionResetError)
            return data.nbytes

    def _report_reset(self) -> bytes:
        code = self._take_error()
        if code:
            raise socket_error(code)
        return b""

    def _note_end(self) -> None:
        if self.outgoing is not None and not self._ended:
            self._ended = True
            self.outgoing.note_end()

    def _resets_on_close(self) -> bool:
        linger = self._real.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, LINGER.size)
        return is_abortive(linger)

    def _die(self, code: int) -> None:
        """The connection is over for this end, although its process has not closed it."""
        self._dead, self._error = True, code
        self._close_real()
        if self.connection is not None:
            self.connection.retire_if_over()

    def _close_real(self) -> None:
        if trio.lowlevel.in_trio_run():  # Otherwise the world is closed, and nobody waits.
            trio.lowlevel.notify_closing(self._real)
        self._real.close()
        self._reading.wake()
        self._writing.wake()

    def _on_arrival(self) -> None:
        if self._pollable is not None:
            self._pollable.show(True)  # Whoever polls this descriptor asks ``fileno`` again.
        self._reading.wake()

    # Waiting.

    async def _wait_readable(self) -> None:
        lane = self.incoming
        if lane is None or lane.is_clear or lane.available > 0:
            await self._wait_for_kernel(trio.lowlevel.wait_readable)
            self._require_not_closed_meanwhile()
        else:
            await super()._wait_readable()

    async def _wait_writable(self) -> None:
        if self.outgoing is not None and self.outgoing.room == 0:
            await super()._wait_writable()
        else:
            await self._wait_for_kernel(trio.lowlevel.wait_writable)

    async def _wait_for_kernel(self, wait: Callable[[stdlib.socket], Awaitable[None]]) -> None:
        try:
            await wait(self._real)
        except trio.ClosedResourceError:
            if self._closed:
                raise  # Otherwise a fault reset it, which the next attempt reports.
