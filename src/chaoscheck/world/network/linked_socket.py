"""A real socket of a loopback world: kernel TCP under the world's addresses, behind its links.

It is trio's socket interface around a non-blocking socket of the kernel. Addresses are the
world's own, so that they are the same in every run; which real port is behind them is known to
the network alone. What ``recv`` may take is what the lane of this direction says has arrived.
"""

from __future__ import annotations

import errno
import socket as stdlib
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar

import trio

from chaoscheck.world.network.connection import Address, socket_error
from chaoscheck.world.network.hosts import LOOPBACK
from chaoscheck.world.network.linked_surface import UNBOUND, LinkedSurface
from chaoscheck.world.network.loopback_link import RealConnection

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer

__all__ = ["LinkedSocket"]

T = TypeVar("T")

_PEEK = int(stdlib.MSG_PEEK)
_LINGER = struct.Struct("ii")  # struct linger: l_onoff, l_linger in seconds
_ABORTIVE = _LINGER.pack(1, 0)
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class LinkedSocket(LinkedSurface):
    """One end of a connection, a listener, or neither yet, of a ``LoopbackNetwork``."""

    async def bind(self, address: Any) -> None:
        """Bind to a host of this world (name or address), 0.0.0.0 or 127.0.0.1.

        Raises OSError EADDRNOTAVAIL, EADDRINUSE or EINVAL (bound already), gaierror EAI_NONAME.
        """
        resolved = await self._resolve(address, stdlib.AI_PASSIVE)
        await trio.lowlevel.checkpoint()
        self.bind_now(resolved)

    def bind_now(self, address: Address) -> None:
        """``bind`` to a numeric address, without a checkpoint. No real port is taken yet."""
        self._require_open()
        if self.bound is not None:
            raise socket_error(errno.EINVAL)
        self.bound = self._network.bind(self, address)

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

    async def accept(self) -> tuple[LinkedSocket, Address]:
        """The next connection and where it comes from; OSError EINVAL if not listening."""
        real, real_address = await self._perform(self._accept_now, self._wait_readable)
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
        if self._closed:
            raise trio.ClosedResourceError("another task closed this socket")

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
        if self._pollable is not None:
            self._pollable.close()
            self._pollable = None
        self._network.forget(self)
        if self.connection is not None:
            self.connection.retire_if_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

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

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Up to ``buflen`` bytes of what has arrived, b"" at the end; OSError as the kernel."""
        return await self._perform(lambda: self._receive_now(buflen, flags), self._wait_readable)

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """``recv`` into ``buffer``; how many bytes, 0 at the end."""
        with memoryview(buffer).cast("B") as view:
            data = await self.recv(nbytes or len(view), flags)
            view[: len(data)] = data
            return len(data)

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send what the kernel takes; how many bytes. OSError as the kernel."""
        return await self._perform(lambda: self._send_now(bytes, flags), self._wait_writable)

    # One attempt each: the answer, or None where the kernel says EAGAIN.

    def _accept_now(self) -> tuple[stdlib.socket, Address] | None:
        self._require_open()
        try:
            accepted: tuple[stdlib.socket, Address] = self._real.accept()
        except BlockingIOError:
            return None
        return accepted

    def _receive_now(self, limit: int, flags: int) -> bytes | None:
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

    def _send_now(self, data: Buffer, flags: int) -> int | None:
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
        linger = self._real.getsockopt(stdlib.SOL_SOCKET, stdlib.SO_LINGER, _LINGER.size)
        on, seconds = _LINGER.unpack(linger)
        return bool(on) and seconds == 0

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

    async def _perform(
        self, attempt: Callable[[], T | None], wait: Callable[[], Awaitable[None]]
    ) -> T:
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            result = attempt()
        except Exception:
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise
        if result is not None:
            await trio.lowlevel.cancel_shielded_checkpoint()
            return result
        while result is None:
            await wait()
            result = attempt()
        return result

    async def _wait_readable(self) -> None:
        lane = self.incoming
        if lane is None or lane.is_clear or lane.available > 0:
            await self._wait_for_kernel(trio.lowlevel.wait_readable)
        else:
            await self._reading.wait()
        if self._closed:
            raise trio.ClosedResourceError("another task closed this socket")

    async def _wait_writable(self) -> None:
        if self.outgoing is not None and self.outgoing.room == 0:
            await self._writing.wait()
            if self._closed:
                raise trio.ClosedResourceError("another task closed this socket")
        else:
            await self._wait_for_kernel(trio.lowlevel.wait_writable)

    async def _wait_for_kernel(self, wait: Callable[[stdlib.socket], Awaitable[None]]) -> None:
        try:
            await wait(self._real)
        except trio.ClosedResourceError:
            if self._closed:
                raise  # Otherwise a fault reset it, which the next attempt reports.
