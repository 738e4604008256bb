"""VirtualSocket: trio's socket interface over the virtual network.

Each operation is what trio's own socket does around a system call: checkpoint if cancelled, try,
then either a shielded checkpoint or a wait for readiness. So a cancelled operation has had no
effect, and every operation is a point where other tasks run.
"""

from __future__ import annotations

import errno
import socket as stdlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

import trio

from chaoscheck.world.network.connection import Address, Endpoint, socket_error
from chaoscheck.world.network.handshake import Handshake
from chaoscheck.world.network.surface import UNBOUND, SocketSurface
from chaoscheck.world.network.waiting import Waiter

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Buffer

    from chaoscheck.world.network.virtual import VirtualNetwork

__all__ = ["VirtualSocket"]

T = TypeVar("T")

# Plain integers: operators of the enum are ten times slower, and this is the hot path.
_PEEK = int(stdlib.MSG_PEEK)
_NO_SIGNAL = int(getattr(stdlib, "MSG_NOSIGNAL", 0))  # without meaning: Python has no SIGPIPE
_SHUT_READING = (stdlib.SHUT_RD, stdlib.SHUT_RDWR)
_SHUT_WRITING = (stdlib.SHUT_WR, stdlib.SHUT_RDWR)


class VirtualSocket(SocketSurface):
    """A TCP socket of the virtual network; made by ``trio.socket.socket`` and by ``accept``.

    ``number`` counts the sockets of the network from 1; ``opened_by`` names the task.
    """

    def __init__(self, network: VirtualNetwork, number: int, opened_by: str) -> None:
        super().__init__(network, number, opened_by)
        self._reading = Waiter(lambda: f"to read: {self.describe()}")
        self._writing = Waiter(lambda: f"to write: {self.describe()}")
        self._connect_failed = False

    async def bind(self, address: Any) -> None:
        """Bind to a host of this world (name or address), 0.0.0.0 or 127.0.0.1.

        Raises OSError EADDRNOTAVAIL, EADDRINUSE or EINVAL (bound already), gaierror EAI_NONAME.
        """
        resolved = await self._resolve(address, stdlib.AI_PASSIVE)
        await trio.lowlevel.checkpoint()
        self.bind_now(resolved)

    def bind_now(self, address: Address) -> None:
        """``bind`` to a numeric address, without a checkpoint."""
        self._require_open()
        if self._bound is not None:
            raise socket_error(errno.EINVAL)
        self._bound = self._network.bind(self, address)

    def listen(self, backlog: int = min(stdlib.SOMAXCONN, 128)) -> None:
        """Accept connections from now on; OSError EADDRINUSE, or EINVAL when connected."""
        self._require_open()
        if self.endpoint is not None or self._handshake is not None:
            raise socket_error(errno.EINVAL)
        if self.listener is not None:
            self.listener.set_backlog(backlog)
            return
        if self._bound is None:
            self.bind_now(UNBOUND)
        self.listener = self._network.listen_at(self, self.getsockname(), backlog)
        self.listener.on_readable = self._on_readable

    async def accept(self) -> tuple[VirtualSocket, Address]:
        """The next connection and where it comes from; OSError EINVAL if not listening."""
        endpoint = await self._perform(self._accept_now, self._reading)
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
            done = await self._perform(try_connect, self._writing)
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
        self._network.forget(self, self._bound)
        if self.endpoint is not None:
            self.endpoint.close(abortive=self._options.resets_on_close)
        if self._pollable is not None:
            self._pollable.close()
            self._pollable = None
        self._reading.wake()
        self._writing.wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def wait_writable(self) -> None:
        """Until ``send`` has room, or an error to report."""
        await self._perform(self._writable_now, self._writing)

    async def recv(self, buflen: int, flags: int = 0, /) -> bytes:
        """Up to ``buflen`` bytes, b"" at the end; OSError ECONNRESET, ETIMEDOUT, ENOTCONN.

        ``flags`` may be MSG_PEEK.
        """
        return await self._perform(lambda: self._receive_now(buflen, flags), self._reading)

    async def recv_into(self, buffer: Buffer, nbytes: int = 0, flags: int = 0) -> int:
        """``recv`` into ``buffer``; how many bytes, 0 at the end."""
        with memoryview(buffer).cast("B") as view:
            data = await self.recv(nbytes or len(view), flags)
            view[: len(data)] = data
            return len(data)

    async def send(self, bytes: Buffer, flags: int = 0, /) -> int:
        """Send what the window takes; how many bytes. OSError EPIPE, ECONNRESET, ETIMEDOUT."""
        return await self._perform(lambda: self._send_now(bytes, flags), self._writing)

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
        handshake = self._network.dial(self, self._bound, target, self._on_answer)
        self._bound = handshake.source
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

    async def _perform(self, attempt: Callable[[], T | None], waiter: Waiter) -> T:
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
            await waiter.wait()
            if self._closed:
                raise trio.ClosedResourceError("another task closed this socket")
            result = attempt()
        return result

    async def _resolve(self, address: Any, flags: int) -> Address:
        """``address`` with its host as a number; not always a checkpoint."""
        if not isinstance(address, tuple) or len(address) != 2:
            raise ValueError(f"address should be a (host, port) tuple, got {address!r}")
        host, port = address
        if isinstance(host, str) and isinstance(port, int) and _is_ipv4(host):
            return host, port
        entries = await trio.socket.getaddrinfo(
            host or None, port, stdlib.AF_INET, stdlib.SOCK_STREAM, 0, flags
        )
        found = entries[0][4]
        return str(found[0]), int(found[1])


def _is_ipv4(host: str) -> bool:
    try:
        stdlib.inet_pton(stdlib.AF_INET, host)
    except OSError:
        return False
    return True
