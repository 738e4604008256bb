"""VirtualSocket: trio's socket interface over the virtual network.

How an operation proceeds is in ``network/socket_base.py``; here is what each attempt does.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

import trio

from chaoscheck.world.network.address import Address, socket_error
from chaoscheck.world.network.socket_base import UNBOUND, SocketNetwork
from chaoscheck.world.network.virtual.connection import Endpoint
from chaoscheck.world.network.virtual.handshake import Handshake
from chaoscheck.world.network.virtual.listener import VirtualListener
from chaoscheck.world.network.virtual.socket_base import VirtualSocketBase

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["VirtualSocket"]

# Plain integers: operators of the enum are ten times slower, and this is the hot path.
_PEEK = int(stdlib.MSG_PEEK)
_NO_SIGNAL = int(getattr(stdlib, "MSG_NOSIGNAL", 0))  # without meaning: Python has no SIGPIPE
_SHUT_READING = (stdlib.SHUT_RD, stdlib.SHUT_RDWR)
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class VirtualSocketNetwork(SocketNetwork, Protocol):
    """What a virtual socket asks of its network."""

    def listen_at(
        self, listening: VirtualSocket, address: Address, backlog: int
    ) -> VirtualListener:
        """The queue of a socket that starts to listen; OSError EADDRINUSE."""

    def dial(
        self, dialling: VirtualSocket, target: Address, on_done: Callable[[], None]
    ) -> Handshake:
        """A handshake with ``target``, not yet begun; OSError EHOSTUNREACH, ENETDOWN."""

    def adopt(self, endpoint: Endpoint) -> VirtualSocket:
        """The socket of an accepted connection."""


class VirtualSocket(VirtualSocketBase[VirtualSocketNetwork]):
    """A TCP socket of the virtual network; made by ``trio.socket.socket`` and by ``accept``."""

    def __init__(self, network: VirtualSocketNetwork, number: int, opened_by: str) -> None:
        super().__init__(network, number, opened_by)
        self._connect_failed = False

    def listen(self, backlog: int = min(stdlib.SOMAXCONN, 128)) -> None:
        """Accept connections from now on; OSError EADDRINUSE, or EINVAL when connected."""
        self._require_open()
        if self.endpoint is not None or self._handshake is not None:
            raise socket_error(errno.EINVAL)
        if self.listener is not None:
            self.listener.set_backlog(backlog)
            return
        if self.bound is None:
            self.bind_now(UNBOUND)
        self.listener = self._network.listen_at(self, self.getsockname(), backlog)
        self.listener.on_readable = self._on_readable

    async def accept(self) -> tuple[VirtualSocket, Address]:
        """The next connection and where it comes from; OSError EINVAL if not listening."""
        endpoint = await self._perform(self._accept_now, self._wait_readable)
        return self._network.adopt(endpoint), endpoint.peer_address

    async def connect(self, address: Any) -> None:
        """Connect to (host, port); cancelling it closes the socket, as with trio's own.

        Raises OSError ECONNREFUSED, EHOSTUNREACH, ETIMEDOUT, EISCONN, EALREADY; gaierror.
        """
        attempt: Handshake | None = None

        def try_connect() -> Handshake | None:
            nonlocal attempt
            attempt = attempt or self._begin_handshake(target)
            return attempt if attempt.is_done else None

        try:
            target = await self._resolve(address, 0)
            done = await self._perform(try_connect, self._wait_writable)
        except trio.Cancelled:
            self.close()
            raise
        if done.error:
            raise socket_error(done.error, f"Error connecting to {target!r}: ")

    def shutdown(self, flag: int) -> None:
        """End one or both directions; OSError ENOTCONN without a living connection."""
        self._require_open()
        endpoint = self.endpoint
        if endpoint is not None and endpoint.is_connected:
            if flag in _SHUT_READING:
                endpoint.shut_down_reading()
            if flag in _SHUT_WRITING:
                endpoint.shut_down_writing()
        elif self.listener is None:
            raise socket_error(errno.ENOTCONN)
        elif flag in _SHUT_READING:  # inet_shutdown: it no longer listens, accept gives EINVAL
            self._stop_listening()
        self._sent_eof = self._sent_eof or flag in _SHUT_WRITING

    def close(self) -> None:
        """Let go of the connection: FIN, or RST when data is unread or SO_LINGER is (1, 0).

        A task that waits on this socket gets trio.ClosedResourceError. Closing twice is legal.
        """
        if self._closed:
            return
        self._closed = True
        if self._handshake is not None:
            self._handshake.abandon()
        self._stop_listening()
        self._network.forget(self)
        if self.endpoint is not None:
            self.endpoint.close(abortive=self._options.resets_on_close)
        self._close_pollable()
        self._reading.wake()
        self._writing.wake()

    async def wait_writable(self) -> None:
        """Until ``send`` has room, or an error to report."""
        await self._perform(self._writable_now, self._wait_writable)

    def attach(self, endpoint: Endpoint) -> None:
        """This socket is now one side of an established connection."""
        self.endpoint = endpoint
        endpoint.on_readable = self._on_readable
        endpoint.on_writable = self._writing.wake

    # One attempt each: the answer, or None where the kernel would say EAGAIN.

    def _accept_now(self) -> Endpoint | None:
        self._require_open()
        if self.listener is None:
            raise socket_error(errno.EINVAL)
        endpoint = self.listener.take()
        self._show_input()
        return endpoint

    def _receive_now(self, limit: int, flags: int) -> bytes | None:
        self._require_open()
        if limit < 0:
            raise ValueError("negative buffersize in recv")
        if flags not in (0, _PEEK):
            raise socket_error(errno.EOPNOTSUPP, "of the flags only MSG_PEEK is simulated: ")
        if self.endpoint is None:
            if self._connect_failed:  # tcp_done shut it down before anybody could ask
                return b""
            raise socket_error(errno.ENOTCONN)
        data = self.endpoint.read(limit, peek=bool(flags))
        self._show_input()
        return data

    def _send_now(self, data: Buffer, flags: int) -> int | None:
        self._require_open()
        if flags not in (0, _NO_SIGNAL):
            raise socket_error(errno.EOPNOTSUPP, "no flag of send is simulated: ")
        if self.endpoint is None:
            raise socket_error(errno.EPIPE)  # sk_stream_wait_connect in state CLOSE
        with memoryview(data).cast("B") as view:
            return self.endpoint.write(view)

    def _writable_now(self) -> bool | None:
        self._require_open()
        return True if self.endpoint is None or self.endpoint.is_writable else None

    def _begin_handshake(self, target: Address) -> Handshake:
        self._require_open()
        if self.endpoint is not None or self.listener is not None:
            raise socket_error(errno.EISCONN)
        if self._handshake is not None:
            raise socket_error(errno.EALREADY)
        handshake = self._network.dial(self, target, self._on_answer)
        self.bound = handshake.source
        self._handshake = handshake
        handshake.begin()
        return handshake

    # What the network reports.

    def _on_answer(self) -> None:
        handshake, self._handshake = self._handshake, None
        if handshake is not None and handshake.endpoint is not None:
            self.attach(handshake.endpoint)
        self._connect_failed = self.endpoint is None
        self._writing.wake()
        self._show_input()

    def _on_readable(self) -> None:
        self._show_input()
        self._reading.wake()

    def _stop_listening(self) -> None:
        if self.listener is not None:
            listener, self.listener = self.listener, None
            listener.close()
            self._reading.wake()
