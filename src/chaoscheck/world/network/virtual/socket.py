"""VirtualSocket: a descriptor of a socket of the virtual network, with trio's interface.

How an operation proceeds is in ``network/socket_base.py``, what each attempt does in
``tcp_socket.py``.
"""

from __future__ import annotations

import socket as stdlib
import struct
from collections.abc import Callable
from functools import partial
from socket import AddressFamily
from typing import TYPE_CHECKING, Any, Protocol

import trio

from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.pollable import Pollable
from chaoscheck.world.network.socket_base import SocketBase, SocketNetwork
from chaoscheck.world.network.virtual.connection import Endpoint
from chaoscheck.world.network.virtual.std_socket import StdSocket
from chaoscheck.world.network.virtual.tcp_socket import TcpSocket
from chaoscheck.world.network.waiting import Waiter
from chaoscheck.world.outside import Late, Outside
from chaoscheck.world.source import Source

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["VirtualSocket"]

_INT = struct.Struct("i")
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class VirtualSocketNetwork(SocketNetwork, Protocol):
    """What a virtual socket asks of its network."""

    outside: Outside

    def adopt(self, endpoint: Endpoint, listening: TcpSocket) -> VirtualSocket:
        """The socket of an accepted connection."""

    def describe_by(self, tcp: TcpSocket) -> VirtualSocket:
        """One more descriptor of a socket."""

    def know_descriptor(self, number: int, holder: VirtualSocket) -> None:
        """A file descriptor now stands for this socket."""

    def resolve_now(self, address: Any) -> Address:
        """(host, port) as numbers; gaierror for an unknown host."""


class VirtualSocket(SocketBase[VirtualSocketNetwork]):
    """A descriptor of a TCP socket; made by ``trio.socket.socket`` and by ``accept``."""

    _kind = "virtual"

    def __init__(
        self, network: VirtualSocketNetwork, number: int, opened_by: str, *, tcp: TcpSocket
    ) -> None:
        super().__init__(network, number, opened_by)
        self.tcp = tcp
        tcp.descriptors.append(self)
        #: Called whenever what an attempt would answer may have changed, for loops other than trio.
        self.on_ready: Callable[[], None] | None = None
        self._inheritable = False
        self._std: StdSocket | None = None
        # Readiness that is late, and who is woken once it comes; see ``outside``.
        self._late: Late | None = None
        self._to_wake: list[Waiter] = []

    # What it is.

    @property
    def family(self) -> AddressFamily:
        """AF_INET, and AF_UNIX of a socket pair."""
        return self.tcp.family

    @property
    def proto(self) -> int:
        """The protocol that was asked for: 0, or TCP."""
        return self.tcp.proto

    def getsockname(self) -> Address:
        """The own (address, port); of a socket pair ''."""
        self._require_open()
        return self.tcp.local_address()

    def getpeername(self) -> Address:
        """The peer's (address, port); OSError ENOTCONN without a peer, or after a reset."""
        self._require_open()
        return self.tcp.peer_address()

    def get_inheritable(self) -> bool:
        """Remembered only: no process is ever started."""
        return self._inheritable

    def set_inheritable(self, inheritable: bool) -> None:
        """Remembered only."""
        self._inheritable = inheritable

    @property
    def is_closed(self) -> bool:
        """Whether this descriptor was closed, or detached."""
        return self._closed

    @property
    def _sock(self) -> StdSocket:
        # anyio's trio backend and others take the standard library's socket from here.
        if self._std is None:
            self._std = StdSocket.over(self)
        return self._std

    def fileno(self) -> int:
        """A real descriptor that polls readable when this socket is; -1 when closed."""
        if self._closed:
            return -1
        if self._pollable is None:
            self._pollable = Pollable()
            self._show_input()
            self._network.know_descriptor(self._pollable.fileno(), self)
        return self._pollable.fileno()

    # What it does.

    def bind_now(self, address: Address) -> None:
        """``bind`` to a numeric address, without a checkpoint."""
        self._require_open()
        self.tcp.bind_now(address)

    def listen(self, backlog: int = min(stdlib.SOMAXCONN, 128)) -> None:
        """Accept connections from now on; OSError EADDRINUSE, or EINVAL when connected."""
        self._require_open()
        self.tcp.listen_now(backlog)

    async def accept(self) -> tuple[VirtualSocket, Address]:
        """The next connection and where it comes from; OSError EINVAL if not listening."""
        accepted = await self._perform(self.accept_now, self._wait_readable)
        return accepted, accepted.tcp.accepted_from

    async def connect(self, address: Any) -> None:
        """Connect to (host, port); cancelling it closes the socket, as with trio's own.

        Raises OSError ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EISCONN, EALREADY; gaierror.
        """
        begun = False

        def attempt() -> bool | None:
            nonlocal begun
            if not begun:
                self._require_open()
                begun = True
                if self.tcp.connect_now(target):
                    return True
            return True if self.tcp.handshake is None else None

        try:
            target = await self._resolve(address, 0)
            await self._perform(attempt, self._wait_writable)
        except trio.Cancelled:
            self.close()
            raise
        code = self.tcp.take_error()
        if code:
            raise socket_error(code, f"Error connecting to {target!r}: ")

    def shutdown(self, flag: int) -> None:
        """End one or both directions; OSError ENOTCONN without a living connection."""
        self._require_open()
        self.tcp.shut_down(flag)
        self._sent_eof = self._sent_eof or flag in _SHUT_WRITING

    def dup(self) -> VirtualSocket:
        """Another descriptor of this socket, whose connection ends with the last one."""
        self._require_open()
        return self._network.describe_by(self.tcp)

    def detach(self) -> int:
        """Close this object, but not its file descriptor, which is returned.

        ``socket.socket(fileno=...)`` and ``trio.socket.fromfd`` take it up again.
        """
        number = self.fileno()
        if number != -1:
            self._network.forget(self)
            heir = self._network.describe_by(self.tcp)
            heir.inherit(number, self._pollable)
            self._pollable = None
            self._closed = True
            self.tcp.let_go(self)
            self._wake()
        return number

    def inherit(self, number: int, pollable: Pollable | None) -> None:
        """Stand for a file descriptor from now on."""
        self._pollable = pollable
        self._network.know_descriptor(number, self)

    def close(self) -> None:
        """Let go of the connection: FIN, or RST when data is unread or SO_LINGER is (1, 0).

        A task that waits on this socket gets trio.ClosedResourceError. Closing twice is legal.
        """
        if self._closed:
            return
        self._closed = True
        self._network.forget(self)
        self.tcp.let_go(self)
        self._close_pollable()
        self._wake()

    async def wait_readable(self) -> None:
        """Until ``recv`` or ``accept`` would answer at once (``trio.lowlevel.wait_readable``)."""
        await self._perform(lambda: True if self._has_input() else None, self._wait_readable)

    async def wait_writable(self) -> None:
        """Until ``send`` has room or an error to report, or a connect is over."""
        await self._perform(self._writable_now, self._wait_writable)

    # One attempt each: the answer, or None where the kernel would say EAGAIN.

    def accept_now(self) -> VirtualSocket | None:
        """The next connection; OSError EINVAL if not listening."""
        self._require_open()
        self._show_late()
        endpoint = self.tcp.accept_now()
        self._show_input()
        return None if endpoint is None else self._network.adopt(endpoint, self.tcp)

    def connect_now(self, address: Any) -> bool:
        """False: in progress. The next call: True once, EISCONN, EALREADY, or why it failed."""
        self._require_open()
        return self.tcp.connect_now(self._network.resolve_now(address))

    def receive_now(self, limit: int, flags: int) -> bytes | None:
        """What has arrived, b"" at the end."""
        self._require_open()
        self._show_late()
        data = self.tcp.receive_now(limit, flags)
        self._show_input()
        return data

    def send_now(self, data: Buffer, flags: int) -> int | None:
        """Send what the window takes; how many bytes."""
        self._require_open()
        with memoryview(data).cast("B") as view:
            try:
                return self.tcp.send_now(view, flags)
            except OSError:
                self._show_late()
                raise

    def _writable_now(self) -> bool | None:
        self._require_open()
        self._show_late()
        return True if self.tcp.is_writable else None

    def notify_closing(self) -> None:
        """Tasks that wait get trio.ClosedResourceError (``trio.lowlevel.notify_closing``)."""
        if self._late is not None and not self._late.is_sure:
            self._late.come()
        self._end_late()
        self._reading.give_up()
        self._writing.give_up()

    # What the network reports.

    def input_changed(self) -> None:
        """A receive or accept may have another answer now."""
        self._show_input()
        self._become_ready(self._reading)
        if self.on_ready is not None:
            self.on_ready()

    def room_changed(self) -> None:
        """A send or connect may have another answer now."""
        self._become_ready(self._writing)
        if self.on_ready is not None:
            self.on_ready()

    def _become_ready(self, waiter: Waiter) -> None:
        task, outside = waiter.task, self._network.outside
        if task is None or not outside.is_asked:
            waiter.wake()
            return
        if self._late is None:
            source = Source("socket", task, task._schedule_points)
            self._late = outside.expect(source, self._come)
        if waiter not in self._to_wake:
            self._to_wake.append(waiter)
            waiter.on_abort = partial(self._miss, waiter)

    def _come(self) -> None:
        for waiter in self._end_wait():
            waiter.wake()

    def _miss(self, waiter: Waiter) -> None:
        """The task was cancelled: it never saw what was late."""
        waiter.on_abort = None
        self._to_wake.remove(waiter)
        if not self._to_wake and self._late is not None:
            self._late.miss()
            self._late = None

    def _show_late(self) -> None:
        """A task looks at the socket: what it sees has come."""
        if self._late is not None:
            self._late.come()

    def _end_late(self) -> None:
        if self._late is not None:
            self._late.end()
            self._end_wait()

    def _end_wait(self) -> list[Waiter]:
        woken, self._to_wake, self._late = self._to_wake, [], None
        for waiter in woken:
            waiter.on_abort = None
        return woken

    def _wake(self) -> None:
        self._end_late()
        self._reading.wake()
        self._writing.wake()

    # What a socket of any network is asked.

    def _describe_connection(self) -> str | None:
        return None if self.tcp.endpoint is None else self.tcp.endpoint.describe()

    def _listening_at(self) -> Address | None:
        return None if self.tcp.listener is None else self.tcp.local_address()

    def _describe_attempt(self) -> str:
        handshake = self.tcp.handshake
        return super()._describe_attempt() if handshake is None else handshake.describe()

    def _has_input(self) -> bool:
        self._show_late()
        return self.tcp.is_readable

    def _show_input(self) -> None:
        if self._pollable is not None:
            self._pollable.show(self.tcp.is_readable)

    def _get_option(self, level: int, optname: int, buflen: int | None) -> int | bytes:
        value = self.tcp.get_option(level, optname)
        if buflen:
            return value[:buflen]
        number: int = _INT.unpack(value.ljust(_INT.size, b"\0")[: _INT.size])[0]
        return number

    def _set_option(
        self, level: int, optname: int, value: int | Buffer | None, optlen: int
    ) -> None:
        self.tcp.set_option(level, optname, bytes(optlen) if value is None else value)
